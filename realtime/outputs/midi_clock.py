"""MIDI clock: 24 ticks a beat, start on a downbeat, stop, continue, song position.

Pure: turns points of the 1/24 grid into messages. Timing is the scheduler's; it never sends a backlog in a burst.

Reference: MIDI 1.0 Detailed Specification, System Real Time Messages (F8, FA, FB, FC), Song Position Pointer (F2).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from realtime.outputs.output import GridPoint

TICK = Fraction(1, 24)
CLOCK, START, CONTINUE, STOP, POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2

StartMode = Literal["start", "position", "none"]


class MidiClock:
    """Which clock messages a point of the grid makes.

    Parameters
    ----------
    mode : {"start", "position", "none"}
        ``start``: FA on the first downbeat, so that the receiver's song begins there. ``position``: F2 and FB,
        so that the receiver's song stands at the same bar. ``none``: ticks only, no transport.
    """

    def __init__(self, mode: StartMode = "start") -> None:
        self.mode = mode
        self.running = False
        self.restarts = 0
        self._expected: Fraction | None = None
        self._downbeat: Fraction | None = None

    def point(self, point: GridPoint) -> list[Sequence[int]]:
        """Messages for a point of the 1/24 grid, in order; the last one is always the tick itself."""
        position = point.position
        whole = self._expected is None or position == self._expected
        self._expected = position + TICK
        if not whole:
            self._downbeat = None
        if self.mode == "none":
            return [(CLOCK,)]
        downbeat = position.denominator == 1 and point.beat_in_bar == 1
        if not downbeat:
            return [(CLOCK,)]
        before, self._downbeat = self._downbeat, position
        if self.running and before is not None and (position - before) % point.beats_per_bar == 0:
            return [(CLOCK,)]
        messages: list[Sequence[int]] = []
        if self.running:  # the receiver counts other bars than we do: begin anew here
            messages.append((STOP,))
            self.restarts += 1
        if self.mode == "position":
            messages += [song_position((point.bar - 1) * point.beats_per_bar), (CONTINUE,)]
        else:
            messages.append((START,))
        self.running = True
        return [*messages, (CLOCK,)]

    def stop(self) -> list[Sequence[int]]:
        """Messages that stop the receiver, if it runs."""
        was, self.running = self.running, False
        self._expected = self._downbeat = None
        return [(STOP,)] if was else []


def song_position(beats: int) -> tuple[int, int, int]:
    """Song position pointer for a number of beats since the start: counts sixteenths, 14 bits, wraps."""
    sixteenths = max(0, beats) * 4 % 16384
    return (POSITION, sixteenths & 0x7F, sixteenths >> 7)
