"""The C library of RNNoise, a frame at a time."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError

F32 = npt.NDArray[np.float32]

FRAME, RATE = 480, 48_000
DELAY = 960
"""Samples by which its sound is late, beyond the frame: overlap and look-ahead; a test measures it."""
_SCALE = np.float32(32768.0)  # the library counts in 16-bit steps
_FLOATS = ctypes.POINTER(ctypes.c_float)


class Denoiser:
    """One stream's state in the library.

    Parameters
    ----------
    path : Path
        ``librnnoise``, as the model store has checked it: a library runs whatever is in it.

    Raises
    ------
    UserError
        It cannot be loaded here, or is not RNNoise.

    References
    ----------
    J.-M. Valin: A hybrid DSP/deep learning approach to real-time full-band speech enhancement. MMSP 2018.
    """

    _state: ctypes.c_void_p | int | None = None

    def __init__(self, path: Path) -> None:
        try:
            library = ctypes.CDLL(str(path))
            library.rnnoise_create.argtypes = [ctypes.c_void_p]
            library.rnnoise_create.restype = ctypes.c_void_p
            library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
            library.rnnoise_destroy.restype = None
            library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, _FLOATS, _FLOATS]
            library.rnnoise_process_frame.restype = ctypes.c_float
            size = int(library.rnnoise_get_frame_size())
        except (OSError, AttributeError) as e:
            raise UserError(f"{path}: no RNNoise library for this machine ({e})") from e
        if size != FRAME:
            raise UserError(f"{path}: takes {size} samples at a time, not {FRAME}")
        self._library = library
        self._in = np.zeros(FRAME, np.float32)
        self._out = np.zeros(FRAME, np.float32)
        self._pointers = tuple(a.ctypes.data_as(_FLOATS) for a in (self._out, self._in))
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self.close()
        self._state = self._library.rnnoise_create(None)
        if not self._state:
            raise MemoryError("rnnoise_create")

    def step(self, frame: F32) -> tuple[F32, float]:
        """`FRAME` samples without noise, and the probability of voice in them. The array is used again."""
        np.multiply(frame, _SCALE, out=self._in)
        voice = float(self._library.rnnoise_process_frame(self._state, *self._pointers))
        self._out /= _SCALE
        return self._out, voice

    def close(self) -> None:
        """Give the state back."""
        if self._state:
            self._library.rnnoise_destroy(self._state)
            self._state = None
