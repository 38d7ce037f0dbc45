"""Recordings, their truth, and what a plugin says about them, as live as in the host."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from models.dsp.offline import drive, prepared
from realtime.audio.resample import StreamResampler
from realtime.errors import UserError
from realtime.hosting.plugin import ENGINE_RATE, Feature, PluginFactory

F64 = npt.NDArray[np.float64]
SOUND = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


def add_gain(arguments: ArgumentParser) -> None:
    """The option by which a bench hears its recordings through an input of another level."""
    arguments.add_argument(
        "--gain", type=float, default=0.0, metavar="DB", help="of the input; -40: a microphone far from the music"
    )


def amplitude(gain_db: float) -> np.float32:
    """Factor of a gain in dB."""
    return np.float32(10 ** (gain_db / 20))


def listen(
    kind: PluginFactory, path: Path, gain_db: float = 0.0, **parameters: float
) -> list[tuple[float, Feature]]:
    """Run a new plugin over a file through the host's resamplers.

    Returns
    -------
    list of (emitted, Feature)
        `emitted`: seconds of the file that a live run would have had to hear.
    """
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    sound, delay = samples.mean(axis=1) * amplitude(gain_db), 0.0
    for source, target in ((rate, ENGINE_RATE), (ENGINE_RATE, kind.descriptor.input.sample_rate)):
        if source != target:
            resampler = StreamResampler(source, target)
            sound, delay = resampler.process(sound), delay + resampler.delay
    return [(time + delay, feature) for time, feature in drive(prepared(kind, **parameters), sound, -delay)]


def pairs(folder: Path, suffix: str) -> list[tuple[str, Path, Path]]:
    """Name, sound and truth of every recording of a set (``audio/NAME.*``, ``truth/NAME`` + `suffix`).

    Raises
    ------
    UserError
        If there is none.
    """
    truths = {p.name.removesuffix(suffix): p for p in sorted((folder / "truth").glob("*" + suffix))}
    audio = folder / "audio"
    sounds = {p.stem: p for p in audio.iterdir() if p.suffix.lower() in SOUND} if audio.is_dir() else {}
    found = [(name, sounds[name], truth) for name, truth in truths.items() if name in sounds]
    if not found:
        raise UserError(f"{folder}: no recordings; it must hold audio/NAME.flac and truth/NAME{suffix}")
    return found


def rivals(folder: Path) -> list[Path]:
    """Folders of stored estimates of others, ``rivals/TRACKER/NAME.txt``."""
    root = folder / "rivals"
    return sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []


def columns(path: Path, least: int) -> F64:
    """A table of numbers, shape (rows, columns).

    Raises
    ------
    UserError
        If the file is not one, or too narrow.
    """
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        cells = line.split()
        if not cells or cells[0].startswith("#"):
            continue
        try:
            row = [float(c) for c in cells]
        except ValueError as error:
            raise UserError(f"{path}:{number}: expected numbers, found {line!r}") from error
        if len(row) < least:
            raise UserError(f"{path}:{number}: expected {least} columns, found {len(row)}")
        rows.append(row)
    return np.array(rows, np.float64).reshape(len(rows), -1)
