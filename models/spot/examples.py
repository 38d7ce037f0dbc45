"""The user's recordings: read, trimmed, named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.spot.features import SPEC, Shape
from realtime.audio.file import open_sound_file
from realtime.audio.resample import StreamResampler
from realtime.errors import NotFetched, UserError

F32 = npt.NDArray[np.float32]

MOST = 64
LONGEST, SHORTEST = 5.0, 0.1
_ENDINGS = (".wav", ".flac", ".ogg", ".aif", ".aiff", ".mp3")
_NUMBER = re.compile(r"[-_ .]*\d+\Z")
_BELOW = 10 ** (-35 / 20)
"""Of the loudest 20 ms: what is softer at either end is cut off."""


class Example(NamedTuple):
    """One recording.

    Attributes
    ----------
    label : str
        Name of the file without its number: ``clap-2.wav`` is another ``clap``.
    shapes : ndarray of float32, shape (frames, 29)
    """

    label: str
    shapes: F32


def examples(folder: str) -> list[Example]:
    """All recordings of a folder.

    Raises
    ------
    UserError
        There is no such folder, none or too many recordings in it, or one that is silent, too long or unreadable.
    """
    if not folder:
        raise NotFetched('spot: record examples as WAV files and name their folder: [plugins.spot] folder = "…"')
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise UserError(f"spot: {place}: no such folder; it is to hold recordings, e.g. clap-1.wav, clap-2.wav")
    files = sorted(p for p in place.iterdir() if p.suffix.lower() in _ENDINGS and not p.name.startswith("."))
    if not files:
        raise UserError(f"spot: {place}: no recordings in it ({' '.join(_ENDINGS)})")
    if len(files) > MOST:
        raise UserError(f"spot: {place}: {len(files)} recordings; at most {MOST} are taken")
    return [Example(_NUMBER.sub("", p.stem) or p.stem, _shapes(p)) for p in files]


def _shapes(path: Path) -> F32:
    sound = trimmed(_read(path))
    seconds = len(sound) / SPEC.sample_rate
    if not SHORTEST <= seconds <= LONGEST:
        what = "nothing sounds in it" if seconds == 0 else f"{seconds:.2f} s of sound"
        raise UserError(f"spot: {path}: {what}; an example has {SHORTEST:g} to {LONGEST:g} s")
    shapes, sounding = Shape().whole(np.concatenate([sound, np.zeros(SPEC.hop, np.float32)]))
    if not sounding.any():
        raise UserError(f"spot: {path}: too soft; record it louder")
    return shapes[: int(np.flatnonzero(sounding)[-1]) + 1]


def _read(path: Path) -> F32:
    """Mono at 24 kHz."""
    with open_sound_file(path) as file:
        most = int((LONGEST * 4) * file.samplerate)
        sound = np.nan_to_num(file.read(most, dtype="float32", always_2d=True)).mean(axis=1)
        rate = file.samplerate
    if rate == SPEC.sample_rate:
        return np.ascontiguousarray(sound, np.float32)
    resampler = StreamResampler(rate, SPEC.sample_rate)
    padded = np.concatenate([sound, np.zeros(rate // 10, np.float32)])
    return np.ascontiguousarray(resampler.process(padded), np.float32).reshape(-1)


def trimmed(sound: F32) -> F32:
    """Without what is soft at the beginning and at the end; empty where nothing sounds."""
    count = len(sound) // SPEC.hop
    if not count:
        return sound[:0]
    levels = np.sqrt((sound[: count * SPEC.hop].reshape(count, SPEC.hop) ** 2).mean(axis=1))
    if levels.max() < 1e-4:
        return sound[:0]
    loud = np.flatnonzero(levels > _BELOW * levels.max())
    return sound[loud[0] * SPEC.hop : (loud[-1] + 1) * SPEC.hop]
