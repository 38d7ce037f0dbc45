"""Recursive filters over whole hops, as exact matrix products instead of a loop over samples.

A cascade of second-order sections is a linear state space ``s' = A s + B x, y = C s + D x``. Over a fixed number
of samples its output and its next state are linear in the samples and the first state, so a hop becomes a few
matrix products. Two levels (sub-blocks inside the hop) keep the matrices small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Section = tuple[float, float, float, float, float]
"""A second-order section ``(b0, b1, b2, a1, a2)`` with ``a0 = 1``."""

_NOTHING = 1e-24
"""Mean square of all outputs below which the filters are brought to rest: decaying states would become denormal,
which is slow."""


def lowpass(frequency: float, rate: float, q: float = 0.5**0.5) -> Section:
    """Second-order low-pass (bilinear transform; R. Bristow-Johnson, "Audio EQ cookbook")."""
    w = 2 * np.pi * frequency / rate
    c, alpha = float(np.cos(w)), float(np.sin(w)) / (2 * q)
    a0 = 1 + alpha
    return (1 - c) / 2 / a0, (1 - c) / a0, (1 - c) / 2 / a0, -2 * c / a0, (1 - alpha) / a0


def highpass(frequency: float, rate: float, q: float = 0.5**0.5) -> Section:
    """Second-order high-pass, as :func:`lowpass`."""
    w = 2 * np.pi * frequency / rate
    c, alpha = float(np.cos(w)), float(np.sin(w)) / (2 * q)
    a0 = 1 + alpha
    return (1 + c) / 2 / a0, -(1 + c) / a0, (1 + c) / 2 / a0, -2 * c / a0, (1 - alpha) / a0


class BlockFilter:
    """A bank of cascades run over hops of fixed length.

    Parameters
    ----------
    bank : sequence of sequence of Section
        One cascade an output; all hear the same input.
    hop : int
        Samples per call.
    channels : int
        Channels filtered alike.
    sub : int
        Length of the sub-blocks; divides `hop`.

    Notes
    -----
    Single precision, in states that white noise excites alike and apart (a square root of the controllability
    Gramian), which keeps even a high-pass at 38 Hz exact. One thread.
    """

    def __init__(self, bank: Sequence[Sequence[Section]], hop: int, channels: int = 1, sub: int = 20) -> None:
        if hop % sub:
            raise ValueError(f"sub-block {sub} does not divide hop {hop}")
        self.outputs, count = len(bank), hop // sub
        a, b, c, d = _balanced(*_state_space(bank))
        n = a.shape[0]
        powers = [np.eye(n)]
        for _ in range(sub):
            powers.append(a @ powers[-1])
        impulse = [d] + [c @ powers[i] @ b for i in range(sub - 1)]
        # A sub-block's outputs, from its samples and the state at its start.
        answer = np.zeros((sub + n, self.outputs, sub))
        for i in range(sub):
            for j in range(i + 1):
                answer[j, :, i] = impulse[i - j][:, 0]
            answer[sub:, :, i] = (c @ powers[i]).T
        # What its samples add to the state at its end.
        gather = np.hstack([powers[sub - 1 - j] @ b for j in range(sub)]).T
        # The state at the start of each sub-block and at the end, from the state at the start and what each adds.
        step = [np.eye(n)]
        for _ in range(count):
            step.append(powers[sub] @ step[-1])
        chain = np.zeros((count + 1, n, count + 1, n))
        for k in range(count + 1):
            for j in range(k + 1):
                chain[j, :, k, :] = step[k - j].T
        self._answer = np.ascontiguousarray(answer.reshape(sub + n, -1), np.float32)
        self._gather = np.ascontiguousarray(gather, np.float32)
        self._chain = np.ascontiguousarray(chain.reshape((count + 1) * n, -1), np.float32)
        # Each row holds a sub-block and the state at its start.
        self._rows = np.zeros((channels, count, sub + n), np.float32)
        self._x, self._starts = self._rows[..., :sub], self._rows[..., sub:]
        self._joined = self._rows.reshape(channels * count, -1)
        # The state at the start and what each sub-block adds; the state at the start of each and at the end.
        self._added = np.zeros((channels, count + 1, n), np.float32)
        self._states = np.zeros((channels, count + 1, n), np.float32)
        self._flat_added = self._added.reshape(channels, -1)
        self._flat_states = self._states.reshape(channels, -1)
        self._y = np.zeros((channels * count, self.outputs * sub), np.float32)
        self._ones = np.ones(channels * count, np.float32)
        self._means = np.repeat(np.eye(self.outputs, dtype=np.float32) / hop, sub, axis=0)

    def process(self, block: F32) -> F32:
        """Filter one hop.

        Parameters
        ----------
        block : ndarray of float32, shape (channels, hop) or (hop,)

        Returns
        -------
        ndarray of float32, shape (channels, outputs, hop)
        """
        channels, count, sub = self._x.shape
        y = self._filter(block).reshape(channels, count, self.outputs, sub)
        out = y.transpose(0, 2, 1, 3).reshape(channels, self.outputs, -1).copy()
        self._settle(self._powers(self._y))
        return out

    def power(self, block: F32) -> list[float]:
        """Filter one hop; returns the mean square of each output, summed over the channels."""
        found = self._powers(self._filter(block))
        self._settle(found)
        return found

    def _powers(self, y: F32) -> list[float]:
        np.multiply(y, y, y)
        found: list[float] = self._ones.dot(y).dot(self._means).tolist()
        return found

    def _settle(self, powers: list[float]) -> None:
        if max(powers) < _NOTHING:
            self.reset()

    def _filter(self, block: F32) -> F32:
        """Rows of sub-blocks, each with its outputs one after the other; valid until the next call."""
        x, added, states = self._x, self._added, self._states
        x[...] = block.reshape(x.shape)
        np.matmul(x, self._gather, added[:, 1:])
        added[:, 0] = states[:, -1]
        self._flat_added.dot(self._chain, self._flat_states)
        self._starts[...] = states[:, :-1]
        return self._joined.dot(self._answer, self._y)

    def reset(self) -> None:
        """Back to rest."""
        self._states[:] = 0.0


def _balanced(a: F64, b: F64, c: F64, d: F64) -> tuple[F64, F64, F64, F64]:
    """The same system in states that white noise excites alike; any invertible change of states is exact."""
    reached, power = b @ b.T, a
    while np.abs(power).max() > 1e-12:
        reached = reached + power @ reached @ power.T
        power = power @ power
    strengths, axes = np.linalg.eigh(reached)
    root = axes * np.sqrt(np.maximum(strengths, 1e-12 * strengths.max()))
    back = np.linalg.inv(root)
    return back @ a @ root, back @ b, c @ root, d


def _state_space(bank: Sequence[Sequence[Section]]) -> tuple[F64, F64, F64, F64]:
    """A, B, C, D of all cascades together, found by stepping unit states and a unit input."""
    order = sum(2 * len(cascade) for cascade in bank)
    states = np.hstack([np.eye(order), np.zeros((order, 1))])
    following, outputs, offset = np.zeros_like(states), np.zeros((len(bank), order + 1)), 0
    for row, cascade in enumerate(bank):
        x = np.zeros(order + 1)
        x[-1] = 1.0
        for b0, b1, b2, a1, a2 in cascade:
            y = b0 * x + states[offset]
            following[offset] = b1 * x - a1 * y + states[offset + 1]
            following[offset + 1] = b2 * x - a2 * y
            x, offset = y, offset + 2
        outputs[row] = x
    return following[:, :-1], following[:, -1:], outputs[:, :-1], outputs[:, -1:]
