"""Genre, live: a classifier, rules and instruments together, weighed 60/20/20."""

from __future__ import annotations

import math
from collections.abc import Mapping

from models.genre.ensemble import Opinion, Verdict, choose, decide
from models.genre.vocabulary import Scores, Vocabulary, text, told
from realtime.hosting.kinds import CombinePlugin, Latest
from realtime.hosting.plugin import AudioInput, Context, Descriptor, Feature, Output, Parameter, Text

EVERY = 0.5
TOP = 3
_RULES = "genre-rules"


class Genre(CombinePlugin):
    """Reads what others say of genres and instruments; stale ones drop out, and the others' weights grow."""

    descriptor = Descriptor(
        identifier="genre",
        name="Genre (ensemble)",
        description="Top three genres from a classifier, rules on features and hints of instruments",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        kind="combine",
        input=AudioInput(48_000, hop=round(EVERY * 48_000)),
        latency=2.0,
        sources=("melcnn.*", "hub-tags.tags", "genre-rules.*", "tags.*"),
        parameters=(
            Parameter("classifier_weight", "Weight of the classifier", "", 0.0, 1.0, 0.6),
            Parameter("rules_weight", "Weight of the rules", "", 0.0, 1.0, 0.2),
            Parameter("instruments_weight", "Weight of instruments", "", 0.0, 1.0, 0.2),
            Parameter(
                "sure", "Sure from", "", 0.0, 1.0, 0.7, description="below it the second classifier is asked"
            ),
            Parameter("ttl", "Time to live", "s", 1.0, 120.0, 12.0, description="older opinions drop out"),
            Parameter("smoothing", "Smoothing", "s", 0.0, 60.0, 4.0),
        ),
        outputs=(
            Output("genre", "label", rate=1 / EVERY, description="the likeliest, or empty"),
            Output("score", "value", rate=1 / EVERY, description="of the likeliest"),
            Output("top", "label", rate=1 / EVERY, description="'rock 0.41, pop 0.22, soul 0.10'"),
            Output("sources", "label", rate=1 / EVERY, description="who spoke, with what weight"),
            Output(
                "age", "value", "s", 0.0, 120.0, rate=1 / EVERY, description="of the oldest opinion that counts"
            ),
        ),
        texts=(
            Text("classifier", "Classifier", "melcnn", description="plugin that is asked first"),
            Text("fallback", "Second classifier", "hub-tags", description="plugin asked where that is not sure"),
            Text("instruments", "Instruments", "tags", description="plugins whose instruments count, one a line"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Read the vocabulary."""
        self._values = dict(context.parameters)
        defaults = {t.identifier: t.default for t in self.descriptor.texts}
        self._texts = defaults | dict(context.texts)
        self._vocabulary = Vocabulary()
        self._scores: Scores = {}

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def combine(self, results: Mapping[str, Latest], time: float) -> list[Feature]:
        """Ask all, decide."""
        values = self._values
        first, second = (self._classifier(self._texts[k].strip(), results) for k in ("classifier", "fallback"))
        opinions = [
            choose(first, second, values["sure"], values["ttl"]),
            self._classifier(_RULES, results, values["rules_weight"]),
            self._instruments(results),
        ]
        verdict = decide([o for o in opinions if o is not None], values["ttl"])
        if verdict is None:
            self._scores = {}
            return self._say(time, {}, Verdict({}, {}, 0.0))
        keep = math.exp(-EVERY / values["smoothing"]) if values["smoothing"] > 0 and self._scores else 0.0
        names = self._scores.keys() | verdict.scores.keys()
        self._scores = {
            g: keep * self._scores.get(g, 0.0) + (1 - keep) * verdict.scores.get(g, 0.0) for g in sorted(names)
        }
        return self._say(time, self._scores, verdict)

    @staticmethod
    def _say(time: float, scores: Scores, verdict: Verdict) -> list[Feature]:
        best = max(scores, key=scores.__getitem__) if scores else ""
        return [
            Feature("genre", time, None, best),
            Feature("score", time, scores.get(best, 0.0)),
            Feature("top", time, None, text(scores, TOP)),
            Feature("sources", time, None, text(verdict.shares, len(verdict.shares))),
            Feature("age", time, min(120.0, verdict.age)),
        ]

    def _classifier(self, name: str, results: Mapping[str, Latest], weight: float | None = None) -> Opinion | None:
        """Genres of a plugin: what its text ``tags`` says, else its values named like genres."""
        scores, age = _scores(name, results)
        genres = self._vocabulary.read(scores)
        if not genres:
            return None
        return Opinion(name, self._values["classifier_weight"] if weight is None else weight, genres, age)

    def _instruments(self, results: Mapping[str, Latest]) -> Opinion | None:
        names = [n.strip() for n in self._texts["instruments"].split("\n") if n.strip()]
        heard: Scores = {}
        ages = []
        for name in names:
            scores, age = _scores(name, results)
            if scores and age <= self._values["ttl"]:
                heard |= {n: max(s, heard.get(n, 0.0)) for n, s in scores.items()}
                ages.append(age)
        if heard.get("silence", 0.0) > 0.5:
            return None
        hints = self._vocabulary.hints(heard)
        return Opinion("instruments", self._values["instruments_weight"], hints, max(ages)) if hints else None

    def reset(self) -> None:
        """Forget what was said."""
        self._scores = {}


def _scores(plugin: str, results: Mapping[str, Latest]) -> tuple[Scores, float]:
    """All scores of a plugin by name, and the age of the oldest of them."""
    worded = results.get(f"{plugin}.tags")
    if worded is not None and worded.label is not None:
        return told(worded.label), worded.age
    found = {
        n.removeprefix(f"{plugin}."): r
        for n, r in results.items()
        if n.startswith(f"{plugin}.") and isinstance(r.value, float)
    }
    return {n: float(r.value) for n, r in found.items() if isinstance(r.value, float)}, max(
        (r.age for r in found.values()), default=0.0
    )
