"""How much of the machine slow plugins may take: what the fast lane and the outputs need comes first."""

from __future__ import annotations

import os
from collections.abc import Mapping

RESERVED = 1.0
"""Cores that are left to the fast lane, the outputs and whoever watches."""

SHARE = 0.9
"""Part of the other cores that slow plugins may keep busy."""

LEAST = 0.25
"""Cores for slow plugins on a machine with one."""


def budget() -> float:
    """Cores that slow plugins may keep busy, all together."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return max(LEAST, SHARE * (cores - RESERVED))


def shares(demands: Mapping[str, float], cores: float) -> dict[str, float]:
    """Max-min fair shares: who wants little gets it, the others get equal parts of what is left.

    Parameters
    ----------
    demands : mapping of str to float
        Share of a core that each would take, 0–1.
    cores : float
        What there is.

    Returns
    -------
    dict of str to float
        Share of a core that each may take; never more than its demand.
    """
    given: dict[str, float] = {}
    left = cores
    for n, name in enumerate(sorted(demands, key=lambda k: demands[k])):
        given[name] = min(demands[name], left / (len(demands) - n))
        left -= given[name]
    return given
