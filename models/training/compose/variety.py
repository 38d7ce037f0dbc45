"""Beyond the tables: crossed styles, Euclidean and random patterns, hat rolls and triplets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.training.compose.style import Drums, Style
from models.training.rng import chance, pick


def crossed(rng: np.random.Generator, style: Style, others: list[Style]) -> Style:
    """A style whose bass, chords or drums come from another one of the same metre (tempo and beat level stay)."""
    near = [s for s in others if s.metre == style.metre and s.compound == style.compound and s is not style]
    if not near:
        return style
    changes: dict[str, object] = {}
    if chance(rng, 0.7):
        changes["bass"] = pick(rng, near).bass
    if chance(rng, 0.7):
        changes["comp"] = pick(rng, near).comp
    if chance(rng, 0.4):
        donor = pick(rng, near)
        if 0.62 < donor.tempo[0] / style.tempo[0] < 1.6:
            changes["drums"] = donor.drums
    if chance(rng, 0.3):
        changes["electronic"] = float(rng.random())
    if chance(rng, 0.3):
        changes["plan"] = pick(rng, ("club", "epic", "song", "game"))
    return replace(style, **changes)  # type: ignore[arg-type]


def euclid(pulses: int, steps: int, shift: int = 0) -> str:
    """Pulses spread as evenly as possible over steps (Bjorklund; Toussaint 2005)."""
    return "".join("x" if ((i + shift) * pulses) % steps < pulses else "." for i in range(steps))


def extra_percussion(rng: np.random.Generator, steps: int) -> Drums:
    """One to three random percussion lines, often syncopated, sometimes against the metre."""
    out: Drums = {}
    for voice in ("conga_hi", "conga_lo", "cowbell", "clave", "shaker", "tamb", "tom_hi", "rim"):
        if len(out) < 3 and chance(rng, 0.25):
            if chance(rng, 0.5):
                out[voice] = euclid(int(rng.integers(2, max(3, steps * 2 // 3))), steps, int(rng.integers(0, 4)))
            elif chance(rng, 0.3):
                length = pick(rng, (3, 5, 6, 7))
                out[voice] = (euclid(max(1, length // 3), length) * steps)[: steps * 3]
            else:
                out[voice] = "".join(pick(rng, "xog?......") for _ in range(steps * 2))
    return out


def hat_variant(rng: np.random.Generator, metre: int) -> str:
    """A hat bar on another grid: triplets, 32nd rolls, sparse."""
    kind = pick(rng, ("triplet", "roll", "sparse"))
    if kind == "triplet":
        return "xoo" * metre
    if kind == "sparse":
        return "".join("x" if chance(rng, 0.2) else "." for _ in range(4 * metre))
    cells = list("x...o..." * metre)
    for _ in range(int(rng.integers(1, 4))):
        at, length = int(rng.integers(0, len(cells) - 4)), pick(rng, (4, 8))
        for i in range(at, min(at + length, len(cells))):
            cells[i] = "o"
    return "".join(cells)


def random_drums(rng: np.random.Generator, metre: int, per_beat: int) -> Drums:
    """A drum pattern from nothing: a random but repeating kick, a back-beat or none, a random hat."""
    steps = metre * per_beat
    kick = ["."] * steps
    kick[0] = "x" if chance(rng, 0.85) else "."
    for i in range(1, steps):
        if chance(rng, 0.3 if i % per_beat == 0 else 0.12):
            kick[i] = "x"
    snare = ["."] * steps
    for beat in range(1, metre):
        if chance(rng, 0.8 if beat % 2 else 0.15):
            snare[beat * per_beat] = "x"
    for i in range(steps):
        if chance(rng, 0.06) and snare[i] == ".":
            snare[i] = pick(rng, "gox")
    hat = pick(
        rng,
        (
            "x" + "." * (per_beat - 1),
            "." * (per_beat // 2) + "x" + "." * (per_beat - per_beat // 2 - 1),
            "xo" * per_beat,
        ),
    )
    return {
        "kick": "".join(kick),
        pick(rng, ("snare", "snare", "clap", "rim")): "".join(snare),
        pick(rng, ("hat", "ride", "open_hat")): (hat * steps)[:steps],
    }
