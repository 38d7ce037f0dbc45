"""The network of Silero VAD, a chunk at a time, its state held here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError
from realtime.hosting.inference import open_session

F32 = npt.NDArray[np.float32]

RATE, CHUNK, CONTEXT = 16_000, 512, 64
"""Hz; samples a call; samples before them that it sees again."""

_STATE = (2, 1, 128)
_INPUTS, _OUTPUTS = {"input", "state", "sr"}, 2


class Network:
    """Speech probability of each chunk, of one stream, on one thread.

    Parameters
    ----------
    path : Path
        The ONNX file of the releases 5 and 6: inputs ``input`` (1, 576), ``state`` (2, 1, 128), ``sr``; outputs
        the probability (1, 1) and the next state.

    Raises
    ------
    UserError
        If it is not such a file.

    References
    ----------
    Silero Team: Silero VAD, https://github.com/snakers4/silero-vad (MIT); the calls are those of its
    ``OnnxWrapper``.
    """

    def __init__(self, path: Path) -> None:
        self._session = open_session(path)
        inputs = {i.name for i in self._session.get_inputs()}
        if inputs != _INPUTS or len(self._session.get_outputs()) != _OUTPUTS:
            raise UserError(f"{path}: not Silero VAD 5 or 6 (inputs {', '.join(sorted(inputs))})")
        self._rate = np.array(RATE, np.int64)
        self._input = np.zeros((1, CONTEXT + CHUNK), np.float32)
        self.reset()

    def reset(self) -> None:
        """Silence before the first chunk."""
        self._input[:] = 0
        self._state: F32 = np.zeros(_STATE, np.float32)

    def step(self, chunk: F32) -> float:
        """Probability of speech, 0–1, in the next `CHUNK` samples, full scale 1."""
        self._input[0, :CONTEXT] = self._input[0, -CONTEXT:]
        self._input[0, CONTEXT:] = chunk
        feed = {"input": self._input, "state": self._state, "sr": self._rate}
        probability, state = self._session.run(None, feed)
        if not np.isfinite(state).all():  # far beyond full scale: begin anew, not broken for good
            self.reset()
            return 0.0
        self._state = state
        return min(1.0, max(0.0, float(probability.reshape(-1)[0])))
