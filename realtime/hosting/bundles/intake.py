"""From what the host gives (sound or a shared frame) to what the model takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime.hosting.bundles.manifest import InputSection
from realtime.hosting.bundles.spectra import FrameMaker

F32 = npt.NDArray[np.float32]

_VARIANCE = 1e-7
_PEAK = 1e-9


class Intake:
    """The front end of one bundle. Owned by the lane's thread; allocates nothing that grows.

    Parameters
    ----------
    section : InputSection
    made : bool
        Whether the host gives finished frames (a shared spectrum) instead of sound.
    """

    def __init__(self, section: InputSection, made: bool) -> None:
        self._s = section
        self._maker = None if made or section.kind == "audio" else FrameMaker(section)
        # frames of the last call serve again, unless each depends on the whole block
        self._keeps = section.every < section.frames and not section.padded and section.rules.range_db is None
        self._mean = (
            np.float32(section.mean) if isinstance(section.mean, float) else np.array(section.mean, np.float32)
        )
        self._scale = np.asarray(section.scale, np.float32)
        self._plain = section.mean == 0.0 and section.scale == 1.0
        self.reset()

    def reset(self) -> None:
        """Forget the sound heard so far."""
        self._before: F32 | None = None
        self._time = -np.inf

    def take(self, block: F32, time: float) -> F32:
        """The model's input, shape ``(width,)``, ``(frames, width)``, ``(width, frames)`` or as the sound.

        Parameters
        ----------
        block : ndarray of float32
            As the host gave it.
        time : float
            Stream seconds of its end; tells whether it follows the one before.
        """
        s = self._s
        x = block if self._maker is None else self._frames(self._maker, block, time)
        if not self._plain:
            x = (x - self._mean) / self._scale
        if s.normalise != "none":
            x = self._normalised(x)
        return x.T if s.layout == "band-time" and x.ndim == 2 and s.kind != "audio" else x

    def _frames(self, maker: FrameMaker, block: F32, time: float) -> F32:
        s = self._s
        step = s.every * s.hop / s.sample_rate
        follows = self._keeps and self._before is not None and abs(time - self._time - step) < 0.5 / s.sample_rate
        if follows:
            assert self._before is not None
            frames = np.concatenate([self._before[s.every :], maker.newest(block, s.every)])
        else:
            frames = maker.frames(block)
        self._time = time
        if self._keeps:
            self._before = frames
        return frames

    def _normalised(self, x: F32) -> F32:
        if self._s.normalise == "peak":
            return x / np.float32(max(float(np.abs(x).max()), _PEAK))
        axis = 0 if self._s.normalise == "band" else None
        spread = np.sqrt(x.var(axis=axis, keepdims=True) + np.float32(_VARIANCE))
        return (x - x.mean(axis=axis, keepdims=True)) / spread
