"""The rules: for each genre, ranges of tempo, bands and tags that speak for it."""

from __future__ import annotations

from collections.abc import Mapping

from models.genre.vocabulary import Scores, Spans

_SOFT = 0.15
"""How far beyond its range a feature still counts, as a share of full scale; 6 % for tempo."""
_LEAST = 0.02
_DOUBT = 0.3


def judge(rules: Mapping[str, Mapping[str, Spans]], features: Mapping[str, float]) -> Scores:
    """Scores of all genres, together 1; empty where fewer than two features are known.

    Parameters
    ----------
    rules : mapping
        As of ``Vocabulary.rules``.
    features : mapping of str to float
        ``bpm`` (of the musical clock), others 0–1. Those that are missing count for nothing.
    """
    if len(features) < 2:
        return {}
    found = {}
    for genre, rule in rules.items():
        fits = [
            max(_fit(name, features[name], span) for span in spans)
            for name, spans in rule.items()
            if name in features
        ]
        # A geometric mean, with a doubt of one more feature: who fits in more of them is more likely
        product = _DOUBT
        for fit in fits:
            product *= max(_LEAST, fit)
        found[genre] = product ** (1 / (len(fits) + 1))
    total = sum(s**3 for s in found.values())
    return {g: s**3 / total for g, s in found.items()} if total > 0 else {}


def _fit(name: str, value: float, span: tuple[float, float]) -> float:
    """1 within the range, falling to 0 beside it."""
    low, high = span
    if name == "bpm":
        beside = max(low / value - 1, value / high - 1, 0.0) / 0.06 if value > 0 else 1.0
    else:
        beside = max(low - value, value - high, 0.0) / _SOFT
    return max(0.0, 1.0 - beside)
