"""Utterances out of a stream: our own voice activity decides what is worth a transcript.

The sound comes hop by hop in pieces of any size; what comes out depends on the sound alone, not on the pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from models.voice.features import HOP, SAMPLE_RATE, WINDOW
from models.voice.plugin import Voice
from realtime.hosting.plugin import Array, Context

RATE = SAMPLE_RATE
LONGEST = 28.0
"""Seconds of an utterance at most: Whisper hears 30."""

_BEFORE = round(0.3 * RATE)
"""Samples kept from before the voice was noticed: it begins earlier."""
_SLACK = RATE
_FRAME = RATE // 50


class Utterance(NamedTuple):
    """A piece of sound with a voice in it.

    Attributes
    ----------
    sound : ndarray of float32, shape (n,)
        At `RATE`; its own.
    start : float
        Stream seconds of its first sample.
    """

    sound: Array
    start: float

    @property
    def end(self) -> float:
        """Stream seconds after its last sample."""
        return self.start + len(self.sound) / RATE


class Gate:
    """Cuts a stream into utterances.

    Parameters
    ----------
    values : mapping of str to float
        ``threshold``, ``hysteresis``, ``hold_ms`` as of the plugin ``voice``; ``shortest`` and ``longest`` in
        seconds. A longer utterance is cut at its quietest place in its last third.
    """

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = dict(values)
        self._voice = Voice()
        own = {p.identifier: p.default for p in Voice.descriptor.parameters}
        self._voice.prepare(Context({k: self._values.get(k, v) for k, v in own.items()}))
        self._block = np.zeros(WINDOW, np.float32)
        self._held = np.zeros(round(LONGEST * RATE) + _BEFORE + _SLACK, np.float32)
        self._count = 0
        self._active = False

    def set(self, identifier: str, value: float) -> None:
        """Change one of the values."""
        self._values[identifier] = value
        if Voice.descriptor.parameter(identifier) is not None:
            self._voice.parameter(identifier, value)

    def reset(self) -> None:
        """Forget all sound."""
        self._voice.reset()
        self._block[:] = 0.0
        self._count = 0
        self._active = False

    def feed(self, sound: Array, start: float) -> list[Utterance]:
        """Take the next sound; the utterances that have ended in it.

        Parameters
        ----------
        sound : ndarray of float32, shape (n,)
            At `RATE`; n is a multiple of 10 ms.
        start : float
            Stream seconds of its first sample.
        """
        found: list[Utterance] = []
        for at in range(0, len(sound) - HOP + 1, HOP):
            utterance = self._step(sound[at : at + HOP], start + (at + HOP) / RATE)
            if utterance is not None and len(utterance.sound) >= self._values["shortest"] * RATE:
                found.append(utterance)
        return found

    def _step(self, hop: Array, now: float) -> Utterance | None:
        self._block[:-HOP] = self._block[HOP:]
        self._block[-HOP:] = hop
        if not self._active and self._count + HOP > _BEFORE + _SLACK:
            self._keep(self._count - _BEFORE)
        self._held[self._count : self._count + HOP] = hop
        self._count += HOP
        for feature in self._voice.process(self._block, now):
            if feature.output == "active":
                self._active = feature.value == 1.0
                if not self._active:
                    return self._cut(self._count, now)
                self._keep(max(0, self._count - _BEFORE))
        if self._active and self._count >= min(self._values["longest"], LONGEST) * RATE:
            return self._cut(self._quietest(), now)
        return None

    def _cut(self, at: int, now: float) -> Utterance:
        """What is held up to `at`; the rest stays."""
        start = now - self._count / RATE
        sound = self._held[:at].copy()
        self._keep(at)
        return Utterance(sound, start)

    def _keep(self, first: int) -> None:
        """Let go of what is before `first`."""
        rest = self._held[first : self._count].copy()
        self._held[: len(rest)] = rest
        self._count = len(rest)

    def _quietest(self) -> int:
        """Where a long utterance is cut: in the middle of the quietest fifth of a second of its last third."""
        first = self._count * 2 // 3
        frames = self._held[first : first + (self._count - first) // _FRAME * _FRAME].reshape(-1, _FRAME)
        power = np.convolve(np.mean(np.square(frames), axis=1), np.ones(10), "valid")
        return first + (int(power.argmin()) + 5) * _FRAME
