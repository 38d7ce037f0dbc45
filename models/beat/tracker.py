"""Features, networks and decoder in one: two frames of sound in, the belief and the due beat out.

Both the plugin and the bench run this class, so what is measured is what is hosted.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.beat.bars import BarCounter
from models.beat.decoder import BeatDecoder, PredictedBeat
from models.beat.decoderconfig import DecoderConfig
from models.beat.features import F32, FPS, HOP, MOVE, PAIR, SAMPLE_RATE, VIEWS, Features
from models.beat.rhythm import EACH, F64, Accents
from models.dsp.programme import Programme
from models.dsp.stepper import Stepper

WEIGHTS, SECOND = (Path(__file__).with_name(name) for name in ("beat.onnx", "second.onnx"))
HEADS = ("pulse", "tempo", "phase", "metre", "music")


class Heard(NamedTuple):
    """What the decoder is told of one frame.

    Attributes
    ----------
    end : float
        Stream seconds of the end of the frame.
    pulse : list of [beat, downbeat], three
        Probability of a beat, and of a downbeat if it is one: in the sound as it is; the mean of that and of the
        answer to the sound without bass (:data:`~models.beat.features.VIEWS`); that mean of the second network's.
    tempo : ndarray of float32, shape (2, 48)
        Probability of tempi, in both views of the sound.
    phase : ndarray of float32, shape (16,)
        Probability of positions in the bar, in the sound as it is.
    rise : ndarray, shape (2, 3)
        Of its steps, from :class:`~models.beat.rhythm.Accents`.
    frame : ndarray of float32, shape (144,)
        What the network heard of the sound as it is.
    music : float
        Probability that there is music, in the sound as it is.
    resumes : bool
        Whether sound is back after a silence.
    """

    end: float
    pulse: list[list[float]]
    tempo: F32
    phase: F32
    rise: F64
    frame: F32
    music: float
    resumes: bool


class Tracker:
    """The whole tracker of one stream; owned by one thread, deterministic.

    Of the second network, which errs elsewhere, one of the beliefs hears the pulse; all else is the first's.

    Attributes
    ----------
    decoder : BeatDecoder
    pulse : ndarray, shape (2, 2)
        The network's answers to the last two frames of the sound as it is: beat, downbeat if it is a beat.
    """

    def __init__(self, weights: Path = WEIGHTS, config: DecoderConfig | None = None) -> None:
        self.features = Features()
        self.networks = [Stepper(path, HEADS, len(VIEWS)) for path in (weights, SECOND)]
        self.accents = Accents()
        self.programme = Programme(FPS)
        self.decoder = BeatDecoder(config, BarCounter())
        self.pulse: F32 = np.zeros((PAIR, 2), np.float32)

    def reset(self) -> None:
        """Forget all sound."""
        self._forget()
        self.accents.reset()
        self.programme.reset()
        self.decoder.reset()
        self.pulse = np.zeros((PAIR, 2), np.float32)

    def step(self, block: F32, end: float, levels: F32 | None = None) -> PredictedBeat | None:
        """Take the newest 4576 samples, which end at stream second `end`; once per 960 samples.

        `levels` are the spectra of :class:`~models.beat.rhythm.Accents`, where these are there already.
        """
        sent = None
        for heard in self.hear(block, end, levels):
            sent = tell(self.decoder, heard)
        return sent

    def hear(self, block: F32, end: float, levels: F32 | None = None) -> list[Heard]:
        """What the decoder is to be told of each frame of the same; its arrays hold until the next call."""
        resumes, gains = [], []
        for hop in block[-MOVE:].reshape(-1, HOP):
            resumes.append(self.programme.hear(hop))
            gains.append(self.programme.gain)
        views = self.features.views(block, gains)
        if any(resumes):  # a frame of silence before the sound changes nothing
            self._forget()
        (pulse, tempo, phase, _, music), (second, *_) = (network.step(views) for network in self.networks)
        self.pulse = pulse[0]
        rises = self.accents.step(block, levels)
        return [
            Heard(
                end - (PAIR - 1 - k) * HOP / SAMPLE_RATE,
                # from here on answers, not views
                [here, _mean(here, there), _mean(*other)],
                tempo[:, k],
                phase[0, k],
                rises[k * EACH : (k + 1) * EACH],
                views[0, k],
                sure,
                resumes[k],
            )
            for k, (here, there, other, (sure,)) in enumerate(
                zip(*pulse.tolist(), zip(*second.tolist()), music[0].tolist())
            )
        ]

    def _forget(self) -> None:
        for network in self.networks:
            network.reset()


def _mean(one: list[float], two: list[float]) -> list[float]:
    return [0.5 * (a + b) for a, b in zip(one, two)]


def tell(decoder: BeatDecoder, heard: Heard) -> PredictedBeat | None:
    """Have a decoder take a frame; the beat that it sends."""
    if heard.resumes:
        decoder.silence_ended()  # which keeps its belief beside: the piece may go on as well
    return decoder.step(heard.pulse, heard.end, heard.tempo, heard.phase, heard.rise, heard.frame, heard.music)
