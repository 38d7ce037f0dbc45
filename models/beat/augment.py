"""Cuts training sequences out of cached features and varies them the way rooms, desks and DJs do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from models.beat import answers
from models.beat.features import CENTRES, FPS, LABEL_DELAY, SIZE, VIEWS
from models.beat.network import HEADS, Heads
from models.beat.targets import IGNORE, TEMPO_BINS, TEMPO_HIGH, TEMPO_LOW, Targets, build
from models.training.dataset import Piece, cached_pieces, is_validation
from realtime.hosting.spectral import levels_of

F32 = npt.NDArray[np.float32]
PLAY_ON_ONE = 0.3
"""Share of sequences that begin on a downbeat, mostly after silence: most music that is started does."""
STRETCH = (-0.08, 0.08)
"""Range of the logarithm of the speed of some sequences: not more, lest a style leaves its usual tempi."""
VIEWED = 0.15
"""Share of sequences without bass, where answers are learnt: the network will be asked about these as well."""
BLANK = (0, 0, 0, 0, IGNORE, IGNORE, 1)
"""Each of the targets in silence."""


class Excerpt(NamedTuple):
    """What is to be heard, and what to be said of it.

    Attributes
    ----------
    x : ndarray of float32, shape (frames, 144)
        Features.
    targets : Targets
        Truth.
    taught : ndarray of float32, shape (frames, 72 or 0)
        What others answered (:mod:`~models.beat.answers`).
    sounds : ndarray of float32, shape (frames,)
        0 where there is no sound of the piece's, and nothing was answered.
    """

    x: F32
    targets: Targets
    taught: F32
    sounds: F32


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
    taught : bool
        Learn from the answers kept beside the features; pieces without any are left out, those without labels are
        not.
    """

    def __init__(
        self,
        folders: list[tuple[Path, Path, int]],
        frames: int,
        batch: int,
        seed: int,
        held_out: bool = False,
        taught: bool = False,
    ) -> None:
        self.folders, self.frames, self.size, self.seed, self.held_out = folders, frames, batch, seed, held_out
        self.taught = taught
        self.items: list[tuple[Piece, Path]] = []
        self._known: set[Path] = set()
        self.refresh()

    def refresh(self) -> None:
        """Take in pieces that have become ready since."""
        for data, cache, weight in self.folders:
            if next(cache.glob("*.npy"), None):
                for piece, path in cached_pieces(data, cache, self._known):
                    self._known.add(path)
                    usable = answers.kept(path).exists() if self.taught else len(piece.valid)
                    if is_validation(piece.name) == self.held_out and usable:
                        self.items += [(piece, path)] * weight

    @property
    def hours(self) -> float:
        """How much sound the pieces hold."""
        return sum({p.name: float(p.truth["duration"]) for p, _ in self.items}.values()) / 3600

    def batch(self, step: int, augment: bool = True) -> tuple[torch.Tensor, Targets]:
        """Features ``(frames, batch, 144)`` and targets ``(frames, batch)`` of one step."""
        x, targets, _, _ = self._batch(step, augment)
        return torch.from_numpy(x), targets

    def lesson(self, step: int) -> tuple[torch.Tensor, Targets, Heads, torch.Tensor]:
        """The same, probabilities that others answered, and where they did, ``(frames, batch)``."""
        x, targets, taught, sounds = self._batch(step, True)
        beat, downbeat, *rest = torch.from_numpy(taught).split(HEADS, -1)
        return torch.from_numpy(x), targets, Heads(beat[..., 0], downbeat[..., 0], *rest), torch.from_numpy(sounds)

    def _batch(self, step: int, augment: bool) -> Excerpt:
        rng = np.random.default_rng((self.seed, step))
        rows = [self._sequence(rng, augment) for _ in range(self.size)]
        x, targets, taught, sounds = zip(*rows)
        stacked = Targets(*(np.stack(columns, 1) for columns in zip(*targets)))
        return Excerpt(np.stack(x, 1), stacked, np.stack(taught, 1), np.stack(sounds, 1))

    def _sequence(self, rng: np.random.Generator, augment: bool) -> Excerpt:
        """One sequence; now and then two pieces, hard cut."""
        cut = int(rng.integers(self.frames // 4, 3 * self.frames // 4)) if augment and rng.random() < 0.2 else 0
        parts = [self._crop(rng, n, augment) for n in ([cut, self.frames - cut] if cut else [self.frames])]
        x, targets, taught, sounds = zip(*parts)
        heard = np.concatenate(x)
        if augment:
            heard = vary(heard, rng)
            if self.taught and rng.random() < VIEWED:
                heard = answers.seen(heard, VIEWS[1])
        joined = Targets(*(np.concatenate(columns) for columns in zip(*targets)))
        return Excerpt(heard, joined, np.concatenate(taught), np.concatenate(sounds))

    def _crop(self, rng: np.random.Generator, frames: int, augment: bool) -> Excerpt:
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
        where = np.arange(frames) * stretch
        x = _at(features[start : start + need], where)
        sounds = (where <= min(need, len(features) - start) - 1).astype(np.float32)
        taught = np.zeros((frames, 0), np.float32)
        if self.taught:
            told = np.load(answers.kept(path), mmap_mode="r")
            taught = _faster(_at(told[start : start + need], where), stretch)
        # the frame's end in the piece's own time; the label delay is of the network's time, hence stretched
        times = np.asarray((start + 1 + where) / FPS - LABEL_DELAY * stretch, np.float64)
        t = build(times, piece.beats, piece.valid)
        t = t._replace(tempo=(t.tempo * stretch).astype(np.float32), weight=t.weight * sounds)
        silence = min(silence, frames // 2)
        if not silence:
            return Excerpt(x, t, taught, sounds)
        return Excerpt(*_after_silence(x, t, silence), *(_later(a, silence) for a in (taught, sounds)))

    @staticmethod
    def _play_on_one(rng: np.random.Generator, piece: Piece, latest: int, start: int) -> tuple[int, int]:
        """First frame at a downbeat, and frames of silence before: somebody pressed play, or cut on the one."""
        ones = np.ceil(piece.beats[piece.beats[:, 1] == 1, 0] * FPS).astype(int)
        ones = ones[(ones >= 0) & (ones < latest)]
        if not len(ones):
            return start, 0
        return int(ones[rng.integers(len(ones))]), int(rng.integers(0, 75))


def _at(rows: npt.NDArray[np.float16], where: npt.NDArray[np.floating]) -> F32:
    """Rows at the places `where`, between two of them the mean by distance, zero beyond the last."""
    source = np.asarray(rows, np.float32)
    out = np.zeros((len(where), source.shape[1]), np.float32)
    fits = where <= len(source) - 1
    low = np.minimum(where[fits].astype(int), max(0, len(source) - 2))
    part = (where[fits] - low).astype(np.float32)[:, None]
    out[fits] = source[low] * (1 - part) + source[np.minimum(low + 1, len(source) - 1)] * part
    return out


def _faster(taught: F32, stretch: float) -> F32:
    """The same answers, of music that goes `stretch` times as fast: other tempi."""
    if stretch != 1.0:
        moved = np.log(stretch) / np.log(TEMPO_HIGH / TEMPO_LOW) * (TEMPO_BINS - 1)
        bins = np.arange(TEMPO_BINS)
        low = int(np.floor(moved))
        part = np.float32(moved - low)
        tempo = taught[:, 2 : 2 + TEMPO_BINS]
        slower, faster = (tempo[:, np.clip(bins - low - k, 0, TEMPO_BINS - 1)] for k in (1, 0))
        tempo[:] = slower * part + faster * (1 - part)
    return taught


def _later(a: F32, silence: int) -> F32:
    return np.concatenate([np.zeros((silence, *a.shape[1:]), np.float32), a[:-silence]])


def _after_silence(x: F32, t: Targets, silence: int) -> tuple[F32, Targets]:
    """The same sequence, later by `silence` frames in which nothing sounds and there is no beat."""
    x = _later(x, silence)
    old: list[npt.NDArray[Any]] = list(t)
    columns = [np.concatenate([np.full(silence, blank, c.dtype), c[:-silence]]) for c, blank in zip(old, BLANK)]
    return x, Targets(*columns)


def vary(x: F32, rng: np.random.Generator) -> F32:
    """Level, equaliser, noise floor, dropped bands and moments; `x` is ``(frames, 144)``, log10(1 + 1000 m)."""
    power = levels_of(x)
    gain_db = rng.uniform(-18, 8) + (_curve(rng) if rng.random() < 0.6 else np.zeros(SIZE))
    power *= (10 ** (gain_db / 20)).astype(np.float32)
    if rng.random() < 0.3:
        floor = 1000 * 10 ** (rng.uniform(-75, -40) / 20)
        power += np.float32(floor) * rng.rayleigh(0.8, power.shape[1:]).astype(np.float32)
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
