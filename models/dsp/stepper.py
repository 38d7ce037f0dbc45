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
    the answers. All arrays are made once and bound to the session: binding anew and making the answers at every
    step costs more than some of the networks.

    Parameters
    ----------
    path : Path
    answers : sequence of str
        Names of the outputs before the states.
    streams : int, optional
        How many frames are heard side by side, each with states of its own; frames and answers then have that
        axis first.

    Raises
    ------
    UserError
        If the file is missing or not such a network.
    """

    def __init__(self, path: Path, answers: tuple[str, ...], streams: int | None = None) -> None:
        if not path.exists():
            raise UserError(
                f"{path}: no such network; reinstall, or make it anew (make train-{path.parent.name} in a clone)"
            )
        self._session = open_session(path)
        frame, *states = self._session.get_inputs()
        outputs = self._session.get_outputs()
        if tuple(o.name for o in outputs) != answers + tuple(f"{s.name}_next" for s in states):
            names = ", ".join(o.name for o in outputs)
            raise UserError(f"{path}: not the network that is wanted here (outputs {names})")
        size = streams or 1
        heard = np.zeros(_shape(frame, size), np.float32)
        # Two sets of states, in turn what is read and what is written.
        self._states = [[np.zeros(_shape(s, size), np.float32) for s in states] for _ in range(2)]
        first, second = self._states
        silence = dict(zip([i.name for i in (frame, *states)], [heard, *first]))
        told: list[F32] = self._session.run(answers, silence)  # a graph does not say the sizes of all its answers
        self._turns = [
            _bound(self._session, [heard, *read], [*told, *written])
            for read, written in ((first, second), (second, first))
        ]
        self._frame, self._answers = heard, told
        if streams is None:
            self._frame, self._answers = heard[0], [a[0, ...] for a in told]
        self._turn = 0

    def reset(self) -> None:
        """Silence before the first frame."""
        for state in self._states[self._turn]:
            state[:] = 0.0

    def step(self, frame: F32) -> list[F32]:
        """One frame (of each stream); returns the answers, valid until the next call."""
        self._frame[:] = frame
        self._session.run_with_iobinding(self._turns[self._turn])
        self._turn = 1 - self._turn
        return self._answers


def _bound(session: onnxruntime.InferenceSession, inputs: list[F32], outputs: list[F32]) -> onnxruntime.IOBinding:
    """The session's arrays, all bound in place."""
    binding = session.io_binding()
    for node, array in zip(session.get_inputs(), inputs, strict=True):
        binding.bind_input(node.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    for node, array in zip(session.get_outputs(), outputs, strict=True):
        binding.bind_output(node.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    return binding


def _shape(node: onnxruntime.NodeArg, batch: int) -> list[int]:
    return [n if isinstance(n, int) else batch for n in node.shape]
