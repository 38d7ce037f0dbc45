"""From the channels a device has to the channels that are used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError

Array = npt.NDArray[np.float32]

_HALVES = np.full(2, 0.5, np.float32)


class ChannelMap:
    """Chooses channels and applies the input gain.

    Parameters
    ----------
    available : int
        Channels that the sound has.
    chosen : sequence of int
        Channels to use, counted from 1, in this order; empty = all.
    gain_db : float
        Gain in dB.
    origin : str
        What has these channels, for the error.

    Raises
    ------
    UserError
        A channel that is not there.
    """

    def __init__(
        self, available: int, chosen: Sequence[int] = (), gain_db: float = 0.0, origin: str = "input"
    ) -> None:
        for channel in chosen:
            if not 1 <= channel <= available:
                many = f"channels 1 to {available}" if available > 1 else "channel 1 only"
                raise UserError(f"{origin} has {many}; [input] channels asks for {channel}")
        self.channels = len(chosen) or available
        self._gain = np.float32(10 ** (gain_db / 20))
        indices = [c - 1 for c in chosen]
        self._indices = None if not indices or indices == list(range(available)) else indices
        self.transparent = self._indices is None and gain_db == 0

    def choose(self, samples: Array) -> Array:
        """Chosen channels of `samples`, shape (n, available) → (n, channels), before the gain."""
        return samples if self._indices is None else samples[:, self._indices]

    def apply(self, samples: Array) -> Array:
        """Chosen channels of `samples` with the gain, shape (n, available) → (n, channels)."""
        return samples if self.transparent else self.choose(samples) * self._gain


def mix_down(samples: Array, out: Array | None = None) -> Array:
    """Mean of the channels, shape (n, channels) → (n,); each row's result depends on that row alone."""
    channels = samples.shape[1]
    if channels == 1:
        if out is None:
            return samples[:, 0]
        out[:] = samples[:, 0]
        return out
    if channels == 2:
        return samples.dot(_HALVES, out)
    total: Array = np.add(samples[:, 0], samples[:, 1], out)
    for channel in range(2, channels):
        total += samples[:, channel]
    total *= np.float32(1.0 / channels)
    return total
