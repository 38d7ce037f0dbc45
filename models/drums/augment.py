"""Cuts training sequences out of cached features and varies them as rooms, desks and microphones do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from models.drums.features import SPEC
from models.drums.targets import Targets, build
from models.training.dataset import Piece, cached_pieces, is_validation

F32 = npt.NDArray[np.float32]
DRUMS_ONLY = 5
"""How often a piece of nothing but drums is drawn for once that another is."""


class Sampler:
    """Batches of sequences, a function of ``(seed, step)`` and the pieces at hand.

    Parameters
    ----------
    folders : list of (data, cache)
    frames, batch : int
        Size of what :meth:`batch` returns.
    held_out : bool
        Take the validation pieces instead of all others.
    """

    def __init__(
        self, folders: list[tuple[Path, Path]], frames: int, batch: int, seed: int, held_out: bool = False
    ) -> None:
        self.folders, self.frames, self.size, self.seed, self.held_out = folders, frames, batch, seed, held_out
        self.items: list[tuple[list[tuple[float, str, float]], Path]] = []
        self.hours = 0.0
        self._known: set[Path] = set()
        self.refresh()

    def refresh(self) -> None:
        """Take in pieces that have become ready since."""
        for data, cache in self.folders:
            if next(cache.glob("*.npy"), None):
                for piece, path in cached_pieces(data, cache, self._known):
                    self._known.add(path)
                    if is_validation(piece.name) == self.held_out:
                        self._add(piece, path)

    def _add(self, piece: Piece, path: Path) -> None:
        hits = [(float(t), str(label), float(v)) for t, label, v in piece.truth["drums"]]
        alone = set(piece.truth.get("instruments", ())) == {"drums"}
        self.items += [(hits, path)] * (DRUMS_ONLY if alone else 1)
        self.hours += float(piece.truth["duration"]) / 3600

    def batch(self, step: int, augment: bool = True) -> tuple[torch.Tensor, Targets]:
        """Features ``(frames, batch, 60)`` and targets ``(frames, batch, …)`` of one step."""
        rng = np.random.default_rng((self.seed, step))
        x = np.zeros((self.frames, self.size, SPEC.bands), np.float32)
        rows = []
        for k in range(self.size):
            hits, path = self.items[int(rng.integers(len(self.items)))]
            features = np.load(path, mmap_mode="r")
            start = int(rng.integers(max(1, len(features) - self.frames + 1)))
            source = np.asarray(features[start : start + self.frames], np.float32)
            x[: len(source), k] = vary(source, rng) if augment else source
            target = build(hits, start, self.frames)
            target.weight[len(source) :] = 0.0
            rows.append(target)
        return torch.from_numpy(x), Targets(*(np.stack(columns, 1) for columns in zip(*rows)))


def vary(x: F32, rng: np.random.Generator) -> F32:
    """Level, equaliser, noise floor; `x` is ``(frames, 60)``, log10(1 + 1000 m)."""
    power = np.expm1(x * np.float32(np.log(10.0)))
    gain_db = rng.uniform(-24, 8) + (_curve(rng) if rng.random() < 0.7 else np.zeros(x.shape[1]))
    power *= (10 ** (gain_db / 20)).astype(np.float32)
    if rng.random() < 0.3:
        floor = 1000 * 10 ** (rng.uniform(-80, -45) / 20)
        power += np.float32(floor) * rng.rayleigh(0.8, power.shape).astype(np.float32)
    y = np.log1p(power, out=power)
    y *= np.float32(1 / np.log(10.0))
    return y


def _curve(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A smooth random equaliser, dB per band."""
    knots = rng.normal(0, 4, 7)
    if rng.random() < 0.15:
        knots[: int(rng.integers(1, 3))] -= rng.uniform(5, 25)  # small loudspeaker
    if rng.random() < 0.25:
        knots[-int(rng.integers(1, 3)) :] -= rng.uniform(5, 25)  # the room next door, old recordings
    return np.interp(np.linspace(0, 1, SPEC.bands), np.linspace(0, 1, len(knots)), knots)
