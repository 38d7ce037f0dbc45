"""Which recording, and where in it: fingerprints compared bit by bit at the places where words agree.

Half words (16 bits) of the query are looked up in sorted tables; each hit votes for an alignment, and the ones
with most votes are verified by their share of differing bits (the scheme of AcoustID; cf. Haitsma & Kalker, "A
highly robust audio fingerprinting system", 2002, who look up whole words).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from realtime.library.indexfile import Library

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]

LEAST_WORDS = 24
"""Words that must overlap, 3 s."""
_LEAST_KINDS = 0.25
"""Share of the words of a query that must differ: silence and steady tones are alike everywhere."""
_MOST_HITS = 400
"""Places of a half word beyond which it says nothing."""
_CANDIDATES = 12
_HALF = np.uint32(16)


class Match(NamedTuple):
    """Where a query was found.

    Attributes
    ----------
    track : int
        Place in ``Library.tracks``.
    offset : int
        Word of the track at which the query begins; may be negative.
    errors : float
        Share of differing bits, 0 to 0.5.
    """

    track: int
    offset: int
    errors: float


class Matcher:
    """Fingerprints of a library, ready to be searched. Owned by one thread."""

    def __init__(self, library: Library) -> None:
        self._words = library.prints
        counts = np.array([t.prints for t in library.tracks], np.int64)
        self._ends = np.cumsum(counts)
        self._starts = self._ends - counts
        self._bits = np.array([bin(k).count("1") for k in range(1 << 16)], np.uint8)
        self._tables = [_table(self._words >> _HALF), _table(self._words & np.uint32(0xFFFF))]

    def match(self, query: U32) -> Match | None:
        """The best alignment, whatever its errors; None if there is none worth a look."""
        if len(query) < LEAST_WORDS or len(np.unique(query)) < _LEAST_KINDS * len(query) or not len(self._words):
            return None
        votes = self._votes(query)
        if not len(votes):
            return None
        places, counts = np.unique(votes, return_counts=True)
        # The grids of query and track are apart by up to half a word: neighbours vote together
        together = counts.copy()
        near = np.flatnonzero(np.diff(places) == 1)
        together[near] += counts[near + 1]
        together[near + 1] += counts[near]
        best: Match | None = None
        for k in np.argsort(-together, kind="stable")[:_CANDIDATES]:
            for shift in (-1, 0, 1):
                found = self._verify(query, int(places[k]) + shift, int(places[k]))
                if found is not None and (best is None or found.errors < best.errors):
                    best = found
        return best

    def _votes(self, query: U32) -> I64:
        """Places in the row of all words at which the query may begin."""
        found = []
        for (values, order), half in zip(self._tables, (query >> _HALF, query & np.uint32(0xFFFF))):
            low, high = np.searchsorted(values, half, "left"), np.searchsorted(values, half, "right")
            for j, (a, z) in enumerate(zip(low.tolist(), high.tolist())):
                if 0 < z - a <= _MOST_HITS:
                    found.append(order[a:z] - j)
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def _verify(self, query: U32, place: int, voted: int) -> Match | None:
        """Compare where both overlap within one track."""
        middle = min(max(0, voted + len(query) // 2), len(self._words) - 1)
        track = int(np.searchsorted(self._ends, middle, "right"))
        begin, end = max(place, int(self._starts[track])), min(place + len(query), int(self._ends[track]))
        if end - begin < LEAST_WORDS:
            return None
        apart = query[begin - place : end - place] ^ self._words[begin:end]
        differing = int(self._bits[apart & np.uint32(0xFFFF)].sum()) + int(self._bits[apart >> _HALF].sum())
        return Match(track, place - int(self._starts[track]), min(0.5, differing / (32 * (end - begin))))


def _table(halves: U32) -> tuple[npt.NDArray[np.uint16], I64]:
    """Half words in order, and where each stands."""
    order = np.argsort(halves, kind="stable").astype(np.int64)
    return halves[order].astype(np.uint16), order
