"""Recursive filters over whole hops, as exact matrix products instead of a loop over samples.

A cascade of second-order sections is a linear state space ``s' = A s + B x, y = C s + D x``. Over a fixed number
of samples its output and its next state are linear in the samples and the first state, so a hop becomes a few
matrix products. Two levels (sub-blocks inside the hop) keep the matrices small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]
Section = tuple[float, float, float, float, float]
"""A second-order section ``(b0, b1, b2, a1, a2)`` with ``a0 = 1``."""

_SILENT = 1e-30


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
    single : bool
        Compute in single precision: half the memory to go through, for filters that are not very low.

    Notes
    -----
    Double precision unless asked otherwise: the 38 Hz section of K-weighting is not stable enough in single
    precision. One thread.
    """

    def __init__(
        self,
        bank: Sequence[Sequence[Section]],
        hop: int,
        channels: int = 1,
        sub: int = 20,
        single: bool = False,
    ) -> None:
        if hop % sub:
            raise ValueError(f"sub-block {sub} does not divide hop {hop}")
        self.outputs, self._sub, self._count = len(bank), sub, hop // sub
        a, b, c, d = _state_space(bank)
        n = a.shape[0]
        powers = [np.eye(n)]
        for _ in range(sub):
            powers.append(a @ powers[-1])
        impulse = [d] + [c @ powers[i] @ b for i in range(sub - 1)]
        through = np.zeros((self.outputs, sub, sub))
        for i in range(sub):
            for j in range(i + 1):
                through[:, i, j] = impulse[i - j][:, 0]
        self._through = through.reshape(-1, sub).T.copy()
        self._observe = np.stack([c @ powers[i] for i in range(sub)], 1).reshape(-1, n).T.copy()
        self._gather = np.hstack([powers[sub - 1 - j] @ b for j in range(sub)]).T.copy()
        step = [np.eye(n)]
        for _ in range(self._count):
            step.append(powers[sub] @ step[-1])
        chain = np.zeros((self._count + 1, n, self._count, n))
        for k in range(1, self._count + 1):
            for j in range(k):
                chain[k, :, j, :] = step[k - 1 - j]
        self._chain = chain.reshape((self._count + 1) * n, self._count * n).T.copy()
        self._carry = np.vstack(step).T.copy()
        kind = np.float32 if single else np.float64
        for name in ("through", "observe", "gather", "chain", "carry"):
            setattr(self, f"_{name}", np.ascontiguousarray(getattr(self, f"_{name}"), kind))
        self._channels, self._order = channels, n
        self._state = np.zeros((channels, n), kind)
        self._x = np.zeros((channels, hop), kind)
        self._rows = self._x.reshape(channels * self._count, sub)
        self._u = np.zeros((channels * self._count, n), kind)
        self._y = np.zeros((channels * self._count, self.outputs * sub), kind)

    def process(self, block: npt.NDArray[np.floating]) -> Floats:
        """Filter one hop.

        Parameters
        ----------
        block : ndarray, shape (channels, hop) or (hop,)

        Returns
        -------
        ndarray, shape (channels, outputs, hop)
        """
        shape = (self._channels, self._count, self.outputs, self._sub)
        y = self._filter(block).reshape(shape)
        return y.transpose(0, 2, 1, 3).reshape(self._channels, self.outputs, -1)

    def power(self, block: npt.NDArray[np.floating]) -> list[float]:
        """Filter one hop; returns the mean square of each output, summed over the channels."""
        y = self._filter(block)
        np.multiply(y, y, out=y)
        sums = np.add.reduce(y, axis=0).reshape(self.outputs, self._sub)
        return (np.add.reduce(sums, axis=1) / self._x.shape[1]).tolist()

    def _filter(self, block: npt.NDArray[np.floating]) -> Floats:
        """Rows of sub-blocks, each with its outputs one after the other; valid until the next call."""
        self._x[...] = block
        np.dot(self._rows, self._gather, out=self._u)
        states = np.dot(self._u.reshape(self._channels, -1), self._chain)
        states += np.dot(self._state, self._carry)
        start = states[:, : -self._order].reshape(self._channels * self._count, self._order)
        y = np.dot(self._rows, self._through, out=self._y)
        y += np.dot(start, self._observe)
        last = states[:, -self._order :]
        # Decaying states would become denormal and slow.
        np.multiply(last, np.abs(last) >= _SILENT, out=self._state)
        return y

    def reset(self) -> None:
        """Back to rest."""
        self._state[:] = 0.0


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
