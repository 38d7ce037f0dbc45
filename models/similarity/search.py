"""Nearest vectors of an index, by track: exactly where there are few, by faiss where there are many."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from realtime.errors import NotFetched
from realtime.library.indexfile import Library

F32 = npt.NDArray[np.float32]

EXACT = 1_300_000
"""Numbers in an index up to which every vector is looked at: 20000 vectors of 64, half a millisecond."""
_FEW = 4
"""Tracks from which their mean says what they have in common."""
_LEAST = 0.5


class Neighbour(NamedTuple):
    """A track that sounds alike.

    Attributes
    ----------
    track : int
        Place in ``Library.tracks``.
    position : float
        Seconds into it, of the stretch that is most alike.
    score : float
        −1 to 1: cosine of the two vectors, what all of the library has in common taken off.
    """

    track: int
    position: float
    score: float


class Search:
    """Looks for neighbours. Owned by one thread.

    Parameters
    ----------
    library : Library
    exact : int
        See ``EXACT``.

    Attributes
    ----------
    vectors : ndarray of float32, shape (n, size)
        Those that sound, without their mean, of unit length.
    owner, place : ndarray of int, shape (n,)
        Track of each, and its number within it.
    tracks : ndarray of int
        Tracks that sound.

    Raises
    ------
    NotFetched
        The library is so big that faiss is needed, and it is not installed.
    """

    def __init__(self, library: Library, exact: int = EXACT) -> None:
        owner = np.repeat(np.arange(len(library.tracks)), [t.vectors for t in library.tracks])
        place = np.concatenate([np.arange(t.vectors) for t in library.tracks] or [np.zeros(0, np.int64)])
        vectors = library.vectors.astype(np.float32)
        sounding = np.linalg.norm(vectors, axis=1) >= _LEAST
        vectors, self.owner, self.place = vectors[sounding], owner[sounding], place[sounding]
        many = len(library.tracks) >= _FEW and len(vectors) > 0
        self._mean = vectors.mean(axis=0) if many else np.zeros(vectors.shape[1], np.float32)
        self._every, self.size = library.every, int(vectors.shape[1])
        self.vectors = _unit(vectors - self._mean)
        self._index: Any = None
        # Where each track begins: its best vector is found without sorting
        self.tracks, self._first = np.unique(self.owner, return_index=True)
        if self.vectors.size > exact:
            self._index = _faiss(self.vectors)

    def nearest(self, vector: F32, count: int) -> list[Neighbour]:
        """At most `count` tracks, the most alike first, each with its most alike stretch.

        Parameters
        ----------
        vector : ndarray of float32, shape (size,)
            As the index's plugin gives it; a vector of silence has no neighbours.
        """
        if not len(self.vectors) or float(np.linalg.norm(vector)) < _LEAST:
            return []
        wanted = _unit((vector - self._mean)[None])
        if self._index is not None:
            scores, rows = (found[0] for found in self._index.search(wanted, 16 * count))
            scores, rows = scores[rows >= 0], rows[rows >= 0]
            _, first = np.unique(self.owner[rows], return_index=True)
            return [self._found(int(rows[k]), float(scores[k])) for k in np.sort(first)[:count]]
        scores = self.vectors @ wanted[0]
        best = np.maximum.reduceat(scores, self._first)
        ends = np.append(self._first[1:], len(scores))
        found = []
        for k in np.argsort(-best, kind="stable")[:count]:
            row = int(self._first[k]) + int(np.argmax(scores[self._first[k] : ends[k]]))
            found.append(self._found(row, float(scores[row])))
        return found

    def _found(self, row: int, score: float) -> Neighbour:
        return Neighbour(int(self.owner[row]), float(self.place[row]) * self._every, min(1.0, max(-1.0, score)))


def _unit(vectors: F32) -> F32:
    found: F32 = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-6))
    return found


def _faiss(vectors: F32) -> Any:
    """An inverted file of inner products (Johnson, Douze & Jégou, 2017), on one thread."""
    try:
        import faiss
    except ImportError as e:
        raise NotFetched(
            f"an index of {len(vectors)} vectors needs faiss: pip install 'sidechain[similarity]', "
            "or fewer vectors: sidechain index FOLDER --every 6"
        ) from e
    faiss.omp_set_num_threads(1)
    lists = max(1, min(4 * round(len(vectors) ** 0.5), len(vectors) // 40))
    size = vectors.shape[1]
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(size), size, lists, faiss.METRIC_INNER_PRODUCT)
    given = np.ascontiguousarray(vectors)
    index.train(given[:: max(1, len(given) // (60 * lists))])
    index.add(given)
    index.nprobe = min(16, lists)
    return index
