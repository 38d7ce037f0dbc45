"""Stretches of a signal that is true or false."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def runs(active: npt.NDArray[np.bool_], shortest: int = 1) -> list[tuple[int, int]]:
    """Begin and end (one past the last) of every stretch that is True, `shortest` or longer."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]])))
    return [(a, b) for a, b in zip(edges[::2].tolist(), edges[1::2].tolist()) if b - a >= shortest]
