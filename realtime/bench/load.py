"""Cost of the fast lane: per plugin and call, in all (real-time factor), and whether it stays the same for hours.

Sound runs through the engine as fast as it goes, on one thread. 'rtf' is the share of one core that it takes in
real time. With --hours, the stream goes on that long, and cost and memory of its last minute are held against
those of minute 5.
"""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import time
from collections.abc import Sequence
from typing import Any

from realtime import preset as presets
from realtime.audio.source import Block
from realtime.bench.report import parser, progress, publish
from realtime.bench.sounds import LoopSource, read_sound
from realtime.engine import Engine

SETTLED = 300.0
"""Stream seconds after which caches, pools and histories are full: what later figures are held against."""


class MeteredSource(LoopSource):
    """Notes thread time and memory at each minute of stream."""

    minutes: list[tuple[float, float, float]]

    def open(self) -> None:
        """Begin."""
        super().open()
        self.minutes = []
        self._next = 0.0

    def read(self, most: int) -> Block | None:
        """The next frames."""
        seconds = self._at / self.sample_rate
        if seconds >= self._next:
            self._next += 60.0
            self.minutes.append((seconds, time.thread_time(), resident_mb()))
            progress(f"{seconds / 60:.0f} min")
        return super().read(most)


def resident_mb() -> float:
    """Memory of this process that is in RAM, MB; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


def measure(preset: str, sound: str, seconds: float) -> dict[str, Any]:
    """Figures of `seconds` of `sound` (looped) through the plugins of a preset.

    The total is thread time; a plugin's own share is its median call, so that other programs on the machine do not
    count. What is left is the host's: resampling, front end, transport, bus.
    """
    samples, rate = read_sound(sound)
    source = MeteredSource(samples, rate, seconds)
    engine = Engine(presets.load(preset), source, outputs=False)
    gc.collect()
    gc.freeze()
    begun = time.thread_time()
    engine.run_offline()
    spent = time.thread_time() - begun
    progress("")
    plugins: list[dict[str, Any]] = []
    for slot in engine.slots:
        s = slot.status()
        plugins.append(
            {
                "plugin": slot.identifier,
                "hop_ms": s["hop_ms"],
                "p50_us": 1e3 * s["cost_p50_ms"],
                "p99_us": 1e3 * s["cost_p99_ms"],
                "rtf": s["cost_p50_ms"] / s["hop_ms"],
                "errors": s["errors"],
            }
        )
    plugins.append({"plugin": "(host)", "rtf": spent / seconds - sum(p["rtf"] for p in plugins)})
    figures: dict[str, Any] = {
        "stream_seconds": seconds,
        "preset": preset,
        "rtf": spent / seconds,
        "times_real_time": seconds / spent,
        "plugins": plugins,
    }
    if seconds > SETTLED + 120.0:
        figures["stability"] = stability(source.minutes)
    return figures


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
    options.add_argument("--sound", default="demo", metavar="FILE", help="sound to loop (default: the demo)")
    options.add_argument("--seconds", type=float, default=120.0, help="of stream (default: %(default)g)")
    options.add_argument(
        "--hours", type=float, default=0.0, help="of stream, to see whether it stays flat, e.g. 2"
    )
    args = options.parse_args(arguments)
    publish("load", args, measure(args.preset, args.sound, args.hours * 3600 or args.seconds))
    return 0
