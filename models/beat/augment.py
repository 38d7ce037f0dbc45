"""Cuts training sequences out of cached features and varies them the way rooms, desks and DJs do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from models.beat.features import CENTRES, FPS, LABEL_DELAY, SIZE
from models.beat.targets import IGNORE, Targets, build
from models.training.dataset import Piece, cached_pieces, is_validation

F32 = npt.NDArray[np.float32]
PLAY_ON_ONE = 0.3
"""Share of sequences that begin on a downbeat, mostly after silence: most music that is started does."""
STRETCH = (-0.08, 0.08)
"""Range of the logarithm of the speed of some sequences: not more, lest a style leaves its usual tempi."""
BLANK = (0, 0, 0, 0, IGNORE, IGNORE, 1)
"""Each of the targets in silence."""


class Sampler:
    """Batches of sequences, a function of ``(seed, step)`` and the pieces at hand.

    Parameters
    ----------
    folders : list of (data, cache, weight)
        A piece is drawn `weight` times as often as one of weight 1.
    frames, batch : int
        Size of what :meth:`batch` returns.
    held_out : bool
        Take the validation pieces instead of all others.
    """

    def __init__(
        self,
        folders: list[tuple[Path, Path, int]],
        frames: int,
        batch: int,
        seed: int,
        held_out: bool = False,
    ) -> None:
        self.folders, self.frames, self.size, self.seed, self.held_out = folders, frames, batch, seed, held_out
        self.items: list[tuple[Piece, Path]] = []
        self._known: set[Path] = set()
        self.refresh()

    def refresh(self) -> None:
        """Take in pieces that have become ready since."""
        for data, cache, weight in self.folders:
            if next(cache.glob("*.npy"), None):
                for piece, path in cached_pieces(data, cache, self._known):
                    self._known.add(path)
                    if is_validation(piece.name) == self.held_out and len(piece.valid):
                        self.items += [(piece, path)] * weight

    @property
    def hours(self) -> float:
        """How much sound the pieces hold."""
        return sum({p.name: float(p.truth["duration"]) for p, _ in self.items}.values()) / 3600

    def batch(self, step: int, augment: bool = True) -> tuple[torch.Tensor, Targets]:
        """Features ``(frames, batch, 144)`` and targets ``(frames, batch)`` of one step."""
        rng = np.random.default_rng((self.seed, step))
        x = np.empty((self.frames, self.size, SIZE), np.float32)
        rows = []
        for k in range(self.size):
            x[:, k], targets = self._sequence(rng, augment)
            rows.append(targets)
        stacked = Targets(*(np.stack(columns, 1) for columns in zip(*rows)))
        return torch.from_numpy(x), stacked

    def _sequence(self, rng: np.random.Generator, augment: bool) -> tuple[F32, Targets]:
        """One sequence; now and then two pieces, hard cut."""
        cut = int(rng.integers(self.frames // 4, 3 * self.frames // 4)) if augment and rng.random() < 0.2 else 0
        parts = [self._crop(rng, n, augment) for n in ([cut, self.frames - cut] if cut else [self.frames])]
        x = np.concatenate([p[0] for p in parts])
        targets = Targets(*(np.concatenate(c) for c in zip(*(p[1] for p in parts))))
        return (vary(x, rng) if augment else x), targets

    def _crop(self, rng: np.random.Generator, frames: int, augment: bool) -> tuple[F32, Targets]:
        piece, path = self.items[int(rng.integers(len(self.items)))]
        stretch = float(np.exp(rng.uniform(*STRETCH))) if augment and rng.random() < 0.3 else 1.0
        features = np.load(path, mmap_mode="r")
        need = int(frames * stretch) + 2
        start = int(rng.integers(max(1, len(features) - need + 1)))
        silence = 0
        if rng.random() < 0.1:
            start = 0  # how pieces begin is worth hearing too
        elif augment and rng.random() < PLAY_ON_ONE:
            start, silence = self._play_on_one(rng, piece, len(features) - need, start)
        source = np.asarray(features[start : start + need], np.float32)
        where = np.arange(frames) * stretch
        x = np.zeros((frames, SIZE), np.float32)
        fits = where <= len(source) - 1
        if stretch == 1.0:
            x[fits] = source[: int(fits.sum())]
        else:
            low = np.minimum(where[fits].astype(int), len(source) - 2)
            part = (where[fits] - low).astype(np.float32)[:, None]
            x[fits] = source[low] * (1 - part) + source[low + 1] * part
        # the frame's end in the piece's own time; the label delay is of the network's time, hence stretched
        times = np.asarray((start + 1 + where) / FPS - LABEL_DELAY * stretch, np.float64)
        t = build(times, piece.beats, piece.valid)
        t = t._replace(tempo=(t.tempo * stretch).astype(np.float32), weight=t.weight * fits)
        silence = min(silence, frames // 2)
        return _after_silence(x, t, silence) if silence else (x, t)

    @staticmethod
    def _play_on_one(rng: np.random.Generator, piece: Piece, latest: int, start: int) -> tuple[int, int]:
        """First frame at a downbeat, and frames of silence before: somebody pressed play, or cut on the one."""
        ones = np.ceil(piece.beats[piece.beats[:, 1] == 1, 0] * FPS).astype(int)
        ones = ones[(ones >= 0) & (ones < latest)]
        if not len(ones):
            return start, 0
        return int(ones[rng.integers(len(ones))]), int(rng.integers(0, 75))


def _after_silence(x: F32, t: Targets, silence: int) -> tuple[F32, Targets]:
    """The same sequence, later by `silence` frames in which nothing sounds and there is no beat."""
    x = np.concatenate([np.zeros((silence, x.shape[1]), np.float32), x[:-silence]])
    old: list[npt.NDArray[Any]] = list(t)
    columns = [np.concatenate([np.full(silence, blank, c.dtype), c[:-silence]]) for c, blank in zip(old, BLANK)]
    return x, Targets(*columns)


def vary(x: F32, rng: np.random.Generator) -> F32:
    """Level, equaliser, noise floor, dropped bands and moments; `x` is ``(frames, 144)``, log10(1 + 1000 m)."""
    power = np.expm1(x * np.float32(np.log(10.0)))
    gain_db = rng.uniform(-18, 8) + (_curve(rng) if rng.random() < 0.6 else np.zeros(SIZE))
    power *= (10 ** (gain_db / 20)).astype(np.float32)
    if rng.random() < 0.3:
        floor = 1000 * 10 ** (rng.uniform(-75, -40) / 20)
        power += np.float32(floor) * rng.rayleigh(0.8, power.shape[1]).astype(np.float32)
        power *= 1 + 0.1 * rng.standard_normal((len(power), 1), np.float32).clip(-2, 2)
    y = np.log1p(power, out=power)
    y *= np.float32(1 / np.log(10.0))
    if rng.random() < 0.3:
        _mask_bands(y, rng)
    if rng.random() < 0.15:
        begin, length = int(rng.integers(len(y))), int(rng.integers(3, 40))
        y[begin : begin + length] *= np.float32(rng.uniform(0, 0.3))
    return y


def _curve(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A smooth random equaliser, dB per band, drawn over frequency and so equal in both windows."""
    knots = rng.normal(0, 5, 7)
    if rng.random() < 0.3:
        knots[: int(rng.integers(1, 3))] -= rng.uniform(5, 30)  # small loudspeaker
    if rng.random() < 0.3:
        knots[-int(rng.integers(1, 4)) :] -= rng.uniform(5, 30)  # the room next door
    return np.interp(np.log(CENTRES), np.linspace(np.log(40), np.log(10_000), len(knots)), knots)


def _mask_bands(y: F32, rng: np.random.Generator) -> None:
    low = float(np.exp(rng.uniform(np.log(40), np.log(8000))))
    high = low * float(rng.uniform(1.1, 2.5))
    y[:, (low < CENTRES) & (high > CENTRES)] = 0
