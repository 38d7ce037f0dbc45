"""The lighting program QLC+ follows what we send: its own DMX channels are read back over its web interface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from realtime.bus import Value
from realtime.outputs.os2l import Os2lOutput, Os2lSettings
from realtime.outputs.osc import OscOutput, OscSettings
from realtime.outputs.output import Message
from tests.fixtures.qlcplus import OS2L, OSC, Console, QlcPlus, channel, qlcplus
from tests.fixtures.waiting import until
from tests.outputs.test_osc import NoHost, beat, event

CUES = 5
OS2L_BEAT = 8341
"""Input channel of OS2L's beat in QLC+, from 0."""


class Desk(NamedTuple):
    """QLC+ and the DMX channels (from 0) on which its widgets show what they heard."""

    program: QlcPlus
    beat: int
    kick: int
    voice: int
    level: int
    tempo: int
    cues: int
    button: int
    command: int
    os2l_beat: int


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    console = Console()
    channels = (
        console.button(OSC, channel("/sidechain/beat"), "Flash"),
        console.button(OSC, channel("/sidechain/drum/kick"), "Flash"),
        console.slider(OSC, channel("/sidechain/voice/active")),
        console.slider(OSC, channel("/sidechain/level/rms")),
        console.slider(OSC, channel("/sidechain/tempo/bpm")),
        console.cues(OSC, channel("/sidechain/downbeat"), CUES),
        console.button(OS2L, channel("strobe"), "Toggle"),
        console.slider(OS2L, 7),
        console.button(OS2L, OS2L_BEAT, "Toggle"),
    )
    with qlcplus(console, tmp_path_factory.mktemp("qlcplus")) as program:
        yield Desk(program, *channels)


@pytest.fixture
def osc(desk: Desk) -> Iterator[OscOutput]:
    output = OscOutput(OscSettings(port=desk.program.osc, profile="qlcplus"), NoHost())
    output.open()
    yield output
    output.on_stop()
    output.close()


@pytest.fixture
def os2l(desk: Desk) -> Iterator[Os2lOutput]:
    output = Os2lOutput(Os2lSettings(host="127.0.0.1", port=desk.program.os2l), NoHost())
    output.open()
    until(lambda: output.connected, 20.0)
    yield output
    output.close()


def test_a_beat_and_a_drum_press_a_button_and_let_it_go(desk: Desk, osc: OscOutput) -> None:
    for _ in range(2):  # what is pressed a second time was let go
        osc.on_grid(beat(5, 2))
        osc.on_events([event("drums.hit", 0.8, "kick")])
        lights = desk.program.until(lambda now: now[desk.beat] == 255 and now[desk.kick] == 255)
        assert lights[desk.voice] == 0
        osc.on_stop()
        desk.program.until(lambda now: now[desk.beat] == 0 and now[desk.kick] == 0)


def test_every_downbeat_is_one_step_of_a_cue_list(desk: Desk, osc: OscOutput) -> None:
    for step in range(2 * CUES):
        osc.on_grid(beat(4 * step + 1, 1))
        shown = [255 if i == step % CUES else 0 for i in range(CUES)]
        desk.program.until(lambda now, shown=shown: now[desk.cues : desk.cues + CUES] == shown)
        osc.on_stop()


@pytest.mark.parametrize(
    ("voice", "level", "tempo", "shown"),
    [(1.0, -30.0, 127.5, (255, 127, 127)), (0.0, 0.0, 174.0, (0, 255, 174)), (1.0, -60.0, 60.0, (255, 0, 60))],
)
def test_values_arrive_as_levels(
    desk: Desk, osc: OscOutput, voice: float, level: float, tempo: float, shown: tuple[int, ...]
) -> None:
    values = {"level.rms": Value(1.0, level, None), "transport.bpm": Value(1.0, tempo, None)}
    osc.on_events([event("voice.active", voice)])

    def arrived(now: list[int]) -> bool:
        osc.on_values(values)  # as the host does again and again: each has its rate
        return (now[desk.voice], now[desk.level], now[desk.tempo]) == shown

    desk.program.until(arrived)


def test_a_route_reaches_any_widget(desk: Desk, osc: OscOutput) -> None:
    osc.send(Message("/sidechain/level/rms", (0.25,)))
    desk.program.until(lambda now: now[desk.level] == 63)


def test_os2l_beats_buttons_and_commands_act(desk: Desk, os2l: Os2lOutput) -> None:
    for step in range(8):  # QLC+ knows no end of an OS2L beat: it toggles a button, and does not step cues
        os2l.on_grid(beat(step + 1, step % 4 + 1))
        desk.program.until(lambda now, lit=255 * (1 - step % 2): now[desk.os2l_beat] == lit)
    os2l.send(Message("btn:strobe", (1.0,)))
    desk.program.until(lambda now: now[desk.button] == 255)
    os2l.send(Message("btn:strobe", (0.0,)))
    desk.program.until(lambda now: now[desk.button] == 255)  # pressed again too soon, QLC+ misses it
    os2l.send(Message("btn:strobe", (1.0,)))
    desk.program.until(lambda now: now[desk.button] == 0)
    os2l.send(Message("cmd:7", (0.5,)))  # per cent, which QLC+ takes for a level of 50 in 255
    desk.program.until(lambda now: now[desk.command] == 50)
