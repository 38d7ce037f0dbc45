"""A small stateful ONNX network, a step at a time: the states that it gives back go in again at the next step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from realtime.errors import UserError
from realtime.hosting.inference import open_session

F32 = npt.NDArray[np.float32]


class Stepper:
    """One stream's network, on one thread, without spinning.

    The first input is the frame; each further input ``NAME`` is a state, which comes back as ``NAME_next`` after
    the answers.

    Parameters
    ----------
    path : Path
    answers : sequence of str
        Names of the outputs before the states.

    Raises
    ------
    UserError
        If the file is missing or not such a network.
    """

    def __init__(self, path: Path, answers: tuple[str, ...]) -> None:
        if not path.exists():
            raise UserError(
                f"{path}: no such network; reinstall, or train it with python -m models.{path.stem}.train"
            )
        self._session = open_session(path)
        frame, *states = self._session.get_inputs()
        found = tuple(o.name for o in self._session.get_outputs())
        if found != answers + tuple(f"{s.name}_next" for s in states):
            raise UserError(f"{path}: not the network that is wanted here (outputs {', '.join(found)})")
        self._count = len(answers)
        self._frame = frame.name
        self._initial = {i.name: np.zeros(_shape(i), np.float32) for i in states}
        self._shape = _shape(frame)
        self.reset()

    def reset(self) -> None:
        """Silence before the first frame."""
        self._feed = {self._frame: np.zeros(self._shape, np.float32), **self._initial}

    def step(self, frame: F32) -> list[F32]:
        """One frame, without the batch axis; returns the answers, without it too."""
        self._feed[self._frame][0] = frame
        found = self._session.run(None, self._feed)
        self._feed.update(zip(self._initial, found[self._count :]))
        return [a[0] for a in found[: self._count]]


def _shape(node: onnxruntime.NodeArg) -> list[int]:
    return [n if isinstance(n, int) else 1 for n in node.shape]
