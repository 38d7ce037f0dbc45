"""Sound → OSC: time from an attack in the sound to the UDP packet that tells of it, received by another process.

Plucked tones are played into the host. An onset counts when /onset arrives, a level when /level/peak has risen by
half of the jump, a pitch when /pitch/hz is within 50 cents of the new one.

  --through file   a file, paced by the clock (the default)
  --through jack   JACK at 48 kHz with blocks of 128; where no server runs, 'jackd -d dummy' is started. Sound
                   counts from when a sound card with such blocks would have heard it
"""

from __future__ import annotations

import math
import multiprocessing as mp
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import soundfile
from pythonosc.osc_message import OscMessage

from realtime.audio.file import FileSource
from realtime.bench.report import parser, percentiles, publish
from realtime.bench.sounds import plucked
from realtime.engine import Engine
from realtime.preset import PluginSettings, Preset

PLUGINS = ("onset", "level", "pitch")
RATE_OF_VALUES = 200.0
LATEST = 0.3
"""Seconds after an attack within which a message counts as its answer."""

FIFTY_CENTS = 2 ** (50 / 1200)


class Arrival(NamedTuple):
    """A packet: ``time.monotonic()``, address, value."""

    time: float
    address: str
    value: float


def receive(line: Connection) -> None:
    """Entry point of the receiving process: tells its port, takes packets until told to stop, hands all over."""
    arrivals: list[Arrival] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(0.1)
        line.send(s.getsockname()[1])
        while not line.poll():
            try:
                data = s.recv(4096)
            except TimeoutError:
                continue
            now = time.monotonic()
            if not data.startswith(b"#bundle"):
                message = OscMessage(data)
                value = message.params[0] if message.params else 0.0
                if isinstance(value, (int, float)):
                    arrivals.append(Arrival(now, message.address, float(value)))
    line.send([tuple(a) for a in arrivals])


def preset_to(port: int) -> Preset:
    """The plugins under test and one OSC target, values as often as they come."""
    rates = {"/level/peak": RATE_OF_VALUES, "/pitch/hz": RATE_OF_VALUES}
    return Preset(
        name="latency",
        plugins={p: PluginSettings() for p in PLUGINS},
        outputs=[{"kind": "osc", "name": "bench", "host": "127.0.0.1", "port": port, "rates": rates}],
    )


def through_file(count: int) -> dict[str, Any]:
    """Latencies with a paced file as the input."""
    samples, starts, pitches = plucked(count)
    with tempfile.TemporaryDirectory() as folder, Receiver() as receiver:
        path = Path(folder) / "plucked.wav"
        soundfile.write(path, samples, 48_000, subtype="FLOAT")
        engine = Engine(preset_to(receiver.port), FileSource(path))
        engine.start()
        while engine.running:
            time.sleep(0.2)
        engine.join()
        arrivals = receiver.stop()
        return report(engine, arrivals, [engine.clock.host_time_at(t) for t in starts], pitches)


class Receiver:
    """The receiving process."""

    def __enter__(self) -> Receiver:
        context = mp.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=receive, args=(theirs,))
        self._process.start()
        self.port = int(self._line.recv())
        return self

    def stop(self) -> list[Arrival]:
        """End it; all packets that came."""
        self._line.send("stop")
        return [Arrival(*a) for a in self._line.recv()]

    def __exit__(self, *_: object) -> None:
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def report(
    engine: Engine, arrivals: Sequence[Arrival], starts: Sequence[float], pitches: Sequence[float]
) -> dict[str, Any]:
    """Latencies in ms, and what they are made of.

    Parameters
    ----------
    starts : sequence of float
        ``time.monotonic()`` of each attack.
    pitches : sequence of float
        Hz after each attack.
    """

    def near(pitch: float) -> Callable[[float], bool]:
        return lambda hz: pitch / FIFTY_CENTS < hz < pitch * FIFTY_CENTS

    always: Callable[[float], bool] = lambda value: True  # noqa: E731
    figures: dict[str, Any] = {
        "onset_ms": _answers(arrivals, "/onset", starts, [always] * len(starts)),
        "level_ms": _answers(arrivals, "/level/peak", starts, _risen(arrivals, "/level/peak", starts)),
        "pitch_ms": _answers(arrivals, "/pitch/hz", starts, [near(p) for p in pitches]),
    }
    status = engine.status()
    cost = {p["identifier"]: p["cost_p50_ms"] for p in status["plugins"]}
    figures["parts_of_onset_ms"] = _parts(engine, figures["onset_ms"]["p50"], "onset", cost)
    figures["lost_frames"] = status["input"]["lost"]
    return figures


def _answers(
    arrivals: Sequence[Arrival],
    address: str,
    starts: Sequence[float],
    counts: Sequence[Callable[[float], bool]],
) -> dict[str, float]:
    """Percentiles of the time from each start to the first message that counts."""
    mine = [a for a in arrivals if a.address.endswith(address)]
    found = []
    for start, counted in zip(starts, counts):
        answer = next((a for a in mine if start < a.time < start + LATEST and counted(a.value)), None)
        if answer is not None:
            found.append(1e3 * (answer.time - start))
    return percentiles(found) | {"missed": len(starts) - len(found)}


def _risen(arrivals: Sequence[Arrival], address: str, starts: Sequence[float]) -> list[Callable[[float], bool]]:
    """For each start: whether a level is past the middle of the jump there."""
    mine = [a for a in arrivals if a.address.endswith(address)]
    tests: list[Callable[[float], bool]] = []
    for start in starts:
        before = [a.value for a in mine if start - 0.05 < a.time <= start]
        after = [a.value for a in mine if start < a.time < start + 0.1]
        middle = (min(before) + max(after)) / 2 if before and after else math.inf
        tests.append(lambda value, middle=middle: value > middle)  # type: ignore[misc]
    return tests


def _parts(engine: Engine, measured: float, plugin: str, cost: dict[str, float]) -> dict[str, float]:
    """What the median is made of: declared parts, mean waits, and the rest (threads, OSC, network)."""
    slot = next(s for s in engine.slots if s.identifier == plugin)
    front = 1e3 * (slot.latency - slot.hop_seconds - slot.descriptor.latency)
    parts = {
        "device_block": 1e3 * engine.source.latency,
        "resampler_and_front_end": front,
        "hop_mean_wait": 1e3 * slot.hop_seconds / 2,
        "model_declared": 1e3 * slot.descriptor.latency,
        "model_cost": cost[plugin],
    }
    return parts | {"threads_and_output": measured - sum(parts.values())}


def main(arguments: Sequence[str]) -> int:
    """The bench from the command line."""
    options = parser("latency", __doc__)
    options.add_argument("--through", choices=("file", "jack"), default="file", help="(default: %(default)s)")
    options.add_argument("--count", type=int, default=100, help="attacks (default: %(default)s)")
    args = options.parse_args(arguments)
    if args.through == "jack":
        from realtime.bench.latency_jack import through_jack

        figures = through_jack(args.count)
    else:
        figures = through_file(args.count)
    publish("latency", args, figures)
    return 0
