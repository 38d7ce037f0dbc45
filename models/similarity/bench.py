"""``sidechain bench similarity [INDEX]``: whether neighbours belong together, and what a look at the index costs.

Each stretch of an index is looked up without what is near it in its own track: a vector that means something finds
the same track again more often than chance would.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from models.similarity.search import Search
from realtime.bench.report import parser, publish
from realtime.errors import UserError
from realtime.library import indexfile

NEAR = 10.0
"""Seconds around a stretch that do not count."""
_MOST = 2000


def same_track(library: indexfile.Library, most: int = _MOST) -> dict[str, float]:
    """Share of stretches whose nearest, outside ``NEAR``, is of the same track; and what chance would give."""
    search = Search(library)
    vectors, owner, place = search.vectors, search.owner, search.place
    if len(search.tracks) < 2:
        raise UserError("the index has fewer than two tracks with sound")
    rows = np.random.default_rng(0).permutation(len(vectors))[:most]
    near, right, chance = NEAR / library.every, 0, 0.0
    for row in rows.tolist():
        scores = vectors @ vectors[row]
        own = owner == owner[row]
        scores[own & (np.abs(place - place[row]) <= near)] = -2
        right += int(owner[int(np.argmax(scores))] == owner[row])
        chance += float((own & (scores > -2)).sum() / (scores > -2).sum())
    return {
        "stretches": len(rows),
        "nearest is of the same track": right / len(rows),
        "by chance": chance / len(rows),
    }


def cost(library: indexfile.Library, looks: int = 300) -> float:
    """Milliseconds of processor time for one look at five neighbours."""
    search = Search(library)
    queries = library.vectors[np.random.default_rng(0).integers(0, len(library.vectors), looks)].astype(np.float32)
    search.nearest(queries[0], 5)
    begun = time.process_time()
    for query in queries:
        search.nearest(query, 5)
    return 1000 * (time.process_time() - begun) / looks


def synthetic(vectors: int, size: int = 64) -> indexfile.Library:
    """Random vectors in tracks of 90: for cost only."""
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((vectors, size)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    tracks = tuple(indexfile.Track("", "", str(k), 180.0, 90, 0) for k in range(vectors // 90))
    return indexfile.Library("tags", "embedding", "1", 2.0, tracks, drawn[: 90 * len(tracks)].astype(np.float16))


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("similarity", __doc__)
    arguments.add_argument("index", type=Path, nargs="?", help="default: the usual place")
    args = arguments.parse_args(argv)
    path = args.index or indexfile.default_path()
    library = indexfile.load(path)
    figures = {
        "tracks": len(library.tracks),
        **same_track(library),
        "ms of CPU a look": cost(library),
        "ms of CPU a look, 20000 vectors of 64": cost(synthetic(20_000)),
    }
    with suppress(UserError):  # faiss is not installed
        figures["ms of CPU a look, 200000 vectors of 64, faiss"] = cost(synthetic(200_000))
    args.index = str(path)
    publish("similarity", args, figures)
    return 0
