"""Mix stems in log-mel frames: a new scene of five seconds with exact truth in some two milliseconds.

The powers of sounds that have nothing to do with one another add, so their magnitudes in each band and frame do
so by squares. Level, equaliser, entry and exit of each stem, noise, microphone and lost bands of the whole are
drawn anew each time. Targets follow from the levels, as in ``models.tags.truth``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.tags.features import BANDS, FRAMES, SPEC
from models.tags.labels import FAMILIES, LEARNT
from models.tags.truth import ABSENT_DB, LOUD_DB, MEMORY, PRESENT_DB, QUIET_DB, RELEASE
from models.training.rng import chance, pick
from realtime.errors import UserError
from realtime.hosting.spectral import levels_of

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Rng = np.random.Generator
LN10 = np.float32(np.log(10.0))
ABSENT, PRESENT, UNKNOWN = 0, 1, 255
SOLO = {"drums": 3, "bass": 3, "guitar": 4, "keys": 4, "strings": 6, "brass": 5, "winds": 7, "synth": 3}
"""How often each family is heard alone."""
SCENES = {
    "solo": 0.34, "few": 0.16, "band": 0.12, "recorded": 0.10, "rendered": 0.06, "speech": 0.06,
    "speech in noise": 0.08, "speech over music": 0.03, "singing": 0.03, "applause": 0.035, "other": 0.035,
}  # fmt: skip
MUSIC = LEARNT.index("music")


@dataclass
class Stems:
    """Stems by kind: features ``(n, 200, 80)`` float16, labels ``(n, 50, 12)``."""

    features: dict[str, npt.NDArray[np.float16]]
    labels: dict[str, U8]

    @classmethod
    def load(cls, folder: Path, held_out: bool) -> Stems:
        """What ``models.tags.stems`` has written so far: the held-out stems, or all others."""
        parts = [np.load(p) for p in sorted(folder.glob("[0-9]*.npz")) if (int(p.stem) % 50 == 7) == held_out]
        if not parts:
            raise UserError(f"{folder}: no stems; render some with models.tags.stems")
        kinds = np.concatenate([p["kinds"] for p in parts])
        features = np.concatenate([p["features"] for p in parts])
        labels = np.concatenate([p["labels"] for p in parts])
        names = sorted(set(kinds.tolist()))
        return cls({n: features[kinds == n] for n in names}, {n: labels[kinds == n] for n in names})

    def __len__(self) -> int:
        return sum(len(f) for f in self.features.values())


def scene(rng: Rng, stems: Stems, clean: bool = False) -> tuple[F32, F32, F32]:
    """One scene.

    Parameters
    ----------
    clean : bool
        A family alone, without noise: for validation on single instruments.

    Returns
    -------
    ndarray of float32, shape (50, 4, 80)
        Log-mel frames.
    ndarray of float32, shape (50, 12), twice
        Targets, and 1 where they are certain.
    """
    kind = "solo" if clean else pick(rng, list(SCENES), list(SCENES.values()))
    members = _members(rng, kind)
    whole, levels, known = None, [], []
    for name, db in members:
        place = int(rng.integers(len(stems.features[name])))
        power = levels_of(np.asarray(stems.features[name][place], np.float32))
        if chance(rng, 0.35):
            power *= (10 ** ((db + curve(rng, 4)) / 20)).astype(np.float32)
        else:
            power *= np.float32(10 ** (db / 20))
        power = _entry(rng, power, len(members) > 1)
        power *= power
        levels.append(10 * np.log10(power.reshape(-1, FRAMES * BANDS).sum(1) + 1.0))
        known.append(stems.labels[name][place])
        whole = power if whole is None else whole + power
    assert whole is not None
    target, weight = truth([n for n, _ in members], np.array(levels), known)
    x = microphone(rng, np.sqrt(whole))
    return x.reshape(-1, FRAMES, BANDS), target, weight


def _members(rng: Rng, kind: str) -> list[tuple[str, float]]:
    """Kinds of stems and their levels, dB."""

    def level(spread: float = 4.0, mean: float = 0.0) -> float:
        return float(mean + rng.normal(0, spread))

    if kind == "solo":
        out = [(pick(rng, list(SOLO), list(SOLO.values())), 0.0)]
    elif kind == "few":
        chosen = rng.choice(np.array([*FAMILIES, "singing"]), int(rng.integers(2, 4)), False)
        out = [(str(f), level()) for f in chosen]
    elif kind == "band":
        melodic = rng.choice(
            np.array([f for f in FAMILIES if f not in ("drums", "bass")]), int(rng.integers(1, 4)), False
        )
        out = [("drums", level()), ("bass", level(4, -2)), *((str(f), level(4, -4)) for f in melodic)]
        out += [("singing", level(3, -1))] if chance(rng, 0.35) else []
    elif kind == "speech in noise":
        noise = pick(rng, ("other", "other", "other", "applause", "speech"))
        out = [("speech", 0.0), (noise, -float(rng.uniform(-3, 25)))]
    elif kind == "speech over music":
        bed = pick(rng, ("recorded", "rendered", *FAMILIES))
        out = [("speech", 0.0), (bed, -float(rng.uniform(-3, 25)))]
    else:
        out = [(kind, 0.0)]
    if kind not in ("speech in noise", "other") and chance(rng, 0.12):
        out.append((pick(rng, ("other", "other", "applause")), -float(rng.uniform(6, 30))))
    return out


def curve(rng: Rng, spread: float) -> npt.NDArray[np.float64]:
    """A random equaliser, dB a band."""
    return np.interp(np.arange(BANDS), np.linspace(0, BANDS, 7), rng.normal(0, spread, 7))


def _entry(rng: Rng, power: F32, many: bool) -> F32:
    """Let a stem enter late or end early."""
    if not chance(rng, 0.4 if many else 0.2):
        return power
    frames = len(power)
    if chance(rng, 0.5):
        late = int(rng.uniform(0, 0.7 * frames))
        power = np.concatenate([np.zeros((late, BANDS), np.float32), power[: frames - late]])
    else:
        end = int(rng.uniform(0.3 * frames, frames))
        power[end:] *= np.exp(-np.arange(frames - end) / rng.uniform(0.5, 12))[:, None].astype(np.float32)
    return power


def _recent(x: npt.NDArray[np.float64], steps: int) -> npt.NDArray[np.float64]:
    padded = np.concatenate([np.full((len(x), steps), x.min()), x], 1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, steps + 1, axis=1).max(axis=-1))


def truth(names: list[str], levels: npt.NDArray[np.float64], known: list[U8]) -> tuple[F32, F32]:
    """Targets and weights, shape ``(steps, 12)``, of stems with these levels in dB, shape ``(stems, steps)``.

    A stem whose labels are all unknown is of one kind and tells of that tag alone.
    """
    whole = 10 * np.log10((10 ** (levels / 10)).sum(0))
    mean = 10 * np.log10(np.mean(10 ** (whole / 10)))
    loudest, recent = _recent(whole[None], MEMORY)[0], _recent(levels, MEMORY)
    present = (recent > loudest + PRESENT_DB) & (recent > mean + LOUD_DB)
    absent = (recent < loudest + ABSENT_DB) | (recent < mean + QUIET_DB)
    absent &= ~(_recent(present.astype(float), RELEASE) > 0)
    state = np.zeros((len(names), levels.shape[1], len(LEARNT)), np.uint8)
    for k, (name, labels) in enumerate(zip(names, known)):
        own = np.where(present[k], PRESENT, np.where(absent[k], ABSENT, UNKNOWN))
        if name in ("recorded", "rendered"):
            steps = own[:, None]
            sure = (labels == ABSENT) | (steps == ABSENT)
            state[k] = np.where(sure, ABSENT, np.where((labels == PRESENT) & (steps == PRESENT), PRESENT, UNKNOWN))
        elif name in LEARNT:
            state[k, :, LEARNT.index(name)] = own
            if name in FAMILIES:
                state[k, :, MUSIC] = own
            elif name == "singing":  # whether song without instruments is music is not for us to say
                state[k, :, MUSIC] = np.where(own == ABSENT, ABSENT, UNKNOWN)
    target = (state == PRESENT).any(0)
    return target.astype(np.float32), (target | ~(state == UNKNOWN).any(0)).astype(np.float32)


def colour(rng: Rng, power: F32) -> F32:
    """Level, equaliser, narrow bands, noise floor and a little shift of the bands; magnitudes in and out."""
    gain = rng.uniform(-20, 10) + (curve(rng, float(rng.uniform(0, 6))) if chance(rng, 0.7) else np.zeros(BANDS))
    if chance(rng, 0.08):
        gain[int(rng.integers(30, 75)) :] -= rng.uniform(10, 60)  # telephone, old records, codecs
    if chance(rng, 0.06):
        gain[: int(rng.integers(2, 20))] -= rng.uniform(10, 60)
    power = power * (10 ** (gain / 20)).astype(np.float32)
    if chance(rng, 0.5):
        floor = SPEC.gamma * 10 ** (rng.uniform(-105, -57) / 20)
        tilt = 10 ** (np.linspace(0, rng.uniform(-20, 6), BANDS) / 20)
        power += (floor * tilt * rng.rayleigh(0.8, power.shape)).astype(np.float32)
    if chance(rng, 0.3):
        power = np.roll(power, int(rng.integers(-2, 3)), axis=-1)
    return power


def microphone(rng: Rng, power: F32) -> F32:
    """Log-mel frames of a scene as some device hears it: also compressed, and with bands or moments lost."""
    x = np.log1p(colour(rng, power)) / LN10
    if chance(rng, 0.12):
        loud = x.mean(1, keepdims=True)
        x = x + loud * np.float32(rng.uniform(-0.4, 0.0)) + np.float32(0.2)
        x = np.maximum(x, 0.0)
    if chance(rng, 0.1):
        low = int(rng.integers(0, BANDS - 6))
        x[:, low : low + int(rng.integers(3, 14))] = x.min()
    if chance(rng, 0.08):
        at = int(rng.integers(0, len(x) - 12))
        x[at : at + int(rng.integers(2, 12))] = 0.0
    return x.astype(np.float32)
