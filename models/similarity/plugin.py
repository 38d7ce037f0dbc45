"""What of one's own library sounds like what sounds now: nearest neighbours of an embedding, twice a second."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.similarity.search import Search
from realtime.errors import PluginError
from realtime.hosting.kinds import CombinePlugin, Latest
from realtime.hosting.plugin import AudioInput, Context, Descriptor, Feature, Output, Parameter, Text
from realtime.library import indexfile

EVERY = 0.5
MOST = 10
_LIVES = 12.0
"""Seconds after which an embedding no longer counts as what sounds now."""
_TITLE = 120


class Similarity(CombinePlugin):
    """Compares the newest embedding with an index made by ``sidechain index``."""

    descriptor = Descriptor(
        identifier="similarity",
        name="Similar pieces",
        description="Nearest pieces of your own library to what sounds now; index: sidechain index FOLDER",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        kind="combine",
        input=AudioInput(48_000, hop=round(EVERY * 48_000)),
        latency=1.0,
        sources=("*.embedding",),
        parameters=(
            Parameter("neighbours", "Neighbours", "", 1, MOST, 5, description="most pieces told"),
            Parameter("smoothing", "Smoothing", "s", 0.0, 30.0, 2.0, description="of the sound; longer is calmer"),
        ),
        outputs=(
            Output("nearest", "label", rate=1 / EVERY, description="title of the nearest piece, or empty"),
            Output("score", "value", minimum=-1.0, rate=1 / EVERY, description="likeness; 0: as any, 1: the same"),
            Output("position", "value", "s", 0.0, math.inf, rate=1 / EVERY, description="of the likest stretch"),
            Output("neighbours", "label", rate=1 / EVERY, description="a line each: likeness, place, title"),
        ),
        texts=(Text("index", "Index", "", description="made by 'sidechain index'; empty = the usual place"),),
    )

    def prepare(self, context: Context) -> None:
        """Read the index; raises ``UserError`` when there is none, or it is not one."""
        self._values = dict(context.parameters)
        given = context.texts.get("index", "")
        library = indexfile.load(Path(given).expanduser() if given else indexfile.default_path())
        self._search = Search(library)
        self._titles = [t.title[:_TITLE] for t in library.tracks]
        self._source = f"{library.plugin}.{library.output}"
        self._sound = np.zeros(self._search.size, np.float32)

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def combine(self, results: Mapping[str, Latest], time: float) -> list[Feature]:
        """One look at the index; empty where the embedding is missing, old, or of silence."""
        latest = results.get(self._source)
        now = np.zeros_like(self._sound)
        if latest is not None and latest.age <= _LIVES and isinstance(latest.value, tuple):
            if len(latest.value) != len(now):
                raise PluginError(
                    f"{self._source} has {len(latest.value)} numbers, the index {len(now)}; make the index anew"
                )
            now = np.asarray(latest.value, np.float32)
        seconds = self._values["smoothing"]
        keep = math.exp(-EVERY / seconds) if seconds > 0 else 0.0
        self._sound = np.float32(keep) * self._sound + np.float32(1 - keep) * now
        length = float(np.linalg.norm(self._sound))
        heard = self._sound / np.float32(length) if length > 0.1 and now.any() else np.zeros_like(now)
        found = self._search.nearest(heard, round(self._values["neighbours"]))
        lines = [f"{n.score:.2f}  {clock(n.position)}  {self._titles[n.track]}" for n in found]
        return [
            Feature("nearest", time, None, self._titles[found[0].track] if found else ""),
            Feature("score", time, found[0].score if found else 0.0),
            Feature("position", time, found[0].position if found else 0.0),
            Feature("neighbours", time, None, "\n".join(lines)),
        ]

    def reset(self) -> None:
        """Forget all sound."""
        self._sound[:] = 0


def clock(seconds: float) -> str:
    """``83.4`` as ``1:23``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
