"""The network of SwiftF0: sound in, a pitch and how sure it is in each frame of 16 ms out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError
from realtime.hosting.inference import open_session

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

RATE, FRAME = 16_000, 256
"""Hz; samples between frames. Frame k is about sample k * FRAME."""

BEFORE, AHEAD = 11, 10
"""Frames before and after a frame with which it is what it would be in a whole recording."""

LOWEST, HIGHEST = 46.875, 2093.75
"""Hz."""

QUIET = 1e-3
"""Peak of a frame below which its result means nothing: the published code sets its confidence to 0."""


class Network:
    """Pitch of the frames of one window after the other; nothing is remembered between them.

    Parameters
    ----------
    path : Path
        ``model.onnx`` of the package swift-f0.

    Raises
    ------
    UserError
        If it is not such a file.

    References
    ----------
    L. Nieradzik: SwiftF0, https://github.com/lars76/swift-f0 (MIT); the calls are those of its ``core.py``.
    """

    def __init__(self, path: Path) -> None:
        self._session = open_session(path)
        names = {i.name for i in self._session.get_inputs()}, {o.name for o in self._session.get_outputs()}
        if names != ({"audio", "fmin", "fmax"}, {"pitch", "confidence"}):
            raise UserError(f"{path}: not the network of SwiftF0 3 (its inputs: {', '.join(sorted(names[0]))})")
        self._range = {"fmin": np.array(LOWEST, np.float32), "fmax": np.array(HIGHEST, np.float32)}

    def step(self, sound: F32) -> tuple[F64, F64]:
        """Hz and confidence (0–1) of each frame of the sound, shape (n // 256,) each."""
        pitch, sure = self._session.run(["pitch", "confidence"], {"audio": sound[None, :], **self._range})
        count = min(len(sure[0]), len(sound) // FRAME)
        peaks = np.abs(sound[: count * FRAME]).reshape(count, FRAME).max(axis=1)
        sure = np.where(peaks < QUIET, 0.0, np.clip(np.nan_to_num(sure[0, :count]), 0, 1))
        return np.nan_to_num(pitch[0, :count]).astype(np.float64), sure.astype(np.float64)
