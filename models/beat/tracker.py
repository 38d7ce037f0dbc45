"""Features, network and decoder in one: a hop of sound in, the belief and the due beat out.

Both the plugin and the bench run this class, so what is measured is what is hosted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.beat.bars import BarCounter
from models.beat.decoder import BeatDecoder, PredictedBeat
from models.beat.decoderconfig import DecoderConfig
from models.beat.features import F32, FPS, HOP, Features
from models.beat.rhythm import Accents
from models.dsp.programme import Programme
from models.dsp.stepper import Stepper

WEIGHTS = Path(__file__).with_name("beat.onnx")
HEADS = ("pulse", "tempo", "phase", "metre")


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
        self.network = Stepper(weights, HEADS)
        self.accents = Accents()
        self.programme = Programme(FPS)
        self.decoder = BeatDecoder(config, BarCounter())
        self.pulse: F32 = np.zeros(2, np.float32)

    def reset(self) -> None:
        """Forget all sound."""
        self.network.reset()
        self.accents.reset()
        self.programme.reset()
        self.decoder.reset()
        self.pulse = np.zeros(2, np.float32)

    def step(self, block: F32, end: float, levels: F32 | None = None) -> PredictedBeat | None:
        """Take the newest 4096 samples, which end at stream second `end`; once per 480 samples.

        `levels` are the spectra of :class:`~models.beat.rhythm.Accents`, where these are there already.
        """
        begins = self.programme.hear(block[-HOP:])
        frame = self.features.frame(block, self.programme.gain)
        if begins:
            self.network.reset()
            self.decoder.silence_ended()  # which keeps its belief beside: the piece may go on as well
        self.pulse, tempo, phase, _ = self.network.step(frame)
        return self.decoder.step(self.pulse, end, tempo, phase, self.accents.step(block, levels), frame)
