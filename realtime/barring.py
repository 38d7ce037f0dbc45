"""Counting beats into bars and phrases: follows the tracker's bar position, but not its every whim."""

from __future__ import annotations

from typing import NamedTuple

from realtime.timeline import Bars, Place


class BarHint(NamedTuple):
    """What the tracker says: beat `number` lies `offset` beats into a cycle of `cycle`, in bars of `metre`."""

    number: int
    offset: int
    cycle: int
    metre: int
    confidence: float


def patience(confidence: float) -> int:
    """Beats for which the tracker must contradict the count before it is believed."""
    return 1 if confidence >= 0.7 else 2 if confidence >= 0.4 else 4


class BarCounter:
    """The running count of bars and phrases.

    Parameters
    ----------
    metre : int
        Beats per bar; 0 = as the tracker says (4 until it does).
    phrase_bars : int
    """

    def __init__(self, metre: int, phrase_bars: int) -> None:
        self.fixed = metre > 0
        self.overridden = False
        self.maps: tuple[Bars, ...] = (Bars(1, 1, metre or 4, 1, 1, 1, phrase_bars),)
        self._confirmed = False
        self._dispute: tuple[int, int] = (0, 0)
        self._disputed = 0
        self._hint: BarHint | None = None

    @property
    def metre(self) -> int:
        """Beats per bar now."""
        return self.maps[-1].beats_per_bar

    def hint(self, hint: BarHint | None) -> None:
        """Note the tracker's newest belief; it is weighed at the next beat."""
        self._hint = hint

    def release(self) -> None:
        """Follow the tracker again at once (after a jump): forget an operator's "one" and old confirmations."""
        self.overridden = False
        self._confirmed = False
        self._disputed = 0
        self._hint = None

    def regroup(self, phrase_bars: int) -> None:
        """Phrases of so many bars from the present count on."""
        self.maps = (*self.maps[:-1], self.maps[-1]._replace(phrase_bars=phrase_bars))

    def place(self, number: int) -> Place:
        """Place of a beat by the present count."""
        return self.maps[-1].place(number)

    def commit(self, number: int) -> Place:
        """The place of beat `number`, which is being committed now; weighs the tracker's belief first."""
        hint = self._hint
        if hint is None or self.overridden or (self.fixed and hint.metre != self.metre):
            return self.place(number)
        own = self.place(number)
        index = (hint.offset + number - hint.number) % hint.cycle
        shift = (index - (own.beat_in_bar - 1)) % hint.cycle
        if hint.metre == own.beats_per_bar and shift == 0:
            self._confirmed, self._disputed = True, 0
            return own
        dispute = ((index - number) % hint.cycle, hint.metre)
        self._disputed = self._disputed + 1 if dispute == self._dispute else 1
        self._dispute = dispute
        if self._confirmed and self._disputed < patience(hint.confidence):
            return own
        self._confirmed, self._disputed = True, 0
        return self.anchor(number, index + 1, hint.metre)

    def anchor(self, number: int, beat_in_bar: int, metre: int, new_phrase: bool = False) -> Place:
        """Count from beat `number` on, which is beat `beat_in_bar` of a bar of `metre`.

        The bar number goes up by one when that beat is a downbeat, else it stays.
        """
        before = self.maps[-1].place(number - 1) if number > 1 else Place(1, metre, 1, 1)
        old = self.maps[-1]
        bar = before.bar + (1 if beat_in_bar == 1 and number > 1 else 0)
        phrase, phrase_bar = old.phrase, old.phrase_bar
        if new_phrase:
            phrase, phrase_bar = before.phrase + (1 if number > 1 else 0), bar
        elif number == 1:
            phrase_bar = bar if beat_in_bar == 1 else bar + 1
        bars = Bars(number, beat_in_bar, metre, bar, phrase, phrase_bar, old.phrase_bars)
        kept = tuple(m for m in self.maps[-3:] if m.first < number)
        self.maps = (*kept, bars)
        return bars.place(number)

    def rescale(self, number: int, ratio: float) -> None:
        """From beat `number` on beats go by `ratio` times as fast; weak and strong beats stay what they were."""
        index = int((self.place(number).beat_in_bar - 1) * ratio) % self.metre
        self._hint, self._disputed = None, 0
        self.anchor(number, index + 1, self.metre)

    def one(self, number: int, since: int) -> None:
        """A person says that the beat `since` beats before `number`, the next one, is the first of a phrase."""
        index = since % self.metre
        before = self.place(number - 1) if number > 1 else Place(1, self.metre, 0, 0)
        bar, phrase = before.bar + 1, before.phrase + 1
        bars = Bars(number, index + 1, self.metre, bar, phrase, bar, self.maps[-1].phrase_bars)
        self.maps = (*(m for m in self.maps[-3:] if m.first < number), bars)
        self.overridden = True

    def set_metre(self, number: int, metre: int) -> None:
        """Another metre from beat `number` (the next one) on; the running bar keeps its downbeat."""
        before = self.place(number - 1).beat_in_bar if number > 1 else 0
        self.fixed = metre > 0
        if metre > 0:
            self.anchor(number, before + 1 if before < metre else 1, metre)
