"""Sound for benches: endless from a file, and test signals with known instants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from realtime.audio.demo import DemoSource
from realtime.audio.file import FileSource
from realtime.audio.source import Block, Source

F32 = npt.NDArray[np.float32]


def read_sound(path: str) -> tuple[F32, int]:
    """A whole file (or ``demo``) as samples of shape (n, channels), and its rate in Hz."""
    source = DemoSource(paced=False) if path == "demo" else FileSource(path, paced=False)
    source.open()
    blocks = []
    try:
        while (block := source.read(source.sample_rate)) is not None:
            blocks.append(block.samples.copy())
    finally:
        source.close()
    return np.concatenate(blocks), source.sample_rate


class LoopSource(Source):
    """Samples again and again, as fast as they are read, until `seconds` are over.

    Parameters
    ----------
    samples : ndarray of float32, shape (n, channels)
    rate : int
        Hz.
    seconds : float
        Length of the stream.
    """

    def __init__(self, samples: F32, rate: int, seconds: float) -> None:
        super().__init__()
        self.name = "loop"
        self.live = False
        self.sample_rate = rate
        self.channels = samples.shape[1]
        self._samples = samples
        self._frames = round(seconds * rate)
        self._at = 0

    def open(self) -> None:
        """Begin at the beginning."""
        self._at = 0

    def read(self, most: int) -> Block | None:
        """The next frames; never across the seam."""
        if self._at >= self._frames:
            return None
        place = self._at % len(self._samples)
        n = min(most, self._frames - self._at, len(self._samples) - place)
        first, self._at = self._at, self._at + n
        return Block(self._samples[place : place + n], first, 0, self._at / self.sample_rate)

    def close(self) -> None:
        """Nothing to release."""


def plucked(count: int, rate: int = 48_000, seed: int = 1) -> tuple[F32, list[float], list[float]]:
    """Plucked tones, one after the other: each a sharp attack, a new pitch and a jump in level.

    Parameters
    ----------
    count : int
        Number of tones, about half a second each.

    Returns
    -------
    samples : ndarray of float32, shape (n, 1)
        One second of quiet first.
    starts : list of float
        Seconds of each attack, at no round number of any hop.
    pitches : list of float
        Fundamental of each, Hz.
    """
    random = np.random.default_rng(seed)
    lengths = rate * (0.5 + 0.05 * random.random(count))
    firsts = np.concatenate([[rate], rate + np.cumsum(lengths)]).astype(int)
    samples = 1e-4 * random.standard_normal(firsts[-1])
    pitches = 110.0 * 2 ** (random.permutation(np.arange(count) % 24) / 12.0)
    for first, last, pitch in zip(firsts[:-1], firsts[1:], pitches):
        t = np.arange(last - first) / rate
        fade = np.exp(-t / 0.15)
        for harmonic in range(1, 7):
            samples[first:last] += 0.25 * fade / harmonic * np.sin(2 * np.pi * harmonic * pitch * t)
        click = min(len(t), rate // 200)
        samples[first : first + click] += 0.2 * random.standard_normal(click) * np.exp(-t[:click] / 0.002)
    return samples.astype(np.float32)[:, None], [float(f / rate) for f in firsts[:-1]], pitches.tolist()


def write_loop(path: Path, sound: str, seconds: float) -> str:
    """A file (or ``demo``) again and again as a WAV file of at least `seconds`; returns its path as text."""
    samples, rate = read_sound(sound)
    with soundfile.SoundFile(path, "w", rate, samples.shape[1], subtype="PCM_16") as f:
        left = round(seconds * rate)
        while left > 0:
            f.write(samples[:left])
            left -= len(samples)
    return str(path)
