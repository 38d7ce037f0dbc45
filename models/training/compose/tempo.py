"""Tempo curves: machine-steady, human drift, ramps, steps, rubato."""

from __future__ import annotations

import numpy as np

from models.training.rng import chance, pick


def curve(
    rng: np.random.Generator, bpm: float, beats: int, drift: float, borders: list[int], steady: bool
) -> np.ndarray:
    """
    Tempo of every beat in beats per minute, shape (beats,).

    Parameters
    ----------
    bpm : float
        Nominal tempo.
    drift : float
        Relative size of human drift; 0 for a machine.
    borders : list of int
        Beats at which sections begin, where tempo steps and ramps may start.
    steady : bool
        Keep the tempo constant, whatever the dice say (pieces for a DJ's crossfade).
    """
    tempo = np.full(max(beats, 1), float(bpm))
    if steady:
        return tempo
    if drift > 0:
        slow, fast = 0.0, rng.normal(0, drift, len(tempo))
        walk = np.empty(len(tempo))
        for i in range(len(tempo)):
            slow = 0.985 * slow + rng.normal(0, drift * 0.25)
            walk[i] = slow
        tempo *= np.exp(np.clip(walk + 0.35 * fast, -0.2, 0.2))
    kind = pick(rng, ("none", "ramp", "step", "rubato", "sway"), (0.78, 0.09, 0.06, 0.02 + 2 * drift, 0.03))
    if kind == "ramp":
        length = int(rng.integers(8, 65))
        start = int(rng.integers(0, max(1, beats - length // 2)))
        factor = float(np.exp(rng.uniform(np.log(0.8), np.log(1.25))))
        tempo *= factor ** np.clip((np.arange(len(tempo)) - start) / length, 0, 1)
    elif kind == "step" and len(borders) > 1:
        for at in borders[1:]:
            if chance(rng, 0.4):
                tempo[at:] *= float(np.exp(rng.uniform(np.log(0.75), np.log(1.33))))
    elif kind == "rubato":
        tempo *= np.exp(rng.normal(0, 0.05, len(tempo)))
        for at in borders[1:]:
            tempo[max(0, at - 3) : at] *= rng.uniform(0.75, 1)
    elif kind == "sway":
        tempo *= 1 + rng.uniform(0.01, 0.06) * np.sin(np.arange(len(tempo)) * 2 * np.pi / rng.uniform(16, 80))
    return np.clip(tempo, bpm * 0.6, bpm * 1.6)


def loosened(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """
    Beats of players who do not keep a grid: each beat early or late by some milliseconds, for all parts alike.

    Annotators of real bands mark what the drummer plays, so the labels move with it.
    """
    sigma = float(rng.uniform(0.002, 0.015))
    limit = 0.12 * float(np.min(np.diff(times)))
    return times + np.clip(rng.normal(0, sigma, len(times)), -limit, limit)
