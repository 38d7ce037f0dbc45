"""Features, network and decoder in one: a hop of sound in, the belief and the due beat out.

Both the plugin and the bench run this class, so what is measured is what is hosted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from models.beat.decoder import BeatDecoder, DecoderConfig, PredictedBeat
from models.beat.features import F32, SIZE, Features
from models.beat.rhythm import Accents
from realtime.errors import UserError

WEIGHTS = Path(__file__).with_name("beat.onnx")
HEADS = ["pulse", "tempo", "phase", "metre"]


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """The network on one thread, without spinning.

    Raises
    ------
    UserError
        If the file is missing or not a beat network.
    """
    if not path.exists():
        raise UserError(f"{path}: no such beat network; reinstall, or train one with python -m models.beat.train")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own for every cause
        raise UserError(f"{path}: not a readable ONNX model ({error}); fetch it again") from error
    states = [i.name for i in session.get_inputs()[1:]]
    if [o.name for o in session.get_outputs()] != HEADS + [f"{s}_next" for s in states]:
        raise UserError(f"{path}: not a beat network (outputs differ); use one written by models.beat.export")
    return session


class Network:
    """One stream's network: keeps the states, allocates nothing that grows."""

    def __init__(self, path: Path = WEIGHTS) -> None:
        self._session = open_session(path)
        self._initial = {}
        for i in self._session.get_inputs()[1:]:
            shape = [n if isinstance(n, int) else 1 for n in i.shape]
            self._initial[i.name] = np.zeros(shape, np.float32)
        self.reset()

    def reset(self) -> None:
        """Silence before the first frame."""
        self._feed = {"frame": np.zeros((1, SIZE), np.float32), **self._initial}

    def step(self, frame: F32) -> tuple[F32, F32, F32, F32]:
        """One frame, shape ``(144,)``.

        Returns
        -------
        pulse (2,), tempo (48,), phase (16,), metre (6,)
            Probabilities.
        """
        self._feed["frame"][0] = frame
        pulse, tempo, phase, metre, *states = self._session.run(None, self._feed)
        self._feed.update(zip(self._initial, states))
        return pulse[0], tempo[0], phase[0], metre[0]


class Tracker:
    """The whole tracker of one stream; owned by one thread, deterministic.

    Attributes
    ----------
    decoder : BeatDecoder
    pulse : ndarray, shape (2,)
        The network's last answer: beat, downbeat if it is a beat.
    """

    def __init__(self, weights: Path = WEIGHTS, config: DecoderConfig | None = None) -> None:
        self.features = Features()
        self.network = Network(weights)
        self.accents = Accents()
        self.decoder = BeatDecoder(config)
        self.pulse: F32 = np.zeros(2, np.float32)

    def reset(self) -> None:
        """Forget all sound."""
        self.network.reset()
        self.accents.reset()
        self.decoder.reset()
        self.pulse = np.zeros(2, np.float32)

    def step(self, block: F32, end: float) -> PredictedBeat | None:
        """Take the newest 4096 samples, which end at stream second `end`; once per 480 samples."""
        self.pulse, tempo, phase, _ = self.network.step(self.features.frame(block))
        return self.decoder.step(self.pulse, end, tempo, phase, self.accents.step(block))
