"""A pulse, once established, is not given up for its own off-beat within a bar or two.

In a breakdown the kick goes and what is left, a hat or a stab, often falls between the beats; the belief then
moves over by half a beat at an unchanged tempo, though every listener goes on counting as before. So a shift of
phase at the same tempo is first only noted: the old pulse is shown on, carried by the new one, and the new one is
taken over when it has lasted in proportion to how long the old one had. Another tempo is believed at once: that
is a cut; and a pulse that has glided to another tempo within some beats counts as new.
"""

from __future__ import annotations

import math

from models.beat.reading import Reading

TOLERANCE = 0.15
"""Beats by which the phase may move from one frame to the next without being another pulse."""
SAME = 0.03
"""Of the logarithm of the tempo."""
OTHER = 0.05
"""How far it may be from its mean, of its logarithm: a belief may also glide to the tempo of another piece."""
BEATS = 16.0
"""Over which that mean goes."""


def wrapped(beats: float) -> float:
    """The same phase difference within [-0.5, 0.5)."""
    return (beats + 0.5) % 1.0 - 0.5


class Inertia:
    """Decides when a reading of the belief is shown as it is. Owned by the decoder's thread.

    Parameters
    ----------
    gain : float
        Beats that another phase has to last per beat for which the present one had been there,
    grace : float
        less this many: a pulse just found may well be the wrong one.
    most : float
        Bound of that patience, beats.

    Attributes
    ----------
    slip : float
        Beats by which the pulse shown is ahead of the belief; 0 = not contested.
    relocated : bool
        Whether the last reading is of another pulse than the one before.
    """

    def __init__(self, gain: float, grace: float, most: float) -> None:
        self._gain, self._grace, self._most = gain, grace, most
        self.reset()

    def reset(self) -> None:
        """Forget what has been established."""
        self.slip = 0.0
        self.relocated = False
        self._contest = self._established = 0.0
        self._shown: Reading | None = None
        self._usual = 0.0

    def follow(self, new: Reading) -> Reading:
        """What to show for the belief's `new` reading."""
        old, tempo = self._shown, -math.log(new.period)
        self.relocated = False
        if old is not None:
            step = (new.time - old.time) / old.period
            if abs(math.log(new.period / old.period)) >= SAME:
                self._take_over()
            else:
                self._compare(tempo, step * new.mass)
                self._weigh(wrapped(new.phase + self.slip - old.phase - step), step * new.mass)
        if old is None or self.relocated:
            self._usual = tempo
        if self.slip:
            new = new._replace(phase=(new.phase + self.slip) % 1.0)
        self._shown = new
        return new

    def _compare(self, tempo: float, beats: float) -> None:
        """With the tempo at which the present pulse was established; of another one it is no measure."""
        apart = tempo - self._usual
        if abs(apart) >= OTHER:
            self._usual, self._established = tempo, 0.0
        else:
            self._usual += apart * min(1.0, beats / BEATS)

    def _weigh(self, moved: float, beats: float) -> None:
        if abs(moved) > TOLERANCE:
            self.slip = wrapped(self.slip - moved)
            if abs(self.slip) < TOLERANCE:
                self.slip, self._contest = 0.0, 0.0
        if self.slip:
            self._contest += beats
            if self._contest > min(self._gain * max(0.0, self._established - self._grace), self._most):
                self._take_over()
        else:
            self._contest = max(0.0, self._contest - beats)
            self._established += beats

    def release(self) -> None:
        """Hold on to the present pulse no longer: the next other one is taken over at once."""
        self.slip = self._contest = self._established = 0.0

    def _take_over(self) -> None:
        self.release()
        self.relocated = True
