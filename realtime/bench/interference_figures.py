"""What the turns of ``sidechain bench interference`` amount to, and whether the fast lane noticed anything.

Everything is held against the turns without slow plugins of the same round, of which there are two: what those two
differ by shows how much the machine itself sways. Where it sways by more than what is asked about, there is no
verdict.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from realtime.bench.report import percentiles
from realtime.outputs.bench_clock import judge_send

HOP = 0.01
"""Seconds of sound at a time, and the deadline of its processing."""

TURNS = {"0": 0, "1": 1, "3": 3, "0 again": 0}
"""Names of the turns of a round, and how many slow plugins run in each."""

ALLOWED_MS = 0.2
ALLOWED_SHARE = 0.1
ASKED = ("cost_p99_ms", "late_p99_ms", "clock_p99_ms")

Hops = Sequence[tuple[float, float, float]]
Ticks = Sequence[tuple[Fraction, float, float]]
Figures = Mapping[str, Any]


def order(number: int) -> list[str]:
    """Turns of a round in order: every other round backwards, so that a machine that drifts favours none."""
    names = list(TURNS)
    return names if number % 2 == 0 else names[::-1]


def figures(hops: Hops, ticks: Ticks) -> dict[str, Any]:
    """Figures of one turn.

    Parameters
    ----------
    hops : sequence of (due, begun, done)
        Seconds on one clock; `due` is when the hop's sound was there.
    ticks : sequence of (position, due, at)
        Of the musical clock.
    """
    cost = percentiles([1000 * (done - begun) for _, begun, done in hops])
    late = percentiles([1000 * (begun - due) for due, begun, _ in hops])
    clock = percentiles([1000 * (at - due) for _, due, at in ticks])
    told = judge_send(ticks)
    return {
        "hops": len(hops),
        "cost_p50_ms": cost["p50"],
        "cost_p99_ms": cost["p99"],
        "cost_max_ms": cost["max"],
        "late_p99_ms": late["p99"],
        "missed": sum(done - due > HOP for due, _, done in hops),
        "clock_p50_ms": clock["p50"],
        "clock_p99_ms": clock["p99"],
        "clock_max_ms": clock["max"],
        "ticks_wrong": told["missing"] + told["doubled"],
    }


def row(turns: Sequence[Figures]) -> dict[str, Any]:
    """One line of figures of several turns; percentiles are the median of those of the turns."""
    summed = ("hops", "missed", "ticks_wrong")
    largest = ("cost_max_ms", "clock_max_ms")
    return {
        name: (sum if name in summed else max if name in largest else statistics.median)([t[name] for t in turns])
        for name in turns[0]
    }


def verdicts(found: Mapping[str, Sequence[Figures]]) -> dict[str, str]:
    """For each turn with slow plugins: was it noticed?

    Parameters
    ----------
    found : mapping of str to sequence of figures
        By name of the turn, one for each round.
    """
    said = {}
    for name, count in TURNS.items():
        if count:
            told = [_one(measure, found, name) for measure in ASKED]
            unclear = [text for state, text in told if state == "unclear"]
            worse = [text for state, text in told if state == "worse"]
            said[name] = (
                f"no verdict, the machine sways: {', '.join(unclear)}"
                if unclear
                else f"noticed: {', '.join(worse)}"
                if worse
                else "not noticed"
            )
    return said


def differences(found: Mapping[str, Sequence[Figures]]) -> list[dict[str, Any]]:
    """What the verdicts rest on: the median over the rounds of what each turn differs by, ms."""
    rows = []
    for measure in ASKED:
        bases = _bases(measure, found)
        rows.append(
            {
                "measure": measure,
                "without_ms": statistics.median(bases),
                "allowed_ms": _allowed(bases),
                "sway_ms": _sway(measure, found),
                **{f"beside_{n}_ms": _worse(measure, found, n) for n, count in TURNS.items() if count},
            }
        )
    return rows


def _one(measure: str, found: Mapping[str, Sequence[Figures]], name: str) -> tuple[str, str]:
    allowed = _allowed(_bases(measure, found))
    sway, worse = _sway(measure, found), _worse(measure, found, name)
    if not abs(sway) <= allowed:
        return "unclear", f"{measure} {sway:+.2f} ms between two turns without slow plugins"
    if not worse <= allowed:
        return "worse", f"{measure} {worse:+.2f} ms, allowed is {allowed:.2f}"
    return "fine", ""


def _bases(measure: str, found: Mapping[str, Sequence[Figures]]) -> list[float]:
    """Without slow plugins, of each round."""
    return [(a[measure] + b[measure]) / 2 for a, b in zip(found["0"], found["0 again"], strict=True)]


def _allowed(bases: Sequence[float]) -> float:
    return max(ALLOWED_MS, ALLOWED_SHARE * statistics.median(bases))


def _worse(measure: str, found: Mapping[str, Sequence[Figures]], name: str) -> float:
    pairs = zip(found[name], _bases(measure, found), strict=True)
    return statistics.median(beside[measure] - base for beside, base in pairs)


def _sway(measure: str, found: Mapping[str, Sequence[Figures]]) -> float:
    pairs = zip(found["0"], found["0 again"], strict=True)
    return statistics.median(b[measure] - a[measure] for a, b in pairs)
