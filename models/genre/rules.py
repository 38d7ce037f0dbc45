"""Genre by rules on features: tempo, bands, tags. Weak alone; the ensemble asks it for a fifth."""

from __future__ import annotations

import math
from collections.abc import Mapping

from models.genre.heuristic import judge
from models.genre.vocabulary import Vocabulary, text
from realtime.hosting.kinds import CombinePlugin, Latest
from realtime.hosting.plugin import AudioInput, Context, Descriptor, Feature, Output, Parameter

EVERY = 0.5
_GENRES = Vocabulary().genres
_TAGS = ("drums", "bass", "guitar", "keys", "strings", "brass", "winds", "synth", "singing", "speech")
_BANDS = ("low", "mid", "high")


class GenreRules(CombinePlugin):
    """Reads the clock, ``bands`` and ``tags``; what is not there counts for nothing."""

    descriptor = Descriptor(
        identifier="genre-rules",
        name="Genre by rules",
        description="Scores of genres from tempo, bands and tags, by the ranges in models/genre/genres.json",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        kind="combine",
        input=AudioInput(48_000, hop=round(EVERY * 48_000)),
        latency=2.0,
        sources=("transport.bpm", "transport.confidence", "bands.*", "tags.*"),
        parameters=(
            Parameter("smoothing", "Smoothing", "s", 0.0, 60.0, 8.0, description="of the features"),
            Parameter("ttl", "Time to live", "s", 1.0, 60.0, 5.0, description="older features do not count"),
        ),
        outputs=(
            *(Output(g, "value", rate=1 / EVERY, description=f"{g}, 0 to 1; all together 1") for g in _GENRES),
            Output("genre", "label", rate=1 / EVERY, description="the likeliest, or empty"),
            Output("top", "label", rate=1 / EVERY, description="the likeliest three with scores"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Read the rules."""
        self._values = dict(context.parameters)
        self._vocabulary = Vocabulary()
        self._features: dict[str, float] = {}

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def combine(self, results: Mapping[str, Latest], time: float) -> list[Feature]:
        """One look at the features; says nothing in silence, so that what it said grows old."""
        fresh = {n: float(r.value) for n, r in results.items() if isinstance(r.value, float) and self._alive(r)}
        if fresh.get("tags.silence", 0.0) > 0.5:
            return [Feature("genre", time, None, ""), Feature("top", time, None, "")]
        now = {t: fresh[f"tags.{t}"] for t in _TAGS if f"tags.{t}" in fresh}
        now |= {b: fresh[f"bands.{b}"] for b in _BANDS if f"bands.{b}" in fresh}
        if "transport.confidence" in fresh:
            now["pulse"] = fresh["transport.confidence"]
            if now["pulse"] >= 0.4 and fresh.get("transport.bpm", 0.0) > 0:
                now["bpm"] = fresh["transport.bpm"]
        self._smooth(now)
        scores = judge(self._vocabulary.rules, self._features)
        if not scores:
            return [Feature("genre", time, None, ""), Feature("top", time, None, "")]
        return [
            *(Feature(g, time, scores.get(g, 0.0)) for g in _GENRES),
            Feature("genre", time, None, max(scores, key=scores.__getitem__)),
            Feature("top", time, None, text(scores, 3)),
        ]

    def _alive(self, result: Latest) -> bool:
        return result.age <= self._values["ttl"]

    def _smooth(self, now: Mapping[str, float]) -> None:
        seconds = self._values["smoothing"]
        keep = math.exp(-EVERY / seconds) if seconds > 0 else 0.0
        before = self._features
        # A tempo is not a mean of tempi
        self._features = {
            n: v if n == "bpm" or n not in before else keep * before[n] + (1 - keep) * v for n, v in now.items()
        }

    def reset(self) -> None:
        """Forget all sound."""
        self._features = {}
