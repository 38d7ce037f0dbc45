"""What is changed while a host runs is in the preset that it saves; loading that gives the same state again."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import preset as presets
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.hosting.plugin import AudioInput, Descriptor, Feature, Output, Parameter, Plugin
from realtime.outputs.rules import settings as rules
from realtime.preset import Preset, dumps, parse
from tests.fixtures.sources import ArraySource


class Gain(Plugin):
    descriptor = Descriptor(
        "gain", "Gain", "", "tests", "MIT", "1", AudioInput(hop=480), (Output("now", "value"),),
        (Parameter("gain", "Gain", "", 0, 4, 1),),
    )  # fmt: skip

    def process(self, block: np.ndarray, time: float) -> list[Feature]:
        return []


PRESET = """
[plugins.gain]
[[outputs]]
kind = "osc"
name = "stage"
[[routes]]
source = "gain.now"
address = "/gain"
[[rules]]
name = "flash"
when = { on = "beats", every = 4 }
only_if = { probability = 0.5, values = { "gain.now" = [0.0, 2.0] } }
send = [{ address = "/flash", values = [1.0, "now", { cycle = [1, 2] }, { ramp = [0, 1], beats = 0.5 }] }]
then = [{ after_beats = 0.5, send = [{ address = "/flash", values = [0.0] }] }, { after_ms = 5, rule = "by hand" }]
[[rules]]
name = "by hand"
muted = true
enabled = false
when = { on = "manual" }
send = [{ to = ["stage"], address = "/hand" }]
"""


def host(preset: Preset) -> Engine:
    """One that is built and obeys; nothing of this needs sound."""
    engine = Engine(preset, ArraySource(np.zeros(480), 48_000), plugins={"gain": Gain})
    for output in preset.outputs:
        engine.call("output.add", {"settings": output})
    return engine


def ended(engine: Engine) -> None:
    engine.runner.stop()


names = st.sampled_from(["flash", "by hand"])
flags = st.booleans()
route = st.fixed_dictionaries(
    {
        "source": st.just("gain.now"),
        "address": st.sampled_from(["/a", '/with "quotes"', "/tab\tand\r\nlines", "/\x7f"]),
    },
    optional={
        "low": st.floats(-1e9, 1e9),
        "curve": st.sampled_from(["linear", "exp", "log", "s"]),
        "threshold": st.floats(-1.0, 1.0),
        "to": st.lists(st.just("stage"), max_size=2),
        "quantise": st.floats(0.0, 64.0),
        "enabled": flags,
    },
)


def _routes(now: dict[str, Any], wanted: list[dict[str, Any]]) -> dict[str, Any]:
    return {"settings": now | {"routes": wanted}}


Action = tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]
actions: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("rule.mute"), st.builds(lambda n, on: lambda _: {"name": n, "on": on}, names, flags)),
    st.tuples(st.just("rule.enable"), st.builds(lambda n, on: lambda _: {"name": n, "on": on}, names, flags)),
    st.tuples(
        st.just("rule.scale"),
        st.builds(lambda n, f: lambda _: {"name": n, "factor": f}, names, st.sampled_from([0.5, 2.0])),
    ),
    st.tuples(
        st.just("plugin.set"),
        st.builds(lambda v: lambda _: {"plugin": "gain", "parameter": "gain", "value": v}, st.floats(0.0, 4.0)),
    ),
    st.tuples(st.just("plugin.enable"), st.builds(lambda on: lambda _: {"plugin": "gain", "on": on}, flags)),
    st.tuples(
        st.just("output.offset"), st.builds(lambda ms: lambda _: {"name": "stage", "ms": ms}, st.floats(-99, 99))
    ),
    st.tuples(st.just("output.enable"), st.builds(lambda on: lambda _: {"name": "stage", "on": on}, flags)),
    st.tuples(st.just("transport.metre"), st.builds(lambda n: lambda _: {"beats": n}, st.sampled_from([0, 3, 7]))),
    st.tuples(
        st.just("transport.window"),
        st.builds(lambda low: lambda _: {"low": low, "high": 2 * low}, st.floats(40, 150)),
    ),
    st.tuples(
        st.just("preset.apply"),
        st.builds(lambda routes: lambda now: _routes(now, routes), st.lists(route, max_size=3)),
    ),
)


@given(st.lists(actions, max_size=12))
@settings(max_examples=40)
def test_a_saved_file_loads_to_the_state_that_was_saved(
    tmp_path_factory: pytest.TempPathFactory, script: list[Action]
) -> None:
    folder = tmp_path_factory.mktemp("config")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIDECHAIN_CONFIG", str(folder))
        engine = host(parse(PRESET, "show.toml"))
        for method, params in script:
            engine.call(method, params(engine.call("preset.get")))
        now = engine.call("preset.get")
        path = Path(engine.call("preset.save", {"name": "mine"}))
        assert path.parent == presets.user_folder()
        again = host(presets.load("mine"))
    then = again.call("preset.get")
    assert then == now | {"name": "mine"}
    told, heard = engine.status()["rules"], again.status()["rules"]
    for key in ("name", "when", "enabled", "muted"):
        assert [r[key] for r in heard] == [r[key] for r in told]
    ended(engine)
    ended(again)


def test_what_was_done_to_rules_is_what_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_CONFIG", str(tmp_path))
    engine = host(parse(PRESET, "show.toml"))
    engine.call("rule.mute", {"name": "flash", "on": True})
    engine.call("rule.scale", {"name": "flash", "factor": 2})
    engine.call("rule.enable", {"name": "by hand", "on": True})
    engine.call("transport.window", {"low": 100, "high": 200})
    engine.call("transport.metre", {"beats": 3})
    engine.call("preset.save", {"name": "mine"})
    saved = presets.load("mine")
    flash, hand = saved.rules
    assert isinstance(flash.when, rules.OnBeats)
    assert (flash.muted, flash.enabled, flash.when.every) == (True, True, 2.0)
    assert (hand.muted, hand.enabled) == (True, True)
    assert (saved.transport.low_bpm, saved.transport.high_bpm, saved.transport.beats_per_bar) == (100, 200, 3)
    engine.call("preset.apply", {"settings": parse(PRESET, "show.toml").model_dump()})  # and back
    assert engine.call("preset.get")["transport"]["low_bpm"] == 40
    assert engine.status()["transport"]["low_bpm"] == 40
    ended(engine)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
numbers = st.floats(-1e6, 1e6)
fixed = numbers | texts
slots = st.one_of(
    fixed,
    st.fixed_dictionaries({"cycle": st.lists(fixed, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"random": st.tuples(numbers, numbers)}, optional={"whole": flags}),
    st.fixed_dictionaries({"weighted": st.lists(st.tuples(fixed, st.floats(0.1, 9)), min_size=1, max_size=3)}),
    st.fixed_dictionaries({"live": st.just("gain.now")}, optional={"scale": st.tuples(*[numbers] * 4)}),
    st.fixed_dictionaries({"ramp": st.tuples(numbers, numbers), "beats": st.just(0.5)}),
)
sends = st.lists(
    st.fixed_dictionaries(
        {"address": texts},
        optional={"to": st.lists(texts, max_size=2), "values": st.lists(slots, min_size=1, max_size=3)},
    ),
    min_size=1,
    max_size=2,
)
whens = st.one_of(
    st.fixed_dictionaries({"on": st.just("beats")}, optional={"every": st.sampled_from([0.25, 1 / 3, 4.0])}),
    st.fixed_dictionaries({"on": st.just("euclid"), "pulses": st.integers(1, 4), "steps": st.integers(4, 16)}),
    st.fixed_dictionaries({"on": st.just("event"), "source": st.just("drums.hit")}, optional={"label": texts}),
    st.fixed_dictionaries({"on": st.just("crossing"), "source": st.just("gain.now"), "level": numbers}),
    st.fixed_dictionaries({"on": st.sampled_from(["lock", "unlock", "manual", "phrase"])}),
)
conditions = st.fixed_dictionaries(
    {},
    optional={
        "bpm": st.tuples(numbers, numbers),
        "section": st.lists(texts, max_size=2),
        "values": st.dictionaries(st.sampled_from(["gain.now", "bands.low"]), st.tuples(numbers, numbers)),
        "probability": st.floats(0.0, 1.0),
    },
)
any_rules = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[^/\s#*,?\[\]{}][^/#*,?\[\]{}\ud800-\udfff]{0,9}", fullmatch=True).filter(
            str.isprintable
        )
    },
    optional={"muted": flags, "enabled": flags, "seed": st.integers(0, 2**40), "only_if": conditions}
    | {"then": st.lists(st.fixed_dictionaries({"after_ms": st.floats(1, 9), "send": sends}), max_size=2)},
).flatmap(lambda found: st.fixed_dictionaries({"when": whens, "send": sends}).map(lambda more: found | more))
any_routes = st.fixed_dictionaries(
    {"source": texts, "address": texts},
    optional={"label": texts, "to": st.lists(texts, max_size=2), "low": numbers},
)


@given(
    st.fixed_dictionaries(
        {"name": texts, "routes": st.lists(any_routes, max_size=2), "rules": st.lists(any_rules, max_size=2)}
    ).map(Preset.model_validate)
)
@settings(max_examples=60)
def test_any_routes_and_rules_are_read_as_they_were_written(preset: Preset) -> None:
    assert parse(dumps(preset), "x.toml") == preset


def test_the_old_file_stays_whole_when_writing_breaks_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whatever step the machine stops: NAME.toml is there, the old one or the new one."""
    path = tmp_path / "p.toml"
    presets.save(Preset(name="old"), path)
    replace, seen = os.replace, []

    def watched(source: Any, target: Any) -> None:
        seen.append(presets.load(str(path)).name)
        replace(source, target)
        seen.append(presets.load(str(path)).name)

    monkeypatch.setattr(os, "replace", watched)
    presets.save(Preset(name="new"), path)
    assert seen[0] == "old"
    assert seen[-1] == "new"
    assert set(seen) == {"old", "new"}

    def full(source: Any, target: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left"):
        presets.save(Preset(name="newer"), path)
    assert presets.load(str(path)).name == "new"
    assert not list(tmp_path.glob("*.tmp"))


def test_what_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    presets.save(Preset(name="old"), path)
    with pytest.raises(UserError, match="character"):
        presets.save(Preset(name="half a pair \ud800"), path)
    assert presets.load(str(path)).name == "old"


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a\\b", "null\0", "x" * 65, "../up", "con:", "new\nline"])
def test_names_that_are_no_file_names_are_refused(name: str) -> None:
    engine = host(parse("[plugins.gain]\n", "x.toml"))
    with pytest.raises(UserError, match="letters, digits"):
        engine.call("preset.save", {"name": name})


def test_an_output_that_cannot_be_opened_stays_in_the_preset() -> None:
    engine = host(parse(PRESET, "show.toml"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        more = f"[[outputs]]\nkind = 'osc-in'\nname = 'control'\nport = {port}\n"
        wanted = {"settings": parse(PRESET + more, "show.toml").model_dump()}
        try:
            for _ in range(2):
                with pytest.raises(UserError, match=r"control|port"):
                    engine.call("preset.apply", wanted)
                saved = parse(dumps(engine.current_preset()), "saved.toml")
                assert {o["name"]: o.get("port") for o in saved.outputs} == {"stage": None, "control": port}
                assert [o["name"] for o in engine.status()["outputs"]] == ["stage"]
            taken.close()
            engine.call("preset.apply", wanted)
            assert [o["name"] for o in engine.status()["outputs"]] == ["stage", "control"]
            assert [o["name"] for o in engine.current_preset().outputs] == ["stage", "control"]
            engine.call("output.remove", {"name": "control"})
            assert [o["name"] for o in engine.current_preset().outputs] == ["stage"]
        finally:
            ended(engine)


def test_an_output_that_cannot_be_opened_can_be_replaced_or_forgotten() -> None:
    engine = host(parse(PRESET, "show.toml"))
    try:
        wrong = PRESET + "[[outputs]]\nkind = 'osc'\nname = 'far'\nhost = 'no.such.host.invalid'\n"
        for mend in (True, False):
            with pytest.raises(UserError, match=r"no\.such\.host"):
                engine.call("preset.apply", {"settings": parse(wrong, "show.toml").model_dump()})
            if mend:
                engine.call("output.add", {"settings": {"kind": "osc", "name": "far", "host": "127.0.0.1"}})
                assert [o["name"] for o in engine.status()["outputs"]] == ["stage", "far"]
            else:
                engine.call("output.remove", {"name": "far"})
            assert [o["name"] for o in engine.current_preset().outputs] == ["stage", "far"][: 1 + mend]
    finally:
        ended(engine)
