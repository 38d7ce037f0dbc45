"""What a DJ does with two pieces: hard cuts and beat-matched crossfades, with exact labels."""

from __future__ import annotations

import numpy as np

from models.training import fx
from models.training import piece as pieces
from models.training.compose.composer import STYLES, compose
from models.training.labels import Labels, Row, append, labels_of, times_of
from models.training.mix import RATE, Stage, mix
from models.training.rng import chance, log_uniform, pick, stream

CLUB = (
    "house",
    "techno",
    "trance",
    "disco",
    "electro_pop",
    "minimal",
    "garage",
    "afro_house",
    "dnb",
    "jungle",
    "breakbeat",
    "hard_dance",
)


def dj_mix(seed: int, stage: Stage) -> tuple[np.ndarray, Labels, dict[str, object]]:
    """Audio, labels and description of a transition between two pieces, 45-90 s."""
    rng = stream(seed, "dj")
    return crossfade(rng, seed, stage) if chance(rng, 0.55) else cut(rng, seed, stage)


def _window(
    seed: int, source: str, stage: Stage, seconds: float, rng: np.random.Generator, tame: bool
) -> tuple[np.ndarray, Labels, str, set[str], list[str]]:
    piece = pieces.draw(seed, source, stage.data, seconds + 4, tame=tame or None)
    start = float(piece.beat_times[0]) + float(rng.uniform(0, max(0.0, piece.duration - seconds)))
    seconds = min(seconds, float(piece.beat_times[-1]) - start)
    dry = mix(piece, seed, stage, start, seconds)
    return dry.audio, labels_of(piece, dry, start, seconds), piece.style, dry.licences, dry.instruments


def cut(
    rng: np.random.Generator, seed: int, stage: Stage, tame: bool = False
) -> tuple[np.ndarray, Labels, dict[str, object]]:
    """Two or three windows of different pieces, one after the other, at any moment."""
    audio: list[np.ndarray] = []
    labels: Labels = {}
    styles: list[str] = []
    cuts: list[Row] = []
    licences: set[str] = set()
    instruments: set[str] = set()
    at = 0.0
    for i in range(pick(rng, (2, 2, 3))):
        source = pick(rng, ("composer", "pop909", "groove"), (6, 2, 1)) if stage.data else "composer"
        # Far seeds of the same residue modulo 50 keep a validation piece made of validation material.
        x, own, style, used, parts = _window(
            seed + 50_000_000 * (i + 1), source, stage, float(rng.uniform(15, 35)), rng, tame
        )
        if i:
            cuts.append([at])
        x = x / np.float32(np.sqrt(np.mean(x**2)) + 1e-6) * np.float32(0.1 * 10 ** (rng.normal(0, 2) / 20))
        append(labels, own, at)
        audio.append(x)
        styles.append(style)
        licences |= used
        instruments |= set(parts)
        at += len(x) / RATE
    info: dict[str, object] = {
        "style": "cut:" + "+".join(styles),
        "instruments": sorted(instruments),
        "licences": sorted(licences),
    }
    labels["cuts"] = cuts
    return np.concatenate(audio), labels, info


def crossfade(
    rng: np.random.Generator, seed: int, stage: Stage, fade_beats: int | None = None, tame: bool = False
) -> tuple[np.ndarray, Labels, dict[str, object]]:
    """
    Beat-matched crossfade between two composed pieces of one tempo, 16-64 beats long.

    The beats of both coincide; bar numbers come from the first piece until the middle of the fade, then
    from the second (the bars are aligned, too, in most mixes).
    """
    first_style = STYLES[pick(rng, CLUB)]
    bpm = log_uniform(rng, *first_style.tempo)
    near = [s for s in STYLES.values() if s.metre == 4 and s.tempo[0] * 0.95 < bpm < s.tempo[1] * 1.05] or [
        first_style
    ]
    second_style = pick(rng, near)
    beat = 60 / bpm
    fade = fade_beats or pick(rng, (8, 16, 16, 32, 32, 64))
    lead, tail = int(rng.uniform(15, 30) / beat / 4) * 4, int(rng.uniform(15, 30) / beat / 4) * 4
    one = compose(stream(seed, "dj", "a"), first_style, (lead + fade + 8) * beat, bpm, steady=True, tame=tame)
    two = compose(stream(seed, "dj", "b"), second_style, (tail + fade + 8) * beat, bpm, steady=True, tame=tame)
    slip = 0 if tame else pick(rng, (0, 0, 0, 0, 1, 2, 3))
    a = mix(one, seed, stage, 0.0, (lead + fade) * beat)
    b = mix(two, seed + 1_000_000_000, stage, slip * beat, (tail + fade) * beat)
    total = int((lead + fade + tail) * beat * RATE)
    begin, end = int(lead * beat * RATE), int((lead + fade) * beat * RATE)
    x, y = np.zeros(total, np.float32), np.zeros(total, np.float32)
    for target, source, offset in ((x, a.audio, 0), (y, b.audio, begin)):
        source = source / np.float32(np.sqrt(np.mean(source**2)) + 1e-6) * np.float32(0.1)
        source = source[: total - offset]
        target[offset : offset + len(source)] = source
    ramp = np.clip((np.arange(total) - begin) / max(end - begin, 1), 0, 1)
    if chance(rng, 0.5):
        out = x * np.cos(ramp * np.pi / 2) + y * np.sin(ramp * np.pi / 2)
    else:
        middle = (begin + end) // 2
        low = fx.biquad("high_pass", 220, 0.7, 0, RATE)
        bassless_x, bassless_y = fx.equalise(x, [low]), fx.equalise(y, [low])
        swap = np.clip((np.arange(total) - middle) / (0.05 * RATE), 0, 1)
        out = (x * (1 - swap) + bassless_x * swap) * np.cos(ramp * np.pi / 2)
        out = out + (bassless_y * (1 - swap) + y * swap) * np.minimum(1, 2 * ramp)
    border, entry = (lead + fade / 2) * beat, lead * beat
    la = labels_of(one, a, 0.0, (lead + fade) * beat)
    lb = labels_of(two, b, slip * beat, (tail + fade) * beat)
    labels: Labels = {}
    append(labels, la, 0.0)
    shifted: Labels = {}
    append(shifted, lb, entry)
    for name in ("beats", "drums", "sections"):
        limit_a = border - beat / 4 if name == "beats" else (lead + fade) * beat
        limit_b = border - beat / 4 if name == "beats" else entry
        kept = [r for r in labels[name] if times_of(r, 1)[0] < limit_a]
        labels[name] = kept + [r for r in shifted[name] if times_of(r, 1)[0] >= limit_b]
        labels[name].sort(key=lambda r: times_of(r, 1))
    for name in ("chords", "key", "vocals", "valid"):
        early = [(times_of(r, 2), r[2:]) for r in labels[name]]
        late = [(times_of(r, 2), r[2:]) for r in shifted[name]]
        labels[name] = [[t[0], min(t[1], border), *rest] for t, rest in early if t[0] < border]
        labels[name] += [[max(t[0], border), t[1], *rest] for t, rest in late if t[1] > border]
    info: dict[str, object] = {
        "style": f"fade:{one.style}+{two.style}",
        "instruments": sorted({*a.instruments, *b.instruments}),
        "licences": sorted(a.licences | b.licences),
    }
    return np.asarray(out, dtype=np.float32), labels, info
