"""What has been seen, in rings of fixed size: nothing here grows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Series:
    """Rows of numbers, the newest `capacity` of them.

    Every row is kept twice, one capacity apart, so that any run of rows is one contiguous view.

    Parameters
    ----------
    capacity : int
    width : int
        Numbers a row. Where rows have a time, it is the first of them and never falls.
    """

    def __init__(self, capacity: int, width: int) -> None:
        self.capacity = capacity
        self._rows = np.zeros((2 * capacity, width))
        self.total = 0
        """Rows ever added; the newest has number ``total - 1``."""

    def add(self, *row: float) -> None:
        """Append a row; the oldest gives way."""
        at = self.total % self.capacity
        self._rows[at] = self._rows[at + self.capacity] = row
        self.total += 1

    def __len__(self) -> int:
        return min(self.total, self.capacity)

    def rows(self) -> npt.NDArray[np.float64]:
        """All rows, oldest first; a view that is right until the next `add`."""
        end = self.total % self.capacity + self.capacity
        return self._rows[end - len(self) : end]

    def since(self, time: float) -> npt.NDArray[np.float64]:
        """Rows whose first number is at least `time`."""
        rows = self.rows()
        return rows[int(np.searchsorted(rows[:, 0], time)) :]

    def clear(self) -> None:
        """Forget everything."""
        self.total = 0


class Columns:
    """Numbered columns of values (outlines, spectra), the newest `capacity`; holes read as `empty`.

    Parameters
    ----------
    capacity, width : int
    empty : float
    """

    def __init__(self, capacity: int, width: int, empty: float) -> None:
        self.capacity, self.width, self._empty = capacity, width, empty
        self._data = np.full((capacity, width), empty, np.float32)
        self.end = 0
        """Number after that of the newest column."""

    def put(self, end: int, columns: npt.NDArray[np.floating]) -> None:
        """Take the columns that end before number `end`; those already known are passed over.

        A number far from what is expected means that the stream began anew.
        """
        if not self.end or abs(end - self.end) > self.capacity or end < self.end - 4 * len(columns):
            self._data[:] = self._empty
            self.end = max(0, end - len(columns))
        missing = end - self.end
        if missing <= 0:
            return
        for number in range(self.end, end - len(columns)):
            self._data[number % self.capacity] = self._empty
        fresh = min(missing, len(columns))
        for k in range(fresh):
            self._data[(end - fresh + k) % self.capacity] = columns[len(columns) - fresh + k]
        self.end = end

    def get(self, first: int, last: int) -> npt.NDArray[np.float32]:
        """Copies of columns `first` … `last - 1`; what is not there is `empty`."""
        numbers = np.arange(first, last)
        found = self._data[numbers % self.capacity]
        found[(numbers < max(0, self.end - self.capacity)) | (numbers >= self.end)] = self._empty
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._data[:] = self._empty
        self.end = 0
