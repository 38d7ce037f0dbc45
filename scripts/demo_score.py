"""What the bundled demo consists of: form, chords, tunes, drums, and the buses it is mixed on.

Used by ``scripts/render_demo.py``; own synthesis only (no samples, no sound fonts).
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from models.training.score import Piece, tempo_map

RATE = 48000
BARS = 56
Array = np.ndarray
Timed = tuple[float, float, float, float]

# first bar, end bar, name, tempo at the start, tempo at the end
FORM = (
    (0, 4, "intro", 124, 124),
    (4, 12, "verse", 124, 124),
    (12, 16, "build", 124, 124),
    (16, 24, "drop", 124, 124),
    (24, 32, "breakdown", 124, 124),
    (32, 36, "build", 124, 124),
    (36, 44, "drop", 128, 128),
    (44, 52, "drop", 128, 138),
    (52, 56, "outro", 138, 138),
)
# root (MIDI, low A = 33) and pitches of the upper structure
CHORDS = {
    "A:min": (33, (57, 60, 64, 67)),
    "F:maj": (29, (57, 60, 64, 65)),
    "C:maj": (36, (55, 60, 62, 64)),
    "G:maj": (31, (55, 59, 62, 67)),
    "E:min": (28, (55, 59, 64, 66)),
}
VERSE, DROP = ("A:min", "F:maj", "C:maj", "G:maj"), ("F:maj", "G:maj", "A:min", "E:min")
LEAD = (  # beat, length, pitch, over four bars of the drop
    (0, 0.75, 76), (0.75, 0.75, 72), (1.5, 0.5, 69), (2, 0.75, 72), (2.75, 0.75, 76), (3.5, 0.5, 77),
    (4, 0.75, 74), (4.75, 0.75, 71), (5.5, 0.5, 67), (6, 1.0, 74), (7, 0.5, 76), (7.5, 0.5, 74),
    (8, 0.75, 72), (8.75, 0.75, 69), (9.5, 0.5, 72), (10, 0.75, 76), (10.75, 0.75, 79), (11.5, 0.5, 81),
    (12, 1.5, 79), (13.5, 0.5, 76), (14, 1.0, 71), (15, 0.5, 74), (15.5, 0.5, 76),
)  # fmt: skip
SONG = (  # beat, length, pitch, syllable, over eight bars of the verse
    (0, 0.9, 64, "lo"), (1, 0.45, 64, "na"), (1.5, 0.45, 67, "ta"), (2, 1.5, 69, "mai"),
    (4, 0.9, 69, "fo"), (5, 0.45, 67, "le"), (5.5, 0.45, 65, "na"), (6, 1.5, 64, "ho"),
    (8, 0.9, 67, "da"), (9, 0.45, 67, "li"), (9.5, 0.45, 69, "na"), (10, 1.0, 71, "so"), (11.25, 0.6, 72, "le"),
    (12, 2.6, 71, "lai"),
    (16, 0.9, 72, "lo"), (17, 0.45, 72, "na"), (17.5, 0.45, 71, "ta"), (18, 1.5, 69, "mai"),
    (20, 0.9, 69, "fo"), (21, 0.45, 67, "le"), (21.5, 0.45, 65, "na"), (22, 1.5, 65, "ho"),
    (24, 0.45, 64, "da"), (24.5, 0.45, 64, "da"), (25, 0.45, 67, "di"), (25.5, 0.45, 69, "na"),
    (26, 1.4, 71, "no"),
    (28, 3.2, 69, "aou"),
)  # fmt: skip
SPOKEN = (  # beat, length, pitch, syllable: the spoken line of the second build
    (0, 0.4, 52, "ta"), (0.5, 0.3, 51, "ke"), (1, 0.7, 49, "mi"), (2, 0.35, 53, "ha"), (2.5, 0.8, 48, "so"),
    (4, 0.4, 53, "no"), (4.5, 0.3, 52, "di"), (5, 0.7, 50, "ba"), (6, 0.35, 52, "ti"), (6.5, 0.8, 46, "do"),
)  # fmt: skip


def demo_piece() -> Piece:
    """Tempo map, bars and sections."""
    tempo = np.concatenate([np.linspace(a, z, (end - start) * 4, endpoint=False) for start, end, _, a, z in FORM])
    piece = Piece("demo", "composer", tempo_map(np.append(tempo, 138.0)), [(4 * b, 4) for b in range(BARS + 1)])
    piece.sections = [(4.0 * start, name) for start, _, name, _, _ in FORM]
    return piece


class Desk:
    """Stereo buses: drums, music, voice, and a reverb send."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.drums, self.music, self.voice, self.send = (np.zeros((count, 2), np.float32) for _ in range(4))

    def add(self, bus: Array, wave: Array, at: float, level: float, pan: float = 0.0, send: float = 0.0) -> None:
        """Mix mono (n,) or stereo (n, 2) into a bus at a time in seconds; constant-power pan -1 to 1."""
        first = round(at * RATE)
        wave = wave[: max(0, self.count - first)]
        angle = (pan + 1) * np.pi / 4
        stereo = wave if wave.ndim == 2 else wave[:, None] * np.array([np.cos(angle), np.sin(angle)]) * np.sqrt(2)
        bus[first : first + len(wave)] += level * stereo
        if send:
            self.send[first : first + len(wave)] += send * level * stereo


def band(rng: np.random.Generator, seconds: float, low: float, high: float, decay: float) -> Array:
    """Decaying band of noise."""
    n = int(seconds * RATE)
    spec, freq = np.fft.rfft(rng.standard_normal(n)), np.fft.rfftfreq(n, 1 / RATE) + 1
    wave = np.fft.irfft(spec / np.sqrt(1 + (low / freq) ** 6) / np.sqrt(1 + (freq / high) ** 6), n)
    return wave / np.max(np.abs(wave)) * np.exp(-np.arange(n) / RATE / decay)


def kit() -> dict[str, Array]:
    """The demo's drum sounds."""
    rng = np.random.default_rng(41)
    t = np.arange(int(0.45 * RATE)) / RATE
    cycles = 49 * t + 5.2 * 49 * 0.021 * (1 - np.exp(-t / 0.021))
    kick = np.tanh(2.2 * np.sin(2 * np.pi * cycles) * np.exp(-t / 0.17))
    kick += 0.28 * np.pad(band(rng, 0.03, 2000, 9000, 0.004), (0, len(t) - int(0.03 * RATE)))
    kick *= np.clip((0.45 - t) / 0.1, 0, 1)
    snare = 0.8 * np.sin(2 * np.pi * 192 * t) * np.exp(-t / 0.06) + 0.4 * np.sin(2 * np.pi * 331 * t) * np.exp(
        -t / 0.04
    )
    snare = np.tanh(1.6 * (snare + 0.9 * band(rng, 0.45, 900, 11000, 0.09)[: len(t)]))
    clap = band(rng, 0.4, 900, 8000, 10.0)
    u = np.arange(len(clap)) / RATE
    env = sum(np.where(u >= d, np.exp(-(u - d) / 0.004), 0) for d in (0, 0.009, 0.018))
    clap = clap * np.minimum(1, env + np.where(u >= 0.018, np.exp(-(u - 0.018) / 0.085), 0))
    metal = sum(
        np.sign(np.sin(2 * np.pi * f * np.arange(int(1.8 * RATE)) / RATE)) for f in (317, 466, 561, 733, 911)
    )
    sos = signal.butter(4, 7000, "high", fs=RATE, output="sos")
    metal = signal.sosfilt(sos, metal) * 0.25 + band(rng, 1.8, 7500, 16000, 10.0)
    m = np.arange(len(metal)) / RATE
    crash = metal * 0.4 * np.exp(-m / 0.5) + band(rng, 1.8, 3500, 15000, 0.55) * 0.7
    sounds = {
        "kick": kick,
        "snare": snare,
        "clap": clap,
        "hat": (metal * np.exp(-m / 0.028))[: int(0.15 * RATE)],
        "open_hat": (metal * np.exp(-m / 0.13))[: int(0.6 * RATE)],
        "shaker": band(rng, 0.12, 5000, 15000, 0.03) * np.minimum(1, np.arange(int(0.12 * RATE)) / (0.006 * RATE)),
        "crash": crash,
        "tom": np.sin(2 * np.pi * (105 * t + 2.2 * (1 - np.exp(-t / 0.05)))) * np.exp(-t / 0.16),
    }
    return {k: (v / np.max(np.abs(v))).astype(np.float32) for k, v in sounds.items()}


def write_drums(piece: Piece) -> list[tuple[float, str, float]]:
    """``(beat, sound, velocity)`` of the whole piece."""
    hits: list[tuple[float, str, float]] = []
    for start, end, name, _, _ in FORM:
        if name == "breakdown":
            continue
        for bar in range(start, end):
            b, last = 4.0 * bar, bar == end - 1
            full, build = name == "drop", name == "build"
            thin = build and bar >= end - 2
            for q in range(4):
                if not (thin and start == 32) and not (last and q == 3 and name != "outro"):
                    hits.append((b + q, "kick", 0.98 if q == 0 else 0.92))
                if not thin and (start != 32 or full):
                    hits.append((b + q + 0.5, "open_hat", 0.5 if name in ("intro", "outro") else 0.62))
                    for s, v in ((0, 0.4), (0.25, 0.26), (0.5, 0.34), (0.75, 0.3)):
                        hits.append((b + q + s, "shaker" if name == "verse" else "hat", v))
            if not build or bar < end - 2:
                hits += [(b + 1, "clap", 0.8), (b + 3, "clap", 0.8)]
                if full:
                    hits += [(b + 1, "snare", 0.6), (b + 3, "snare", 0.6)]
            if thin:
                step = 0.5 if bar == end - 2 else 0.25
                hits += [
                    (b + s, "snare", 0.3 + 0.4 * ((bar - end + 2) * 4 + s) / 8)
                    for s in np.arange(0, 4 if not last else 3, step)
                ]
            elif last and name != "outro":
                hits += [
                    (b + 3, "snare", 0.7),
                    (b + 3.25, "tom", 0.7),
                    (b + 3.5, "snare", 0.8),
                    (b + 3.75, "tom", 0.85),
                ]
        if name in ("intro", "verse", "drop", "outro"):
            hits.append((4.0 * start, "crash", 0.75))
        if name == "drop":
            hits.append((4.0 * start + 16, "crash", 0.5))
    hits += [(4.0 * BARS, "kick", 1.0), (4.0 * BARS, "crash", 0.9)]
    return sorted(hits)


def chord_of(bar: int) -> str:
    """Name of a bar's chord."""
    name = next(n for s, e, n, _, _ in FORM if s <= bar < e) if bar < BARS else "end"
    if name == "end":
        return "A:min"
    return (DROP if name in ("drop", "outro") else VERSE)[bar % 4]
