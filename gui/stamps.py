"""Marks that are drawn once into a scrolling picture, and scroll with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gui.history import Series
from gui.theme import rgb

U32 = npt.NDArray[np.uint32]
REACH = 8
"""Pixel columns from its instant within which a mark lies."""


class Picture:
    """A ring of pixel columns. Column ``p`` of the endless picture lies at ``p % width``."""

    def __init__(self, width: int, height: int, ground: int) -> None:
        self.width, self.height = max(1, width), max(1, height)
        self.pixels: U32 = np.full((self.height, self.width), ground, np.uint32)
        self.bytes: npt.NDArray[np.uint8] = self.pixels.view(np.uint8).reshape(self.height, self.width, 4)
        self.end = 0
        """Column after the newest that is drawn."""

    def column(self, number: int) -> U32:
        """A column's pixels, top to bottom, to be drawn on."""
        return self.pixels[:, number % self.width]

    def blank(self, first: int, last: int, ground: int | U32) -> None:
        """Make columns `first` … `last` − 1 empty: one pixel, or those of a column (height, 1)."""
        self.pixels[:, np.arange(max(first, last - self.width), last) % self.width] = ground

    def runs(self, first: int, last: int) -> list[tuple[int, int, int]]:
        """Where columns lie in the ring: (first of a run, its place, how many), one or two of them."""
        found = []
        while first < last:
            at = first % self.width
            count = min(last - first, self.width - at)
            found.append((first, at, count))
            first += count
        return found


class Ink:
    """A colour to be laid over pixels.

    Parameters
    ----------
    hue : str
        ``#rrggbb``.
    strength : float
        0 (nothing) to 1 (covers).
    """

    def __init__(self, hue: str, strength: float = 1.0) -> None:
        self.pixel = np.uint32(rgb(hue))
        share = round(256 * strength)
        self.keep = np.uint16(256 - share)
        self.add = np.frombuffer(self.pixel.tobytes(), np.uint8).astype(np.uint16) * np.uint16(share)


class Brush:
    """Lays ink on some columns of a picture, and on no others.

    Parameters
    ----------
    picture : Picture
    first, last : int
        Columns `first` … `last` − 1 may be drawn on.
    """

    def __init__(self, picture: Picture, first: int, last: int) -> None:
        self.picture, self.first, self.last = picture, first, last

    def fill(self, left: int, wide: int, top: int, tall: int, ink: Ink) -> None:
        """A rectangle of pixels."""
        picture = self.picture
        top, bottom = max(0, top), min(picture.height, top + tall)
        for number in range(max(left, self.first), min(left + wide, self.last)):
            place = number % picture.width
            if not ink.keep:
                picture.pixels[top:bottom, place] = ink.pixel
                continue
            under = picture.bytes[top:bottom, place]
            under[:] = (under * ink.keep + ink.add) >> 8


@dataclass
class Stamp:
    """How the rows of a series are drawn.

    Attributes
    ----------
    series : Series
        First number of a row: its instant, stream seconds.
    draw : callable
        Given a brush, the column of the instant and the row's numbers; stays within `REACH` columns of it.
    seen : int
        Rows that have been drawn.
    """

    series: Series
    draw: Callable[[Brush, int, Sequence[float]], Any]
    seen: int = 0

    def apply(self, picture: Picture, first: int, last: int, rate: float) -> None:
        """Draw all marks on columns `first` … `last` − 1, which are fresh, and new marks on those before."""
        series = self.series
        new = min(len(series), max(0, series.total - self.seen))
        self.seen = series.total
        fresh, before = Brush(picture, first, last), Brush(picture, last - picture.width, first)
        for row in series.since((first - REACH) / rate).tolist():
            self.draw(fresh, math.floor(row[0] * rate), row)
        for row in series.rows()[len(series) - new :].tolist() if new else ():
            column = math.floor(row[0] * rate)
            if column < first + REACH:
                self.draw(before, column, row)
