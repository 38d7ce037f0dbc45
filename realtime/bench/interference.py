"""Does the fast lane notice the slow one? Cost of its hops, deadlines missed and jitter of the clock beside 0, 1
and 3 slow plugins.

A host with a preset's plugins runs in a process of its own on sound paced by the clock, 10 ms at a time; its
musical clock is tapped to 125 BPM and held. In turns of a few seconds the slow lane is taken away, or runs

  1   a transformer in torch (where torch is installed; else matrix products of the same size in numpy)
  3   that, a spectrum of ten seconds four times a second, and a loop in pure Python that takes 5 s without a pause

'cost' is the time that a hop of 10 ms takes; 'late' how long after its sound was there it began; a deadline is
missed when a hop is done later than 10 ms after its sound was there; 'clock' is how late ticks of 24 a beat leave.

A round has a turn of each and a second one without slow plugins, every other round backwards. A percentile is the
median of those of the turns; a difference is the median over the rounds of what a turn differs by from those
without slow plugins of the same round. The aim: no p99 is worse by more than a tenth, or 0.2 ms. Where the two
turns without slow plugins differ by more than that from each other, the machine is too busy with other things for
a verdict; 'others' says with how many cores' worth.
"""

from __future__ import annotations

import gc
import importlib.util
import multiprocessing as mp
import os
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from realtime import preset as presets
from realtime.audio.source import Block, Source
from realtime.bench.interference_figures import HOP, TURNS, differences, figures, order, row, verdicts
from realtime.bench.report import parser, progress, publish
from realtime.bench.sounds import read_sound
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Plugin
from realtime.hosting.slow.worker import NICE
from realtime.outputs.bench_clock import BPM, SWITCH_INTERVAL, Nowhere
from realtime.outputs.midi import MidiSettings
from realtime.preset import PluginSettings

STALL = 5.0
_SETTLE = 4.0
_AFTER_TURN = 1.0
"""Seconds left out after the slow plugins were turned on or off."""


def _descriptor(name: str, window: int, hop: int) -> Descriptor:
    return Descriptor(
        name, name, "", "Sidechain", "MIT", "1", AudioInput(16_000, 1, hop, window),
        (Output("result", "value"),), lane="slow", patience=30.0, memory_mb=4096,
    )  # fmt: skip


class Transformer(Plugin):
    """Four layers of width 256 over a second of sound in 100 steps, four times a second."""

    descriptor = _descriptor("bench-transformer", 16_000, 4000)

    def prepare(self, context: Context) -> None:
        """Make the network, with random weights."""
        self._torch: Any = None
        if importlib.util.find_spec("torch") is None:
            self._weights = np.random.default_rng(0).standard_normal((24, 256, 256)).astype(np.float32) / 16.0
            return
        import torch

        torch.manual_seed(0)
        layer = torch.nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)
        self._network = torch.nn.TransformerEncoder(layer, 4, enable_nested_tensor=False).eval()
        self._torch = torch

    def process(self, block: Array, time: float) -> Iterable[Feature]:
        """One window."""
        x = np.zeros((100, 256), np.float32)
        x[:, :160] = block.reshape(100, 160)
        if self._torch is None:
            for _ in range(4):
                for weights in self._weights:
                    x = np.tanh(x @ weights)
            return [Feature("result", time, float(x.mean()))]
        with self._torch.inference_mode():
            y = self._network(self._torch.from_numpy(x[None]))
        return [Feature("result", time, float(y.mean()))]


class Spectra(Plugin):
    """The spectrum of ten seconds, four times a second."""

    descriptor = _descriptor("bench-spectra", 160_000, 4000)

    def process(self, block: Array, time: float) -> Iterable[Feature]:
        """One window."""
        return [Feature("result", time, float(np.abs(np.fft.rfft(block)).max()))]


class Stall(Plugin):
    """Counts in pure Python for five seconds of each six."""

    descriptor = _descriptor("bench-stall", 160_000, 96_000)

    def process(self, block: Array, time: float) -> Iterable[Feature]:
        """Let nobody else in this process do anything."""
        return [Feature("result", time, float(_count(STALL)))]


def _count(seconds: float) -> int:
    end, n = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        n += 1
    return n


PLUGINS = (Transformer, Spectra, Stall)


class PacedSource(Source):
    """Samples again and again, in hops that come when a sound card would bring them."""

    def __init__(self, samples: Array, rate: int) -> None:
        super().__init__()
        self.name, self.live, self.sample_rate, self.channels = "paced", True, rate, samples.shape[1]
        self._samples, self._hop, self._count = samples, round(HOP * rate), 0

    def open(self) -> None:
        """Begin."""
        self._begun = time.monotonic()

    @property
    def due(self) -> float:
        """``time.monotonic()`` at which the next hop is there."""
        return self._begun + (self._count + 1) * HOP

    def read(self, most: int) -> Block | None:
        """The next hop, if it is there."""
        due = self.due
        if time.monotonic() < due:
            return Block(self._samples[:0], self._count * self._hop, 0, due)
        place = (self._count * self._hop) % (len(self._samples) - self._hop)
        self._count += 1
        return Block(self._samples[place : place + self._hop], (self._count - 1) * self._hop, 0, due)

    def wait(self, seconds: float) -> None:
        """Until there may be something."""
        time.sleep(max(0.0, min(seconds, self.due - time.monotonic())))

    def close(self) -> None:
        """Nothing to release."""


class Meter:
    """Notes of each hop when its sound was there, when it was begun, and when it was done."""

    def __init__(self, engine: Engine) -> None:
        self.hops: list[tuple[float, float, float]] = []
        self._take = engine.lane.take
        vars(engine.lane)["take"] = self.take

    def take(self, block: Block) -> None:
        """In place of the lane's own."""
        begun = time.monotonic()
        self._take(block)
        self.hops.append((block.host_time, begun, time.monotonic()))


def host(line: Connection, preset: str, sound: str) -> None:
    """Entry point of the host's process: run, and measure a turn whenever asked."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    settings = presets.load(preset)
    settings.outputs = []
    settings.plugins |= {p.descriptor.identifier: PluginSettings() for p in PLUGINS}
    samples, rate = read_sound(sound)
    brought = {p.descriptor.identifier: p for p in PLUGINS}
    engine = Engine(settings, PacedSource(samples, rate), plugins=brought)
    meter = Meter(engine)
    clock = Nowhere(MidiSettings(name="clock"), engine)
    engine.start()
    try:
        engine.runner.add(clock)
        _tap(engine)
        _until_ready(engine)
        gc.collect()
        gc.freeze()
        line.send(engine.runner.priority)
        while isinstance(turn := line.recv(), tuple):
            line.send(_turn(engine, meter, clock, *turn))
    finally:
        engine.stop()
        engine.join()


def _turn(engine: Engine, meter: Meter, clock: Nowhere, count: int, seconds: float) -> dict[str, Any]:
    """One turn with so many slow plugins."""
    names = [p.descriptor.identifier for p in PLUGINS]
    if count and engine.lane.side is None:
        engine.on_lane(lambda: _reattach(engine))
    for i, name in enumerate(names):
        engine.call("plugin.enable", {"plugin": name, "on": i < count})
    if not count:
        engine.on_lane(lambda: _detach(engine))
    _until_idle(engine)
    time.sleep(_AFTER_TURN)
    before, busy = _calls(engine, names), _others()
    meter.hops.clear()
    clock.ticks.clear()
    time.sleep(seconds)
    hops, ticks = list(meter.hops), list(clock.ticks)
    others, after = _others(), _calls(engine, names)
    return {
        "figures": figures(hops, ticks),
        "others": max(0.0, others - busy) / seconds,
        "calls": {n: after[n][0] - before[n][0] for n in names[:count]},
        "drops": {n: after[n][1] - before[n][1] for n in names[:count]},
        "cost_ms": {n: after[n][2] for n in names[:count]},
    }


def _until_idle(engine: Engine) -> None:
    """Until what was turned off has ended its last call: a stall goes on for seconds."""
    end = time.monotonic() + 2 * STALL
    while any(not s.enabled and s.board["busy_since"] for s in engine.slow.slots) and time.monotonic() < end:
        time.sleep(0.05)


def _others() -> float:
    """Processor time that all other processes have taken so far, seconds; not a number where that is not known."""
    try:
        with open("/proc/stat", encoding="ascii") as f:
            user, nice, system = (int(v) for v in f.readline().split()[1:4])
    except (OSError, ValueError):
        return float("nan")
    return (user + nice + system) / os.sysconf("SC_CLK_TCK") - time.process_time()


def _reattach(engine: Engine) -> None:
    engine.slow.jump(engine.lane.now)
    engine.lane.side = engine.slow


def _detach(engine: Engine) -> None:
    engine.lane.side = None


def _calls(engine: Engine, names: Sequence[str]) -> dict[str, tuple[int, int, float]]:
    found = {s["identifier"]: s for s in engine.status()["plugins"]}
    return {n: (found[n]["calls"], found[n]["drops"], found[n]["cost_p50_ms"]) for n in names}


def _tap(engine: Engine) -> None:
    due = time.monotonic() + 0.5
    for _ in range(8):
        time.sleep(max(0.0, due - time.monotonic()))
        engine.call("transport.tap")
        due += 60.0 / BPM
    engine.call("transport.lock", {"on": True})
    engine.call("transport.hold", {"on": True})
    time.sleep(_SETTLE)


def _until_ready(engine: Engine) -> None:
    end = time.monotonic() + 120.0
    while any(s["lane"] == "slow" and s["state"] != "ready" for s in engine.status()["plugins"]):
        if time.monotonic() > end:
            raise UserError("the slow plugins of the bench did not start within 120 s")
        time.sleep(0.1)


def measure(seconds: float, turn: float, preset: str, sound: str) -> dict[str, Any]:
    """Figures of `seconds` in all, in turns of `turn` seconds."""
    context = mp.get_context("spawn")
    line, theirs = context.Pipe()
    process = context.Process(target=host, args=(theirs, preset, sound))
    process.start()
    theirs.close()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TURNS}
    try:
        priority = line.recv()
        for n in range(max(1, round(seconds / turn / len(TURNS)))):
            for name in order(n):
                progress(f"round {n + 1}: {name} slow plugins")
                line.send((TURNS[name], turn))
                found[name].append(line.recv())
        line.send("end")
    except EOFError:
        raise UserError("the host of the bench ended early; its error is above") from None
    finally:
        progress("")
        process.join(30.0)
        if process.is_alive():
            process.kill()
            process.join()
    told: Mapping[str, Sequence[Any]] = {n: [t["figures"] for t in turns] for n, turns in found.items()}
    calm = [t["others"] for name in TURNS if not TURNS[name] for t in found[name]]
    return {
        "preset": preset,
        "torch": importlib.util.find_spec("torch") is not None,
        "priority": priority,
        "rounds": len(found["0"]),
        "others": statistics.median(calm),
        "rows": [{"slow": name} | row(turns) for name, turns in told.items()],
        "differences": differences(told),
        "slow_plugins": [line for name, turns in found.items() for line in _slow(name, turns)],
        "verdict": verdicts(told),
    }


def _slow(name: str, turns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "turn": name,
            "plugin": plugin,
            "calls": sum(t["calls"][plugin] for t in turns),
            "cost_p50_ms": turns[-1]["cost_ms"][plugin],
            "left_out": sum(t["drops"][plugin] for t in turns),
        }
        for plugin in turns[0]["calls"]
    ]


def main(arguments: Sequence[str]) -> int:
    """``sidechain bench interference``."""
    p = parser("interference", __doc__)
    p.add_argument("--seconds", type=float, default=288.0, help="in all (default: %(default)g)")
    p.add_argument("--turn", type=float, default=12.0, help="seconds of one turn (default: %(default)g)")
    p.add_argument("--preset", default="everything", help="whose plugins run in the fast lane (%(default)s)")
    p.add_argument("--sound", default="demo", help="a file, or demo")
    args = p.parse_args(arguments)
    if hasattr(os, "nice") and os.nice(0) > 0:
        raise UserError(
            f"this runs with niceness {os.nice(0)}, and slow plugins with {NICE}: start it without nice, else "
            "they count as the host's equals"
        )
    if args.turn < 1.0 or args.seconds < args.turn:
        raise UserError("--turn must be 1 or more, and --seconds no less")
    publish("interference", args, measure(args.seconds, args.turn, args.preset, args.sound))
    return 0
