"""What plays in each section of a rendered piece, and how loud: what the truth of `truth.py` is made of.

Names of sections say what the composer meant. What can be heard is which parts play, how loud it is against the
rest of the piece, and whether something rises.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import signal

from models.training.fx import biquad
from models.training.labels import Row
from models.training.score import DRUM_CLASS, Piece

LEAST_RISE = 3.0
"""Seconds below which a riser is an ornament of the boundary, not a build-up."""
_RISING = ("riser", "filter_up")
_ROLLS = ("snare", "clap", "kick", "tom_mid")
F64 = npt.NDArray[np.float64]


def rows(piece: Piece, dry: npt.NDArray[np.float32], start: float, seconds: float, rate: int) -> list[Row]:
    """One row a stretch in which the same parts play.

    Returns
    -------
    list of ``[time, name, kick, snare, hats, bass, pitched, force, rises]``
        Seconds from `start`; name of the section; hits of the drums per four beats; share of the time in which
        a bass note sounds; how many other pitched parts sound for 30 % of it or more; loudness in dB (K-weighted,
        of the dry mix); 1 where a roll, a riser or an opening filter leads to the next section.
    """
    edges = sorted({float(at) for at, _ in piece.sections} | {float(piece.beats)})
    names = dict(piece.sections)
    level = _levels(dry, rate)
    out: list[Row] = []
    for a, z in pairwise(edges):
        name = names[a]
        rise = _rise(piece, a, z, name)
        if rise is None:
            parts = [(a, z, 0.0)]
        elif rise - a < 2:
            parts = [(a, z, 1.0)]
        else:
            parts = [(a, rise, 0.0), (rise, z, 1.0)]
        for begin, end, rises in parts:
            t, until = (float(piece.time(b)) - start for b in (begin, end))
            if t < seconds and until - t > 0.05:
                loud = 10 * np.log10(
                    level[int(max(t, 0) * 10) : max(int(until * 10), int(t * 10) + 1)].mean() + 1e-12
                )
                out.append([max(t, 0.0), name, *_parts(piece, begin, end), float(loud), rises])
    return out


def _levels(dry: npt.NDArray[np.float32], rate: int) -> F64:
    """Mean power of each tenth of a second, K-weighted (ITU-R BS.1770)."""
    sos = np.stack([biquad("high_shelf", 1500, 0.707, 4.0, rate), biquad("high_pass", 38, 0.5, 0, rate)])
    step = rate // 10
    heard = signal.sosfilt(sos, dry)[: len(dry) // step * step]
    return np.asarray((heard.reshape(-1, step) ** 2).mean(axis=1), float)


def _parts(piece: Piece, a: float, z: float) -> list[object]:
    """Drums per four beats, share of bass, number of other parts between two beats."""
    counts = {"kick": 0, "snare": 0, "hihat": 0}
    for h in piece.hits:
        if a <= h.beat < z and DRUM_CLASS[h.voice] in counts:
            counts[DRUM_CLASS[h.voice]] += 1
    bass, pitched = 0.0, 0
    for role in dict.fromkeys(t.role for t in piece.tracks):
        notes = [n for t in piece.tracks if t.role == role for n in t.notes if a <= n.beat < z]
        grid = np.zeros(max(1, int((z - a) * 4)), bool)
        for n in notes:
            grid[int((n.beat - a) * 4) : max(int((n.beat - a) * 4) + 1, int((n.beat + n.length - a) * 4))] = True
        share = float(grid.mean())
        if role == "bass":
            bass = share
        elif share >= 0.3:
            pitched += 1
    return [*(4 * counts[c] / (z - a) for c in counts), bass, float(pitched)]


def _rise(piece: Piece, a: float, z: float, name: str) -> float | None:
    """Beat from which a section rises to its end, by effects or by a roll that gets denser or louder, or None."""
    long = [
        max(e.beat, a)
        for e in piece.effects
        if e.kind in _RISING
        and e.beat < z - 1
        and abs(e.end - z) < 1
        and _seconds(piece, e.beat, e.end) >= LEAST_RISE
    ]
    if name == "build":
        for voice in _ROLLS:
            hits = [h for h in piece.hits if a <= h.beat < z and h.voice == voice]
            first = sum(h.velocity for h in hits if h.beat < (a + z) / 2)
            last = sum(h.velocity for h in hits if h.beat >= (a + z) / 2)
            dense = sum(h.beat >= z - (z - a) / 4 for h in hits) >= (z - a) / 4
            if dense and last > 1.4 * first and _seconds(piece, a, z) >= LEAST_RISE:
                long.append(a)
    return min(long) if long else None


def _seconds(piece: Piece, a: float, z: float) -> float:
    return float(piece.time(z) - piece.time(a))
