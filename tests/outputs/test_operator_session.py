"""An operator's session: the machine locks at half tempo and is put right by hand; outputs never stumble."""

from __future__ import annotations

import socket
import threading
from itertools import pairwise

import numpy as np
import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from realtime.engine import Engine
from realtime.hosting.plugin import AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.musical import BeatObservation
from realtime.preset import Preset
from tests.clockdrive import Pulse
from tests.fixtures.waiting import until
from tests.outputs.test_runner import TICKS, Probe, Stage
from tests.test_engine import Endless

HALF, TRUE = 63.0, 126.0


def assert_whole(points: list, given_up: int = 0, slew: float = 0.04, sent_ahead: float = 0.0) -> None:
    """Tick by tick: none doubled, none missing beyond those the host says it gave up because the machine stalled,
    none nearer or farther than the slew bound around either tempo.

    A tick may be on its way already, `sent_ahead` seconds before its time, when a correction begins: the step
    after it makes up for what it lacks of that.
    """
    near = 1e-6 + slew * sent_ahead
    steps = [(b.position - a.position) * 24 for a, b in pairwise(points)]
    assert all(step >= 1 for step in steps)
    assert sum(step - 1 for step in steps) == given_up
    for (a, b), step in zip(pairwise(points), steps, strict=True):
        if step > 1:
            continue
        spacing = b.time - a.time
        assert any(
            60.0 / tempo / 24 / (1 + slew) - near <= spacing <= 60.0 / tempo / 24 / (1 - slew) + near
            for tempo in (HALF, TRUE)
        )
        assert a.bar <= b.bar <= a.bar + 1


def at_half_tempo(pulse: Pulse, time: float) -> BeatObservation:
    """What a tracker says that hears every second beat only."""
    slow = pulse.position / 2
    return BeatObservation(time, pulse.tempo(time) / 2, slow % 1.0, int(slow) % 4 + 1, 4, 0.9, 0.9)


def test_on_a_virtual_clock() -> None:
    stage = Stage(Pulse(lambda t: TRUE))
    ticks, beats = stage.probe("ticks", grids=(TICKS,)), stage.probe("beats")
    show = stage.show
    show.ear = at_half_tempo
    stage.run(8.0)
    assert round(show.transport.state().bpm) == HALF
    show.act("double")
    stage.run(3.0)
    assert round(show.transport.state().bpm) == TRUE
    # the true downbeat is beat 28 of the pulse; press on it, a human 30 ms late
    while show.pulse.position % 4 > 0.05:
        stage.run(0.005)
    stage.run(0.03)
    show.act("one")
    one = show.now - 0.03
    stage.run(4.0)
    show.act("nudge", ms=15.0)
    stage.run(6.0)
    show.act("hold", on=True)
    show.ear = lambda p, t: BeatObservation(t, 91.0, (t * 1.3) % 1.0, 1, 4, 0.9, 0.9, relocated=True)
    stage.run(12.0)
    assert show.transport.state().state == "held"
    show.ear = lambda p, t: at_half_tempo(p, t)
    show.act("hold", on=False)
    stage.run(8.0)
    assert show.transport.state().state == "locked"
    assert show.names() == ["locked"]

    points = [p for _, p in ticks.points]
    assert_whole(points)
    numbers = [int(p.position) for _, p in beats.points]
    assert numbers == list(range(1, len(numbers) + 1))
    period = 60.0 / TRUE
    late = [p for _, p in beats.points if p.time > one + 8.0]
    assert len(late) > 40
    for p in late:
        phase = (p.time - 0.015) / period
        assert abs(phase - round(phase)) < 0.01
        assert p.beat_in_bar == round((p.time - 0.015 - one) / period) % 4 + 1
    in_time = [at - p.due for at, p in ticks.points]
    assert max(in_time) < 0.0011


class HalfTempo(Plugin):
    """A tracker that claims half the tempo; with `mad`, nonsense."""

    descriptor = Descriptor(
        "half", "Half tempo", "", "tests", "MIT", "1", AudioInput(hop=480),
        (Output("observation", "observation"),), (Parameter("mad", "Mad", "", 0, 1, 0),),
    )  # fmt: skip

    def prepare(self, context: Context) -> None:
        self.mad = 0.0

    def parameter(self, identifier: str, value: float) -> None:
        self.mad = value

    def process(self, block: np.ndarray, time: float) -> list[Feature]:
        slow = time * HALF / 60.0
        seen = BeatObservation(time, HALF, slow % 1.0, int(slow) % 4 + 1, 4, 0.9, 0.9)
        if self.mad:
            seen = BeatObservation(time, 97.0, time * 7 % 1.0, 2, 4, 0.95, 0.9, relocated=True)
        return [Feature("observation", time, seen)]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.mark.device
def test_over_osc() -> None:
    control = free_port()
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(0.2)
    preset = Preset.model_validate(
        {
            "plugins": {"half": {}},
            "transport": {"source": "half"},
            "outputs": [
                {"kind": "osc-in", "name": "control", "port": control},
                {"kind": "osc", "name": "osc", "port": receiver.getsockname()[1]},
            ],
        }
    )
    engine = Engine(preset, Endless(), plugins={"half": HalfTempo})
    numbers: list[int] = []
    ended = threading.Event()
    listening = threading.Thread(target=listen, args=(receiver, numbers, ended))
    listening.start()
    pause = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hand:

        def press(address: str, *values: float) -> None:
            builder = OscMessageBuilder(f"/sidechain{address}")
            for value in values:
                builder.add_arg(value)
            hand.sendto(builder.build().dgram, ("127.0.0.1", control))

        engine.start()
        try:
            ticks = Probe(lambda: 0.0, "ticks", grids=(TICKS,))
            engine.runner.add(ticks)
            until(lambda: engine.transport.state().locked)
            pause.wait(1.2)
            press("/double")
            until(lambda: round(engine.transport.state().bpm) == TRUE)
            press("/one")
            until(lambda: engine.transport._bars.overridden)
            pause.wait(0.6)
            press("/nudge", 20.0)
            until(lambda: engine.transport.state().nudge_ms == 20.0)
            pause.wait(1.5)
            press("/hold", 1)
            until(lambda: engine.transport.state().state == "held")
            press("/param/half/mad", 1.0)
            pause.wait(1.5)
            press("/param/half/mad", 0.0)
            pause.wait(0.3)
            press("/hold", 0)
            until(lambda: engine.transport.state().state == "locked")
            pause.wait(1.0)
            (given_up,) = [o["late"] for o in engine.runner.status() if o["name"] == "ticks"]
        finally:
            engine.stop()
            engine.join()
            ended.set()
            listening.join()
            receiver.close()
    points = [p for _, p in ticks.points]
    assert len(points) > 24 * 8
    assert_whole(points, given_up, sent_ahead=0.002)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) >= 9


def listen(receiver: socket.socket, numbers: list[int], ended: threading.Event) -> None:
    from pythonosc.osc_message import OscMessage

    while not ended.is_set():
        try:
            message = OscMessage(receiver.recv(4096))
        except TimeoutError:
            continue
        if message.address == "/sidechain/beat/number":
            numbers.append(int(message.params[0]))
