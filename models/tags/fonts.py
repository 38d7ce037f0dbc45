"""Recorded instruments to render stems with: sound fonts, patches and single recordings of Debian's packages.

Packages that are not installed but unpacked (``dpkg -x``) are found too. One font is held out: no training stem is
rendered with it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
Notes = list[tuple[float, float, float, float]]

FONTS: dict[str, tuple[float, str]] = {
    "FluidR3_GM.sf2": (1.0, "MIT"),
    "MuseScore_General_Lite.sf3": (1.0, "MIT"),
    "GeneralUser-v1.47.sf2": (1.3, "GPL-2 or later (minuet-data)"),
    "TimGM6mb.sf2": (0.8, "GPL-2"),
    "sf_GMbank.sf2": (0.8, "public domain (csound-soundfont)"),
    "OPL-3_FM_128M.sf2": (0.2, "CC BY-SA 4.0"),
    "freepats": (0.9, "GPL-2 or later with an exception for music (freepats)"),
    "A320U.sf2": (0.0, "GPL-2 (denemo-data)"),
}
"""How often each is drawn, and its licence."""
HELD_OUT = "A320U.sf2"

PROGRAMS: dict[str, dict[int, tuple[int, int]]] = {
    "bass": {32: (24, 55), 33: (24, 55), 34: (24, 55), 35: (24, 55), 36: (26, 52), 37: (26, 52)},
    "guitar": {24: (40, 84), 25: (40, 84), 26: (40, 84), 27: (40, 86), 28: (40, 80), 29: (38, 84), 30: (36, 84)},
    "keys": {
        0: (24, 100), 1: (24, 100), 2: (24, 96), 3: (28, 96), 4: (28, 94), 5: (28, 94), 6: (30, 90), 7: (30, 84),
        16: (30, 92), 17: (30, 92), 18: (30, 92), 19: (28, 96), 20: (36, 90), 21: (40, 90),
    },
    "strings": {
        40: (55, 100), 41: (48, 88), 42: (36, 78), 43: (26, 60), 44: (36, 90), 45: (34, 88), 48: (34, 94),
        49: (34, 94),
    },
    "brass": {56: (52, 86), 57: (36, 74), 58: (26, 64), 59: (52, 84), 60: (34, 78), 61: (36, 82)},
    "winds": {
        64: (54, 88), 65: (47, 82), 66: (42, 76), 67: (34, 70), 68: (57, 92), 69: (50, 84), 70: (22, 74),
        71: (36, 94), 72: (72, 104), 73: (58, 98), 74: (60, 92), 75: (60, 90),
    },
    "synth": dict.fromkeys((80, 81, 82, 83, 84, 86, 87, 88, 89, 90, 91, 93, 94, 95, 62, 63, 50, 51), (30, 90)),
    "singing": {52: (42, 80), 53: (42, 80), 54: (42, 80)},
}  # fmt: skip
"""General MIDI programs of the families, and the MIDI keys that suit them."""
WEIGHTS = {40: 2, 41: 2, 42: 3, 43: 3, 60: 3, 57: 2, 56: 2, 71: 3, 70: 3, 73: 2, 68: 2, 69: 2, 0: 3, 48: 2}
"""What is drawn more often than once."""


def locate(packages: list[Path]) -> dict[str, Path]:
    """Fonts found, by name: installed ones, and those in folders of unpacked packages."""
    roots = [Path("/usr/share/sounds"), Path("/usr/share/midi"), *packages]
    found: dict[str, Path] = {}
    for root in (r for r in roots if r.is_dir()):
        for path in sorted(root.rglob("*.sf[23]")):
            if path.name in FONTS:
                found.setdefault(path.name, path)
        for path in sorted(root.rglob("Tone_000")):
            found.setdefault("freepats", path)
    return found


@dataclass(frozen=True)
class Sample:
    """One recording of a patch: samples, rate, frequencies (Hz) it is for and was played at, loop or none."""

    wave: F32
    rate: int
    low: float
    high: float
    root: float
    loop: tuple[int, int] | None


@lru_cache(maxsize=256)
def patch(path: Path) -> list[Sample]:
    """The samples of a Gravis patch (``.pat``)."""
    data = path.read_bytes()
    count, at, out = data[198], 129 + 63 + 47, []
    for _ in range(count):
        size, begin, end, rate, low, high, root = struct.unpack_from("<IIIHIII", data, at + 8)
        mode = data[at + 55]
        raw, at = data[at + 96 : at + 96 + size], at + 96 + size
        if mode & 1:
            kind, full, begin, end = "<u2" if mode & 2 else "<i2", 32768, begin // 2, end // 2
        else:
            kind, full = "u1" if mode & 2 else "i1", 128
        wave = np.frombuffer(raw, kind).astype(np.float32)
        wave = ((wave - (full if mode & 2 else 0)) / full).astype(np.float32)
        loop = (begin, end) if mode & 4 and end - begin > 16 else None
        out.append(Sample(wave, rate, low / 1000, high / 1000, root / 1000, loop))
    return out


def play(folder: Path, program: int, notes: Notes, count: int, rate: int) -> F32 | None:
    """Notes (start s, length s, MIDI key, velocity) by a patch of freepats; None if there is no such program."""
    files = sorted(folder.glob(f"{program:03d}_*.pat"))
    out = np.zeros(count, np.float32)
    if not files:
        return None
    samples = patch(files[0])
    for start, length, key, velocity in notes:
        frequency = 440 * 2 ** ((key - 69) / 12)
        best = min(samples, key=lambda s: abs(np.log2(frequency / max(s.root, 1.0))))
        at, sustain = int(start * rate), int(length * rate)
        size = min(sustain + int(0.15 * rate), count - at)
        if size <= 0:
            continue
        place = np.arange(size) * (best.rate / rate * frequency / max(best.root, 1.0))
        if best.loop is not None:
            a, z = best.loop
            place = np.where(place < z, place, a + (place - a) % (z - a))
        wave = np.interp(place, np.arange(len(best.wave)), best.wave, right=0.0)
        envelope = np.minimum(1.0, np.exp(-(np.arange(size) - sustain) / (0.04 * rate)))
        out[at : at + size] += (wave * envelope * velocity**1.5).astype(np.float32)
    return out
