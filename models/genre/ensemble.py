"""The hybrid ensemble: several opinions on one scale, each with a weight, an age and a time to live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.genre.vocabulary import Scores


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one child says.

    Attributes
    ----------
    name : str
    weight : float
        Its share where all children speak.
    scores : dict of str to float
        0–1 for each genre it has a score for; those that it leaves out are 0.
    age : float
        Seconds since what it speaks of.
    """

    name: str
    weight: float
    scores: Mapping[str, float]
    age: float

    @property
    def sure(self) -> float:
        """Its best score."""
        return max(self.scores.values(), default=0.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What they say together.

    Attributes
    ----------
    scores : dict of str to float
        0–1.
    shares : dict of str to float
        Weight that each child really had; they sum to 1.
    age : float
        Of the oldest opinion that counted.
    """

    scores: Scores
    shares: Scores
    age: float


def choose(first: Opinion | None, second: Opinion | None, least: float, ttl: float) -> Opinion | None:
    """The classifier that speaks: the first, unless stale, or less sure than `least` where there is a second."""
    one, two = (o if o is not None and o.age <= ttl and o.scores else None for o in (first, second))
    if one is None or (two is not None and one.sure < least):
        return two
    return one


def decide(opinions: Sequence[Opinion], ttl: float) -> Verdict | None:
    """Weighted mean of the opinions that are not older than `ttl` seconds; None where nobody says anything.

    Weights of children that are stale or silent go to the others in proportion.
    """
    alive = [o for o in opinions if o.age <= ttl and o.weight > 0 and o.scores]
    total = sum(o.weight for o in alive)
    if not alive:
        return None
    shares = {o.name: o.weight / total for o in alive}
    scores: Scores = {}
    for opinion in alive:
        for genre, score in opinion.scores.items():
            scores[genre] = scores.get(genre, 0.0) + shares[opinion.name] * score
    return Verdict(scores, shares, max(0.0, *(o.age for o in alive)))
