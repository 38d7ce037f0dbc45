"""The network of Basic Pitch: two seconds of sound in, onsets and sounding notes of 88 keys out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError
from realtime.hosting.inference import open_session

F32 = npt.NDArray[np.float32]

RATE, WINDOW, HOP = 22_050, 43_844, 256
"""Hz; samples of a window; samples between its frames. Frame k is about sample k * HOP."""

FRAMES, KEYS, LOWEST = 172, 88, 21
"""Frames of a window; notes; MIDI number of the first."""

_INPUT = "serving_default_input_2:0"
_FRAMES, _ONSETS = "StatefulPartitionedCall:1", "StatefulPartitionedCall:2"


class Network:
    """Activations of one window after the other; nothing is remembered between them.

    Parameters
    ----------
    path : Path
        ``nmp.onnx`` of the package basic-pitch.

    Raises
    ------
    UserError
        If it is not such a file.

    References
    ----------
    R. M. Bittner, J. J. Bosch, D. Rubinstein, G. Meseguer-Brocal, S. Ewert: A lightweight instrument-agnostic
    model for polyphonic note transcription and multipitch estimation. ICASSP 2022 (Apache-2.0).
    """

    def __init__(self, path: Path) -> None:
        self._session = open_session(path)
        shapes = {n.name: tuple(n.shape[1:]) for n in (*self._session.get_inputs(), *self._session.get_outputs())}
        wanted = {_INPUT: (WINDOW, 1), _FRAMES: (FRAMES, KEYS), _ONSETS: (FRAMES, KEYS)}
        if any(shapes.get(name) != shape for name, shape in wanted.items()):
            raise UserError(f"{path}: not the network of Basic Pitch (its tensors: {', '.join(sorted(shapes))})")

    def step(self, sound: F32) -> tuple[F32, F32]:
        """Onsets and sounding notes, 0–1, shape (172, 88) each, of `WINDOW` samples."""
        frames, onsets = self._session.run([_FRAMES, _ONSETS], {_INPUT: sound.reshape(1, WINDOW, 1)})
        return np.clip(np.nan_to_num(onsets[0]), 0, 1), np.clip(np.nan_to_num(frames[0]), 0, 1)
