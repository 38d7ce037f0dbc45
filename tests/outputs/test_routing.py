"""A preset's routes and rules together: who is asked, and what is refused before anything runs."""

from __future__ import annotations

from fractions import Fraction

import pytest

from realtime import preset as presets
from realtime.bus import Event
from realtime.errors import UserError
from realtime.outputs import routing
from realtime.outputs.routing import Routing
from tests.outputs.test_osc import beat

TEXT = """
[[routes]]
source = "onset.onset"
address = "/quantised"
quantise = 1
to = ["lights"]

[[rules]]
name = "each beat"
when = { on = "beats" }
send = [{ address = "/rule", to = ["lights"] }]

[[rules]]
name = "button"
when = { on = "event", source = "input.pad" }
only_if = { values = { "bands.low" = [0, 1] }, unlocked = true }
send = [{ address = "/pad" }]
"""
RESULTS = {"onset.onset", "bands.low"}


def test_each_is_asked_for_its_own_grid() -> None:
    router = Routing(presets.parse(TEXT, "x.toml"))
    assert router.grids == (Fraction(1, 24), Fraction(1))
    assert router.on_events([Event(0, 0.0, 0.0, "onset", "onset", 0.5, None)]) == []
    whole = router.on_grid(beat(1, 1))
    assert [(to, m.address, m.values) for to, m in whole] == [(("lights",), "/quantised", (0.5,))]
    fine = router.on_grid(beat(1, 1, step=Fraction(1, 24)))
    assert [m.address for _, m in fine] == ["/rule"]


def test_what_is_not_there_is_named() -> None:
    routing.check(presets.parse(TEXT, "x.toml"), RESULTS, {"lights"})
    with pytest.raises(UserError, match=r"'onset.onset' in this preset; did you mean 'onset.strength'"):
        routing.check(presets.parse(TEXT, "x.toml"), {"onset.strength", "bands.low"}, {"lights"})
    with pytest.raises(UserError, match=r"rule 'button': there is no result 'bands.low'"):
        routing.check(presets.parse(TEXT, "x.toml"), {"onset.onset"}, {"lights"})
    with pytest.raises(UserError, match="no output 'lights'; did you mean 'light'"):
        routing.check(presets.parse(TEXT, "x.toml"), RESULTS, {"light"})
