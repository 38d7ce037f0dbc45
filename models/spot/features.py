"""What is compared: the shape of the spectrum of 20 ms and how it moves, whatever the level.

Cepstra of a log-mel spectrum (Davis & Mermelstein, 1980) without the one of level, and their change over 60 ms. A
quiet frame is a direction of its own, so that pauses are like pauses and unlike everything else.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime.hosting.spectral import LogMelSpec, frames

F32 = npt.NDArray[np.float32]

SPEC = LogMelSpec(24_000, 480, 1024, 40, 80.0, 8_000.0, 1e4)
CEPSTRA, BACK = 14, 3
SIZE = 2 * CEPSTRA + 1
_QUIET = 0.25
"""Mean log10(1 + 1e4 m) below which a frame is quiet: about −75 dBFS in each band."""
_MOVE = np.float32(0.7)


class Shape:
    """Frames to unit vectors, one after another; owned by one thread."""

    def __init__(self) -> None:
        n = np.arange(SPEC.bands) + 0.5
        k = np.arange(1, CEPSTRA + 1)[:, None]
        # Higher cepstra are smaller; lifted, they count about as much
        lift = k**0.5
        self._turn = (np.cos(np.pi * k * n / SPEC.bands) * lift / SPEC.bands).astype(np.float32)
        self._past = np.zeros((BACK, CEPSTRA), np.float32)
        self._out = np.zeros(SIZE, np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._past[:] = 0
        self._count = 0

    def step(self, frame: F32) -> F32:
        """Shape of one log-mel frame, shape (29,), of unit length; overwritten by the next call."""
        out = self._out
        now = self._turn @ frame
        place = self._count % BACK
        if float(frame.mean()) < _QUIET:
            out[:] = 0
            out[-1] = 1
        else:
            out[:CEPSTRA] = now
            np.subtract(now, self._past[place], out=out[CEPSTRA:-1])
            out[CEPSTRA:-1] *= _MOVE
            out[-1] = 0
            out /= max(float(np.sqrt(out @ out)), 1e-6)
        self._past[place] = now
        self._count += 1
        return out

    def whole(self, samples: F32) -> tuple[F32, npt.NDArray[np.bool_]]:
        """Shapes of a recording at 24 kHz, as the live plugin would see them, and which frames are not quiet."""
        self.reset()
        found = np.array([self.step(f).copy() for f in frames(samples, SPEC)]).reshape(-1, SIZE)
        return found.astype(np.float32), found[:, -1] < 0.5
