"""Subsequence dynamic time warping against several templates at once, one frame of the stream at a time.

After SPRING (Sakurai, Faloutsos & Yamamuro, "Stream monitoring under the time warping distance", 2007), with steps
that go on by none, one or two template frames for each frame of the stream: so a row depends on the row before
only, all templates are one array operation, and speech may be half as fast or twice as fast as its example.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

_HOLD = np.float32(0.08)
"""What it costs to stay at a template frame, beyond its distance; skipping one costs its distance twice."""
_FAR = np.float32(1e6)


class Warping:
    """Costs of the best paths that end now.

    Parameters
    ----------
    templates : sequence of ndarray, each shape (length, size)
        Unit vectors.
    """

    def __init__(self, templates: Sequence[F32]) -> None:
        lengths = np.array([len(t) for t in templates])
        self._vectors = np.ascontiguousarray(np.concatenate(list(templates)), np.float32)
        self._first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self._second = self._first[lengths > 1] + 1
        self._last = np.cumsum(lengths) - 1
        self._lengths = lengths.astype(np.float32)
        n = len(self._vectors)
        self._cost, self._one, self._two = (np.zeros(n, np.float32) for _ in range(3))
        self._distance = np.zeros(n, np.float32)
        self.reset()

    def reset(self) -> None:
        """No path has begun."""
        self._cost[:] = _FAR

    def step(self, shape: F32) -> F32:
        """One more frame; mean distance (0: the same, about 1: unrelated) to each template of what ends here.

        Parameters
        ----------
        shape : ndarray of float32, shape (size,)
            Of unit length.
        """
        distance, one, two, cost = self._distance, self._one, self._two, self._cost
        np.matmul(self._vectors, shape, out=distance)
        np.subtract(np.float32(1), distance, out=distance)
        one[1:] = cost[:-1]
        one[self._first] = 0  # a path may begin with any frame of the stream
        one += distance
        two[2:] = cost[:-2]
        two[:2] = _FAR
        two[self._first] = _FAR
        two[self._second] = 0
        two += distance
        two += distance
        cost += distance
        cost += _HOLD
        np.minimum(cost, one, out=cost)
        np.minimum(cost, two, out=cost)
        found: F32 = cost[self._last] / self._lengths
        return found
