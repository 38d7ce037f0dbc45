"""From a piece to a dry mono mix: instruments, levels, buses, transition effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.training import articulate, fx, glitch
from models.training.rng import chance, log_uniform, pick, stream
from models.training.score import DRUM_CLASS, Piece, Track
from models.training.synth import drums as drum_synth
from models.training.synth import sampler, tone
from models.training.synth.fluid import FONTS, GM_DRUM, Fluid, installed_fonts

RATE = 24000

PROGRAMS = {
    "bass": (32, 33, 34, 35, 36, 37, 38, 39, 43, 58),
    "chords": (
        0,
        1,
        2,
        4,
        5,
        6,
        7,
        11,
        16,
        17,
        18,
        19,
        21,
        22,
        24,
        25,
        26,
        27,
        28,
        29,
        30,
        46,
        48,
        61,
        62,
        63,
        81,
        90,
    ),
    "pad": (16, 19, 48, 49, 50, 51, 52, 54, 88, 89, 90, 91, 92, 94, 95),
    "lead": (
        0,
        5,
        8,
        9,
        10,
        11,
        12,
        13,
        22,
        24,
        26,
        27,
        29,
        30,
        40,
        45,
        46,
        56,
        57,
        60,
        64,
        65,
        66,
        68,
        71,
        73,
        75,
        78,
        79,
        80,
        81,
        84,
        87,
        104,
        105,
    ),
    "vocal": (52, 53, 54, 65, 66, 68, 71, 73, 40, 85),
}
ROCK = {"chords": (27, 28, 29, 30, 30, 29, 0, 18, 25), "bass": (33, 34, 34, 32), "lead": (27, 29, 30, 56, 65)}
ROCK_STYLES = (
    "rock",
    "punk",
    "metal",
    "anime_rock",
    "funk",
    "shuffle",
    "groove_rock",
    "groove_punk",
    "country",
)
FONT_WEIGHT = {"MuseScore_General_Lite.sf3": 0.4}  # its compressed samples take a second to load
KITS = (0, 0, 8, 16, 24, 25, 26, 32, 40)
LEVEL_DB = {"drums": 0.0, "bass": -2.0, "chords": -6.0, "pad": -9.0, "lead": -6.0, "vocal": -4.0}
CLASS_DB = {"kick": 0.0, "snare": -2.0, "hihat": -11.0, "cymbal": -11.0, "tom": -3.0, "perc": -9.0}


@dataclass
class Stage:
    """The machinery that a process keeps: sound fonts and the folder of one-shots."""

    data: Path | None
    fluid: Fluid | None = None
    fonts: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, data: Path | None) -> Stage:
        """Load what is installed; without sound fonts everything is synthesised."""
        fonts = installed_fonts()
        return cls(data, Fluid(RATE) if fonts else None, fonts)


@dataclass
class Mix:
    """A dry mix in piece time: sample 0 is second `start` of the piece."""

    audio: np.ndarray
    hits: list[tuple[float, str, float]]
    vocals: list[tuple[float, float]]
    instruments: list[str]
    licences: set[str]


def mix(piece: Piece, seed: int, stage: Stage, start: float, seconds: float) -> Mix:
    """
    Render `seconds` of a piece from `start` (both in the piece's own time).

    Returns
    -------
    Mix
        Times in it are relative to `start`; audio is float32 mono at 24 kHz, not normalised.
    """
    rng = stream(seed, "mix")
    count = int(seconds * RATE)
    licences = set(piece.licences)
    hits = timed_hits(rng, piece, start, seconds)
    kicks = np.array([t for t, voice, _ in hits if voice == "kick"])
    pump = chance(rng, 0.1 + 0.45 * piece.electronic) and len(kicks) > 0
    gain = fx.pump(count, kicks, float(rng.uniform(0.3, 1)), log_uniform(rng, 0.1, 0.45), RATE) if pump else None
    parts: dict[str, np.ndarray] = {}
    if hits:
        parts["drums"] = mix_drums(rng, piece, hits, count, stage, licences)
    vocals: list[tuple[float, float]] = []
    for track in piece.tracks:
        notes = timed_notes(rng, piece, track, start, seconds)
        if not notes:
            continue
        wave = _pitched(rng, piece, track, notes, count, stage, licences)
        level = float(np.sqrt(np.mean(wave**2)))
        if level < 1e-6:
            continue
        wave = _insert(rng, wave, track.role, piece)
        if gain is not None and (track.role != "vocal" and chance(rng, 0.85)):
            wave = wave * gain
        parts[track.role] = parts[track.role] + wave if track.role in parts else wave
        if track.role == "vocal":
            vocals = _spans([(a, a + d) for a, d, _, _ in notes], seconds)
    out = np.zeros(count, dtype=np.float32)
    send = np.zeros(count, dtype=np.float32)
    spread = 1.0 if piece.tame else float(rng.uniform(1, 5))
    for role, wave in parts.items():
        active = wave[np.abs(wave) > 1e-4]
        level = float(np.sqrt(np.mean(active**2))) if len(active) else 1.0
        db = LEVEL_DB[role] + rng.normal(0, spread)
        wave = wave * np.float32(10 ** (db / 20) * 0.1 / max(level, 1e-6))
        out += wave
        amount = rng.random() ** 2 * (0.25 if role in ("drums", "bass") else 0.8)
        send += wave * np.float32(amount)
    if chance(rng, 0.7):
        tail = fx.reverb_tail(
            rng, RATE, log_uniform(rng, 0.2, 2.5), float(rng.uniform(0.2, 0.9)), float(rng.uniform(0, 0.03))
        )
        out += fx.convolve(send, tail)
    _effects(rng, piece, out, start)
    if not piece.tame:
        out = glitch.finish_mix(rng, piece, out, start, RATE)
    if not piece.tame and chance(rng, 0.05):
        at, length = float(rng.uniform(0, 0.7 * seconds)), float(rng.uniform(2, 12))
        loudness = np.float32(np.sqrt(np.mean(out**2)) * rng.uniform(0.5, 3))
        talk = articulate.speech(rng, at, length, count, RATE)
        out += talk * (loudness / max(float(np.sqrt(np.mean(talk[np.abs(talk) > 1e-4] ** 2))), 1e-6))
        vocals = _spans([*vocals, (at, at + length)], seconds)
    out = fx.chain(rng, out, RATE)
    return Mix(out, [(t, DRUM_CLASS[v], a) for t, v, a in hits], vocals, sorted(parts), licences)


def timed_hits(
    rng: np.random.Generator, piece: Piece, start: float, seconds: float
) -> list[tuple[float, str, float]]:
    """Hits in seconds with human spread and a steady lag of each voice; dry positions outside are dropped."""
    if not piece.hits:
        return []
    times = piece.time(np.array([h.beat for h in piece.hits])) - start
    human = piece.human * float(rng.uniform(0, 1.3))
    lag = {voice: rng.normal(0, human) for voice in DRUM_CLASS}
    jitter = rng.normal(0, 0.6 * human, len(times))
    out = []
    for t, j, hit in zip(times, jitter, piece.hits, strict=True):
        at = float(t + j + lag[hit.voice])
        if 0 <= at < seconds:
            out.append((at, hit.voice, hit.velocity))
    return sorted(out)


def timed_notes(
    rng: np.random.Generator, piece: Piece, track: Track, start: float, seconds: float
) -> list[tuple[float, float, float, float]]:
    """Notes in seconds from `start`; notes already sounding are cut to their rest."""
    if not track.notes:
        return []
    begin = piece.time(np.array([n.beat for n in track.notes])) - start
    end = piece.time(np.array([n.beat + n.length for n in track.notes])) - start
    human = piece.human * float(rng.uniform(0, 1.5))
    begin = begin + rng.normal(0, human) + rng.normal(0, 0.6 * human, len(begin))
    out = []
    for a, z, n in zip(begin.tolist(), end.tolist(), track.notes, strict=True):
        if a < 0 and z > 0.3:
            a = 0.0
        if 0 <= a < seconds:
            out.append((a, max(z - a, 0.03), n.pitch, n.velocity))
    return out


def _spans(spans: list[tuple[float, float]], limit: float, gap: float = 0.3) -> list[tuple[float, float]]:
    """Union of spans, bridging gaps shorter than `gap` seconds."""
    out: list[tuple[float, float]] = []
    for a, z in sorted(spans):
        z = min(z, limit)
        if out and a - out[-1][1] < gap:
            out[-1] = (out[-1][0], max(out[-1][1], z))
        else:
            out.append((a, z))
    return out


def mix_drums(
    rng: np.random.Generator,
    piece: Piece,
    hits: list[tuple[float, str, float]],
    count: int,
    stage: Stage,
    licences: set[str],
) -> np.ndarray:
    """The drum bus: synthetic kit, one-shot kit, sound-font kit, or two of them layered."""
    electronic = piece.electronic
    source = pick(
        rng,
        ("synth", "shots", "font", "layer"),
        (0.15 + 0.4 * electronic, 0.4, 0.55 - 0.45 * electronic, 0.1),
    )
    packs = bool(stage.data and sampler.catalogue(stage.data))
    if (source == "shots" and not packs) or (source == "font" and stage.fluid is None):
        source = "synth"
    trims = {voice: rng.normal(0, 1.0 if piece.tame else 4.0) for voice in DRUM_CLASS}
    loud = [(t, v, a) for t, v, a in hits]
    out = np.zeros(count, dtype=np.float32)
    if source == "font" and stage.fluid is not None:
        font = pick(rng, stage.fonts, [FONT_WEIGHT.get(name, 1.0) for name in stage.fonts])
        notes = [(t, 0.2, float(GM_DRUM[v]), max(0.05, min(1.0, a * 10 ** (trims[v] / 40)))) for t, v, a in loud]
        out = stage.fluid.render(font, pick(rng, KITS), notes, count, drums=True)
        licences.add(FONTS[font])
    else:
        sounds = drum_synth.kit(rng, RATE)
        if source in ("shots", "layer") and packs and stage.data is not None:
            recorded, used = sampler.kit(rng, stage.data, RATE)
            licences |= used
            for voice, takes in recorded.items():
                sounds[voice] = takes if source == "shots" or chance(rng, 0.5) else sounds[voice]
        for i, (t, v, a) in enumerate(loud):
            takes = sounds[v]
            wave = takes[i % len(takes)]
            at = min(round(t * RATE), count)  # a hit may round to past the end
            gain = np.float32(a**1.4 * 10 ** ((CLASS_DB[DRUM_CLASS[v]] + trims[v]) / 20))
            wave = wave[: count - at]
            out[at : at + len(wave)] += wave * gain
    return fx.chain(rng, out, RATE, 0.8)


def _pitched(
    rng: np.random.Generator,
    piece: Piece,
    track: Track,
    notes: list[tuple[float, float, float, float]],
    count: int,
    stage: Stage,
    licences: set[str],
) -> np.ndarray:
    """One part, by own synthesis or by a sound font."""
    own = piece.electronic if track.role != "vocal" else 0.6
    if track.role == "vocal" and chance(rng, 0.5):
        return articulate.vocalise(rng, notes, count, RATE)
    if track.role in ("chords", "pad") and chance(rng, 0.35):
        notes = articulate.strum(rng, notes)
    if track.role in ("chords", "bass", "lead") and chance(rng, 0.1):
        notes = articulate.shorten(rng, notes)
    if stage.fluid is None or chance(rng, 0.08 + 0.84 * own):
        return tone.render(tone.random_patch(rng, track.role, piece.style), notes, count, RATE)
    table = ROCK if piece.style in ROCK_STYLES and track.role in ROCK and chance(rng, 0.75) else PROGRAMS
    program = track.program if track.program is not None and chance(rng, 0.5) else pick(rng, table[track.role])
    font = pick(rng, stage.fonts, [FONT_WEIGHT.get(name, 1.0) for name in stage.fonts])
    licences.add(FONTS[font])
    wave = stage.fluid.render(font, program, notes, count)
    if program in (29, 30) or (piece.style == "metal" and track.role == "chords"):
        wave = fx.saturate(wave / (np.max(np.abs(wave)) + 1e-6), log_uniform(rng, 2, 15))
    return wave


def _insert(rng: np.random.Generator, wave: np.ndarray, role: str, piece: Piece) -> np.ndarray:
    """Insert effects of one part."""
    if chance(rng, 0.35):
        wave = fx.equalise(wave, fx.random_eq(rng, RATE))
    if role in ("lead", "chords", "vocal") and chance(rng, 0.3):
        beat = float(np.mean(np.diff(piece.beat_times)))
        factor = pick(rng, (0.25, 0.5, 0.75, 1.0, 0.333, 1.5))
        wave = fx.delay(wave, beat * factor, float(rng.uniform(0.2, 0.7)), float(rng.uniform(0.1, 0.6)), RATE)
    if role in ("chords", "pad", "lead") and chance(rng, 0.08):
        beat = float(np.mean(np.diff(piece.beat_times)))
        t = np.arange(len(wave), dtype=np.float32) / RATE
        rate = pick(rng, (0.5, 1, 2, 4, 3)) / beat * float(rng.uniform(0.9, 1.1))
        wave = wave * (0.6 + 0.4 * np.sin(2 * np.pi * rate * t)).astype(np.float32)
    return wave


def _effects(rng: np.random.Generator, piece: Piece, out: np.ndarray, start: float) -> None:
    """Risers, falls, impacts, filter sweeps and chokes, in place."""
    loudness = float(np.sqrt(np.mean(out**2))) + 1e-6
    for effect in piece.effects:
        a, z = (round((float(piece.time(b)) - start) * RATE) for b in (effect.beat, effect.end))
        if a < 0 or z > len(out) or z - a < 480:
            continue
        if effect.kind in ("riser", "fall"):
            wave = drum_synth.riser(rng, (z - a) / RATE, RATE, effect.kind == "fall")[: z - a]
            out[a : a + len(wave)] += wave * np.float32(loudness * rng.uniform(0.5, 3))
        elif effect.kind == "impact":
            wave = drum_synth.drum(rng, log_uniform(rng, 30, 60), 0.6, 1.0, RATE, 1.0)[: len(out) - a]
            out[a : a + len(wave)] += (wave * loudness * rng.uniform(2, 6)).astype(np.float32)
        elif effect.kind in ("filter_up", "filter_down"):
            high = chance(rng, 0.4)
            low, top = (
                (log_uniform(rng, 40, 100), log_uniform(rng, 800, 3000))
                if high
                else (log_uniform(rng, 150, 500), 9000.0)
            )
            ends = (low, top) if effect.kind == "filter_up" else (top, low)
            out[a:z] = fx.sweep(out[a:z], *ends, not high, RATE)
        elif effect.kind == "choke":
            ramp = np.linspace(1, 0, 120, dtype=np.float32)
            out[a : a + 120] *= ramp
            out[a + 120 : z] *= np.float32(rng.uniform(0, 0.05))
