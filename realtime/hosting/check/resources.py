"""The checks of what a plugin takes: time and memory."""

from __future__ import annotations

import gc
import math
import tracemalloc

import numpy as np

from realtime.hosting.check.contract import Hearing
from realtime.hosting.check.driving import Subject, blocks, call, drive
from realtime.hosting.check.sounds import music
from realtime.hosting.check.verdict import Verdict

FAST_MOST, FAST_MUCH = 0.60, 0.15
"""Share of a core beyond which a plugin of the fast lane is not admitted at all, and worth a warning."""

SLOW_MOST, SLOW_MUCH = 1.0, 0.5
"""The same for the slow lane, where it drops windows."""

GROWTH = 24.0
"""Bytes per call that may stay behind for good."""

NOISE = 2048
"""Bytes by which memory may differ from one stretch to the next."""

_CALLS = 200
"""Calls in one stretch, if they are cheap."""

_TURNS = 10
"""Times that the sound is heard at most while memory grows: a history of a minute may fill."""

_WARM = 3


def estimate(subject: Subject) -> float:
    """Seconds of one call, roughly: the median of a few."""
    spec = subject.descriptor.input
    channels = getattr(spec, "channels", 1)
    took: list[float] = []
    drive(
        subject.fresh(), music(spec.sample_rate, 4 * spec.hop, channels), taken=lambda wall, _: took.append(wall)
    )
    return float(np.median(took))


def cost(h: Hearing) -> Verdict:
    """Time of a call against the hop."""
    hop = h.hop / h.rate
    spent = h.busy[_WARM:] or h.busy
    load = float(np.mean(spent)) / hop
    p50, p99 = (1e3 * float(v) for v in np.percentile(h.wall[_WARM:] or h.wall, (50, 99)))
    told = f"{100 * load:.1f} % of a core; a call takes {p50:.2f} ms (p99 {p99:.2f}) of its {1e3 * hop:.0f} ms"
    slow = h.subject.descriptor.lane == "slow"
    most, much = (SLOW_MOST, SLOW_MUCH) if slow else (FAST_MOST, FAST_MUCH)
    if load > most:
        remedy = "it would drop windows; make the hop longer" if slow else "use the slow lane, or a longer hop"
        return Verdict("cost", "fail", f"{told}: {remedy}")
    return Verdict("cost", "warn" if load > much else "pass", told)


def growth(h: Hearing) -> Verdict:
    """Memory that is not given back: the sound again and again, until once nothing is added."""
    plugin = h.subject.fresh()
    once = list(blocks(h.subject.descriptor, h.sound))
    repeats = max(1, min(math.ceil(_CALLS / len(once)), int(1.0 / max(sum(h.wall), 1e-3))))
    step = h.sound.shape[-1] / h.rate
    given = [(block, at + k * step) for k in range(repeats) for block, at in once]
    seconds = repeats * step
    limit = max(GROWTH, NOISE / len(given))
    for block, at in given:
        call_all(plugin, block, at)
    tracemalloc.start()
    added: list[float] = []
    level = 0
    try:
        for turn in range(1, _TURNS + 2):
            for block, at in given:
                call_all(plugin, block, at + turn * seconds)
            gc.collect()
            before, level = level, tracemalloc.get_traced_memory()[0]
            if turn > 1:
                added.append((level - before) / len(given))
                if added[-1] <= limit:
                    return Verdict("memory", "pass", f"nothing grows after {turn * seconds:.0f} s of sound")
    finally:
        tracemalloc.stop()
    return Verdict(
        "memory",
        "fail",
        f"keeps {min(added):.0f} bytes more with every call, still after {(_TURNS + 1) * seconds:.0f} s of sound; "
        "keep a fixed history",
    )


def call_all(plugin: object, block: object, at: float) -> None:
    """One call whose results are thrown away (generators are run to their end)."""
    for _ in call(plugin, block, at):  # type: ignore[arg-type]
        pass
