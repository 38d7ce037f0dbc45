"""Sample-rate conversion of a stream: polyphase windowed-sinc FIR with a known, short, constant delay."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

Array = npt.NDArray[np.float32]

_STOPBAND_DB = 86.0
_EXACT_PHASES = 1024
"""Largest number of polyphase branches kept exactly; odder ratios interpolate between fine phases."""
_FINE_PHASES = 512
_PIECE = 512
"""Most output frames computed at once, which bounds the scratch memory whatever the block."""
_MOST_THINNED = 12
"""Whole-number ratios up to this are filtered at the source's rate and thinned out, which is quicker."""
_SIDE = 8
"""Most neighbouring outputs that one row of a product makes."""
_LANES = 32
"""Dot products over a multiple of so many taps need no slow remainder."""


class StreamResampler:
    """Brings a stream of blocks from one sample rate to another.

    The result does not depend on how the input is cut into blocks, to the last bit: every output sample is
    the same dot product over the same taps, whatever the block it is computed in.

    Going down, everything above the target's Nyquist frequency is down by 80 dB or more and the pass band
    ends at 0.8 of it. Going up, the transition band lies around the source's Nyquist frequency (0.9–1.1),
    which halves the delay; images above 1.1 are down by 80 dB.

    Parameters
    ----------
    source_rate, target_rate : int
        Hz, each ≥ 1. Any ratio.
    channels : int
        Channels per frame of the blocks, ≥ 1.

    Attributes
    ----------
    delay : float
        Seconds. Output frame ``m`` holds the sound of source time ``m / target_rate - delay``, at every
        frequency (linear phase).
    taps : int
        Source frames that each output frame looks at.

    References
    ----------
    J. O. Smith, "Digital Audio Resampling Home Page" (windowed-sinc interpolation); J. F. Kaiser,
    "Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974.
    """

    def __init__(self, source_rate: int, target_rate: int, channels: int = 1) -> None:
        if source_rate < 1 or target_rate < 1 or channels < 1:
            raise ValueError("rates and channels must be positive")
        divisor = math.gcd(source_rate, target_rate)
        self.source_rate = source_rate
        self.target_rate = target_rate
        self.channels = channels
        self._up = target_rate // divisor
        self._down = source_rate // divisor
        self.identity = self._up == self._down
        self.taps, cutoff, beta = _design(source_rate, target_rate)
        self.delay = 0.0 if self.identity else self.taps / 2 / source_rate
        self._thinning: Array | None = None
        if not self.identity:
            self._bank, self._offsets = self._tables(cutoff, beta)
            self._piece_in = max(1, _PIECE * self._down // self._up)
            self._held = self.taps - 1
            if self._up == 1 and self._down <= _MOST_THINNED:
                padding = np.zeros(-self.taps % _LANES, np.float32)
                self._thinning = np.concatenate([padding, self._bank[0]])
                self._held += len(padding)
            length = self._held + self._piece_in
            self._history = np.zeros((channels, length), np.float32)
            # Row i of a view is the window that starts at frame i of the history.
            rows = (length - self.taps + 1, self.taps)
            self._windows = [as_strided(h, rows, (4, 4), writeable=False) for h in self._history]
        self.reset()

    def reset(self) -> None:
        """Forget all sound; the next frame is frame 0 again, with silence before it."""
        self._taken = 0
        self._made = 0
        if not self.identity:
            self._history[:] = 0.0

    def thinner(self, frames: int) -> Thinner | None:
        """The same filter for pieces of `frames` source frames, if both that and the ratio allow for it."""
        if self.identity or self._up > 1 or frames % self._down:
            return None
        return Thinner(self._bank[0], self._down, frames)

    def process(self, x: Array) -> Array:
        """Take the next frames and return all output frames that they complete.

        Parameters
        ----------
        x : ndarray of float32, shape (n, channels) or, for one channel, (n,)
            n ≥ 0.

        Returns
        -------
        ndarray of float32
            Same number of dimensions. After N frames in all, ``ceil(N * target_rate / source_rate)`` frames
            have come out in all. The input itself if the rates are equal.
        """
        if self.identity:
            return x
        columns = x[:, None] if x.ndim == 1 else x
        if columns.shape[1] != self.channels:
            raise ValueError(f"{columns.shape[1]} channels given, {self.channels} expected")
        total = self._outputs(self._taken + len(columns)) - self._made
        y = np.empty((total, self.channels), np.float32)
        done = 0
        for at in range(0, len(columns), self._piece_in):
            done += self._piece(columns[at : at + self._piece_in], y[done:])
        return y[:, 0] if x.ndim == 1 else y

    def _outputs(self, taken: int) -> int:
        """Frames that `taken` source frames complete: those whose newest tap lies before `taken`."""
        return -(-taken * self._up // self._down)

    def _piece(self, x: Array, y: Array) -> int:
        n = len(x)
        count = self._outputs(self._taken + n) - self._made
        held = self._held
        self._history[:, held : held + n] = x.T
        if count and self._thinning is not None:
            first = self._made * self._down - self._taken
            for channel, history in enumerate(self._history):
                full = np.correlate(history[: held + n], self._thinning, "valid")
                y[:count, channel] = full[first :: self._down]
        elif count:
            if self._up == 1:
                first = self._made * self._down - self._taken
                chosen: slice | npt.NDArray[np.int64] = slice(first, first + count * self._down, self._down)
                weights = np.broadcast_to(self._bank, (count, self.taps))
            else:
                chosen, weights = self._branches(count)
            for channel, windows in enumerate(self._windows):
                # A sum along each row alone: the order of a matrix product's sums depends on its shape.
                np.einsum("ij,ij->i", windows[chosen], weights, out=y[:count, channel])
        self._history[:, :held] = self._history[:, n : n + held].copy()
        self._taken += n
        self._made += count
        return count

    def _branches(self, count: int) -> tuple[npt.NDArray[np.int64], Array]:
        """First window row and filter of the next `count` output frames."""
        if self._offsets is not None:
            periods, at = divmod(self._made, self._up)
            starts = self._offsets[at : at + count] + (periods * self._down - self._taken)
            return starts, self._bank[at : at + count]
        whole, rest = divmod(self._made * self._down, self._up)
        position = rest + np.arange(count, dtype=np.int64) * self._down
        starts = position // self._up
        fine = (position - starts * self._up) * (_FINE_PHASES / self._up)
        phase = fine.astype(np.int64)
        fraction = (fine - phase).astype(np.float32)[:, None]
        low = self._bank[phase]
        return starts + (whole - self._taken), low + fraction * (self._bank[phase + 1] - low)

    def _tables(self, cutoff: float, beta: float) -> tuple[Array, npt.NDArray[np.int64] | None]:
        """The filters, laid out in the order in which outputs use them, and where their windows start."""
        if self._up > _EXACT_PHASES:
            return _filters(np.arange(_FINE_PHASES + 1) / _FINE_PHASES, self.taps, cutoff, beta), None
        if self._up == 1:
            return _filters(np.zeros(1), self.taps, cutoff, beta), None
        # One period and a piece more, so that the next piece is always one contiguous slice.
        order = np.arange(self._up + _PIECE + 2, dtype=np.int64) * self._down
        bank = _filters(np.arange(self._up) / self._up, self.taps, cutoff, beta)
        return bank[order % self._up], order // self._up


class Thinner:
    """Filters one channel and keeps every `ratio`-th frame, in pieces of one length: for who has the past at hand.

    One product of matrices makes some neighbouring outputs from the stretch that they share. Its shape is always
    the same, so the results do not depend on how many pieces are there at a time.

    Parameters
    ----------
    taps : ndarray of float32
        Output frame ``m`` is their dot product with as many source frames, the newest of them frame ``m * ratio``.
    ratio : int
    frames : int
        Source frames a piece, a multiple of `ratio`.

    Attributes
    ----------
    length : int
        Source frames that a piece looks at, its own included.
    made : int
        Frames that it makes of a piece.
    """

    def __init__(self, taps: Array, ratio: int, frames: int) -> None:
        self.made = frames // ratio
        side = math.gcd(self.made, _SIDE)
        stretch = (side - 1) * ratio + len(taps)
        self.length = frames + len(taps) - 1
        self._matrix = np.zeros((stretch, side), np.float32)
        for k in range(side):
            self._matrix[k * ratio : k * ratio + len(taps), k] = taps
        self._strides = (4 * side * ratio, 4)
        self._rows = np.zeros((self.made // side, stretch), np.float32)
        self._shape = self.made // side, side

    def process(self, heard: Array, out: Array) -> None:
        """Make the frames of one piece.

        Parameters
        ----------
        heard : ndarray of float32, shape (length,)
            Contiguous, the piece at its end.
        out : ndarray of float32, shape (made,)
            Contiguous.
        """
        rows = self._rows
        rows[...] = np.ndarray(rows.shape, np.float32, heard, strides=self._strides)
        rows.dot(self._matrix, out.reshape(self._shape))


def _design(source_rate: int, target_rate: int) -> tuple[int, float, float]:
    """Taps, cut-off (cycles per source frame) and Kaiser's beta for the ratio."""
    if target_rate < source_rate:
        low, high = 0.4 * target_rate / source_rate, 0.5 * target_rate / source_rate
    else:
        low, high = 0.45, 0.55
    taps = (_STOPBAND_DB - 7.95) / (2.285 * 2 * math.pi * (high - low))
    beta = 0.1102 * (_STOPBAND_DB - 8.7)
    return 8 * math.ceil(taps / 8), (low + high) / 2, beta


def _filters(fractions: npt.NDArray[np.float64], taps: int, cutoff: float, beta: float) -> Array:
    """Filters for outputs that lie `fractions` of a source frame after the newest tap; rows sum to 1."""
    t = np.arange(taps) - (taps // 2 - 1) - fractions[:, None]
    shape = np.sqrt(np.clip(1 - (2 * t / taps) ** 2, 0, None))
    bank = np.sinc(2 * cutoff * t) * np.i0(beta * shape)
    return np.ascontiguousarray(bank / bank.sum(axis=1, keepdims=True), np.float32)
