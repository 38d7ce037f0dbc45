"""Cost of the fast lane: per plugin and call, in all (real-time factor), and whether it stays the same for hours.

Sound comes in blocks as from a sound card, as fast as it goes, on one thread. All figures are processor time of
that thread, so that other programs on the machine count little. "rtf" is the share of one core taken in real
time; under 'file' the same sound in long blocks, as for analyze. "(all of a block)" is what everything that falls
due in one block takes together. What asking for these times takes is taken off: the clock of a host that runs
costs next to nothing. With --hours, the stream goes on that long, and cost and memory of its last minute are held
against those of minute 5.
"""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from realtime import preset as presets
from realtime.audio.source import Block
from realtime.bench.report import parser, progress, publish
from realtime.bench.sounds import LoopSource, read_sound
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.preset import Preset

SETTLED = 300.0
"""Stream seconds after which caches, pools and histories are full: what later figures are held against."""


BLOCK = 256
"""Frames at once, as many sound cards give them."""

_BLOCKS = 20_000
"""The last ones, whose times are kept: 107 s of them."""

FILE_SECONDS = 60.0


class MeteredSource(LoopSource):
    """Gives at most `block` frames at once; notes what the last blocks took of the thread, and thread time and
    memory at each minute of stream."""

    minutes: list[tuple[float, float, float]]
    taken: deque[float]
    block = BLOCK

    def open(self) -> None:
        """Begin."""
        super().open()
        self.minutes = []
        self.taken = deque(maxlen=_BLOCKS)
        self._next = self._given = 0.0

    def read(self, most: int) -> Block | None:
        """The next frames."""
        now = time.thread_time()
        if self._at:
            self.taken.append(now - self._given)
        seconds = self._at / self.sample_rate
        if seconds >= self._next:
            self._next += 60.0
            self.minutes.append((seconds, now, resident_mb()))
            progress(f"{seconds / 60:.0f} min")
        block = super().read(min(most, self.block))
        self._given = time.thread_time()
        return block


def resident_mb() -> float:
    """Memory of this process that is in RAM, MB; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


def measure(preset: Preset, sound: str, seconds: float, block: int = BLOCK) -> dict[str, Any]:
    """Figures of `seconds` of `sound` (looped) through the plugins of a preset.

    What is left when the plugins' shares are taken off the total is the host's: reading, resampling, front end,
    transport, bus. Spectra are the host's too, whoever asked for them.
    """
    samples, rate = read_sound(sound)
    source = MeteredSource(samples, rate, seconds)
    source.block = block
    engine, spent = _run(preset, source)
    progress("")
    plugins: list[dict[str, Any]] = []
    asking = clock_cost()
    for slot in engine.lane.slots:
        p50, p99, _ = slot.cost.percentiles()
        plugins.append(
            {
                "plugin": slot.identifier,
                "hop_ms": 1e3 * slot.hop_seconds,
                "p50_us": 1e6 * p50,
                "p99_us": 1e6 * p99,
                "rtf": (slot.cost.total - slot.cost.calls * asking) / seconds,
                "errors": slot.errors,
            }
        )
    plugins.append({"plugin": "(host)", "rtf": spent / seconds - sum(p["rtf"] for p in plugins)})
    p50, p99 = np.percentile(source.taken, (50, 99))
    whole = {"plugin": "(all of a block)", "hop_ms": 1e3 * block / rate, "p50_us": 1e6 * p50, "p99_us": 1e6 * p99}
    plugins.append(whole)
    figures: dict[str, Any] = {
        "stream_seconds": seconds,
        "preset": preset.name,
        "block_frames": block,
        "rtf": spent / seconds,
        "times_real_time": seconds / spent,
        "plugins": plugins,
    }
    if seconds > SETTLED + 120.0:
        figures["stability"] = stability(source.minutes)
    return figures


def measure_file(preset: Preset, sound: str, seconds: float = FILE_SECONDS) -> dict[str, float]:
    """The same in blocks as long as those of files that are run through as fast as it goes."""
    _, spent = _run(preset, LoopSource(*read_sound(sound), seconds))
    return {"rtf": spent / seconds, "times_real_time": seconds / spent}


def chosen(preset: Preset, plugins: str) -> Preset:
    """The preset with some of its plugins only; empty = all. Raises ``UserError``."""
    names = [n for n in plugins.split(",") if n]
    for name in names:
        if name not in preset.plugins:
            raise UserError(
                f"--plugins: preset '{preset.name}' has no '{name}'; it has {', '.join(preset.plugins)}"
            )
    return preset.model_copy(update={"plugins": {n: preset.plugins[n] for n in names or preset.plugins}})


def _run(preset: Preset, source: LoopSource) -> tuple[Engine, float]:
    """The engine after a run, and the processor time that it took after its start."""
    engine = Engine(preset.model_copy(deep=True), source, outputs=False)
    engine.open()
    engine.lane.side = None  # no slow lane here
    for slot in engine.lane.slots:
        slot.clock = time.thread_time
    gc.collect()
    gc.freeze()
    begun = time.thread_time()
    engine.lane.run()
    spent = time.thread_time() - begun
    return engine, spent - 2 * clock_cost() * sum(slot.cost.calls for slot in engine.lane.slots)


def clock_cost() -> float:
    """Least seconds that it takes to ask for the processor time of this thread."""
    asked = [time.thread_time() for _ in range(10_000)]
    return min(b - a for a, b in zip(asked[::100], asked[100::100])) / 100


def stability(minutes: Sequence[tuple[float, float, float]]) -> dict[str, float]:
    """Cost and memory at the end against minute 5; cost as the median of five one-minute stretches."""
    cost = [(b[0], (b[1] - a[1]) / (b[0] - a[0])) for a, b in itertools.pairwise(minutes)]
    early = statistics.median(c for at, c in cost if SETTLED - 150 <= at <= SETTLED + 150)
    late = statistics.median(c for _, c in cost[-5:])
    memory_early = next(m for at, _, m in minutes if at >= SETTLED)
    memory_late = minutes[-1][2]
    return {
        "rtf_minute_5": early,
        "rtf_end": late,
        "rtf_change_percent": 100 * (late / early - 1),
        "memory_minute_5_mb": memory_early,
        "memory_end_mb": memory_late,
        "memory_change_percent": 100 * (memory_late / memory_early - 1) if memory_early else 0.0,
    }


def main(arguments: Sequence[str]) -> int:
    """The bench from the command line."""
    options = parser("load", __doc__)
    options.add_argument("--preset", default="everything", help="whose plugins (default: %(default)s)")
    options.add_argument("--plugins", default="", metavar="NAME,…", help="only these of them (default: all)")
    options.add_argument("--block", type=int, default=BLOCK, help="frames at once (default: %(default)d)")
    options.add_argument("--sound", default="demo", metavar="FILE", help="sound to loop (default: the demo)")
    options.add_argument("--seconds", type=float, default=120.0, help="of stream (default: %(default)g)")
    options.add_argument(
        "--hours", type=float, default=0.0, help="of stream, to see whether it stays flat, e.g. 2"
    )
    args = options.parse_args(arguments)
    preset = chosen(presets.load(args.preset), args.plugins)
    figures = measure(preset, args.sound, args.hours * 3600 or args.seconds, max(1, args.block))
    figures["file"] = measure_file(preset, args.sound)
    publish("load", args, figures)
    return 0
