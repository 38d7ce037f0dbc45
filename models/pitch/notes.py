"""Notes out of a pitch curve: on, off, and changes, with hysteresis so that vibrato stays one note."""

from __future__ import annotations

import math

from realtime.hosting.plugin import Feature

_SEMITONE = 0.65  # how far the pitch may stray from the note before another one is considered
_SETTLE = 3  # hops that a new note must hold
_RELEASE = 4  # unvoiced hops that end a note


def midi(hz: float) -> float:
    """MIDI note number, fractional; A4 = 69 = 440 Hz."""
    return 69.0 + 12.0 * math.log2(hz / 440.0)


class Notes:
    """Turns pitch per hop into note starts and ends."""

    def __init__(self) -> None:
        self._note, self._candidate = -1, -1
        self._held, self._silent = 0, 0

    def features(self, time: float, hz: float, confidence: float) -> list[Feature]:
        """What a pitch plugin tells of one hop: ``hz``, ``confidence``, ``midi``, and ``note`` events.

        Parameters
        ----------
        time : float
            Stream seconds of the pitch.
        hz : float
            0 = unvoiced.
        confidence : float
            0 to 1.
        """
        found = [
            Feature("hz", time, hz),
            Feature("confidence", time, confidence),
            Feature("midi", time, midi(hz) if hz else 0.0),
        ]
        for note, starts in self.process(hz):
            found.append(Feature("note", time, float(note), "on" if starts else "off"))
        return found

    def process(self, hz: float) -> list[tuple[int, bool]]:
        """Pitch of one hop (0 = unvoiced) in; (note, starts) out, ends before starts."""
        if hz <= 0.0:
            self._held = 0
            self._silent += 1
            if self._note >= 0 and self._silent == _RELEASE:
                ended, self._note = self._note, -1
                return [(ended, False)]
            return []
        self._silent = 0
        value = midi(hz)
        if self._note >= 0 and abs(value - self._note) <= _SEMITONE:
            self._held = 0
            return []
        nearest = round(value)
        self._held = self._held + 1 if nearest == self._candidate else 1
        self._candidate = nearest
        if self._held < _SETTLE:
            return []
        found = [(self._note, False)] if self._note >= 0 else []
        self._note, self._held = nearest, 0
        return [*found, (nearest, True)]
