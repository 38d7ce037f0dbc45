"""Seeded randomness: one independent stream for each purpose of each piece."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

VAL_MODULUS = 50
VAL_REMAINDER = 7


def stream(seed: int, *purpose: str) -> np.random.Generator:
    """
    Generator for one purpose of one piece.

    Separate streams keep a piece's composition unchanged when, say, the reverb draws one number more.

    Parameters
    ----------
    seed : int
        Seed of the piece, >= 0.
    *purpose : str
        Names that tell the stream apart from the piece's other streams.
    """
    words = [seed, *(zlib.crc32(name.encode()) for name in purpose)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def is_val(seed: int) -> bool:
    """Whether a piece belongs to the validation part (``seed % 50 == 7``)."""
    return seed % VAL_MODULUS == VAL_REMAINDER


def pick(rng: np.random.Generator, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
    """Draw one of `options`, with optional unnormalised `weights`."""
    if weights is None:
        return options[int(rng.integers(len(options)))]
    total = np.cumsum(np.asarray(weights, dtype=float))
    return options[int(np.searchsorted(total, rng.random() * total[-1], side="right"))]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw from a log-uniform distribution over [low, high]."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def seeds(first: int, count: int, held_out: bool) -> Iterator[int]:
    """The next `count` seeds after `first` that are for training, or those that are held out."""
    seed = first
    for _ in range(count):
        seed += 1
        while is_val(seed) != held_out:
            seed += 1
        yield seed
