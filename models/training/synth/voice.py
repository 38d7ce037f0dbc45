"""
A singing and speaking voice: harmonics of a glottal source shaped by moving formants, with consonants.

Additive synthesis (McAulay & Quatieri 1986 in spirit): pitch and formants move in 5 ms frames; the amplitude of
every harmonic follows the formants, so glides, vibrato and vowel changes stay smooth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FRAME = 0.005

VOWELS: dict[str, tuple[float, ...]] = {
    "a": (750, 1200, 2500, 3500, 4500),
    "e": (480, 1900, 2550, 3600, 4600),
    "i": (300, 2250, 3000, 3600, 4600),
    "o": (480, 860, 2450, 3400, 4500),
    "u": (320, 780, 2300, 3300, 4400),
    "y": (300, 1750, 2250, 3400, 4500),
    "m": (250, 1000, 2200, 3200, 4200),
}
BANDWIDTH = np.array([70.0, 90.0, 130.0, 180.0, 250.0])
LEVEL = np.array([1.0, 0.55, 0.3, 0.18, 0.1])
PLOSIVES, FRICATIVES, NASALS = "pbtdkg", "sfh", "mnl"


class Syllable(NamedTuple):
    """A sung syllable: seconds, seconds, MIDI pitch, velocity 0-1, text such as ``"da"`` or ``"o"``."""

    start: float
    length: float
    pitch: float
    velocity: float
    text: str


@dataclass(frozen=True)
class Singer:
    """A voice. `vibrato` in cents, `size` scales the formants (above 1: a smaller head)."""

    size: float = 1.0
    vibrato: float = 25.0
    rate: float = 5.6
    breath: float = 0.04
    tilt: float = 1.15
    glide: float = 0.035
    jitter: float = 6.0
    fall: float = 0.0


def _smooth(x: np.ndarray, frames: int) -> np.ndarray:
    if frames < 2:
        return x
    window = np.hanning(frames + 2)[1:-1]
    padded = np.concatenate([np.repeat(x[:1], frames, 0), x, np.repeat(x[-1:], frames, 0)])
    return np.convolve(padded, window / window.sum(), "same")[frames:-frames]


def sing(
    syllables: Sequence[Syllable], count: int, rate: float, rng: np.random.Generator, singer: Singer | None = None
) -> np.ndarray:
    """
    Sing syllables; vowels begin on the given instants, consonants just before or at them.

    Returns
    -------
    numpy.ndarray
        Mono float32 of `count` samples.
    """
    voice = singer or Singer()
    frames = int(np.ceil(count / rate / FRAME)) + 1
    pitch, amp = np.full(frames, np.nan), np.zeros(frames)
    forms = np.full((frames, 5), np.nan)
    noise = np.zeros(frames)
    colour = np.zeros(count, dtype=np.float32)
    for s in sorted(syllables):
        consonant = s.text[0] if s.text[0] in PLOSIVES + FRICATIVES + NASALS else ""
        vowels = [c for c in s.text if c in VOWELS and c != "m"] or ["a"]
        a, z = int(s.start / FRAME), min(frames, int((s.start + s.length) / FRAME))
        if a >= frames or z - a < 3 or a < 0:
            continue
        span = np.arange(z - a)
        u = span / max(len(span) - 1, 1)
        late = np.clip((span * FRAME - 0.18) / 0.25, 0, 1)
        vibrato = voice.vibrato / 100 * np.sin(2 * np.pi * voice.rate * span * FRAME + rng.uniform(0, 6)) * late
        pitch[a:z] = s.pitch + vibrato - voice.fall * u
        stops = np.array([VOWELS[v] for v in vowels])
        place = np.clip(u * 1.2 - 0.1, 0, 1) * (len(stops) - 1)
        forms[a:z] = np.stack([np.interp(place, np.arange(len(stops)), stops[:, i]) for i in range(5)], 1)
        env = np.minimum(span * FRAME / (0.012 if consonant in PLOSIVES and consonant else 0.035), 1.0)
        env = env * np.minimum((z - a - 1 - span) * FRAME / 0.06, 1.0)
        amp[a:z] = np.maximum(amp[a:z], env * s.velocity * (1 - 0.25 * u))
        if consonant and consonant in NASALS:
            hum = max(0, a - 10)
            pitch[hum:a], forms[hum:a] = s.pitch - 0.3, VOWELS["m"]
            amp[hum:a] = np.maximum(amp[hum:a], 0.35 * s.velocity)
        elif consonant and consonant in PLOSIVES:
            amp[max(0, a - 9) : max(0, a - 1)] *= 0.05
            _burst(
                colour, s.start - 0.006, 0.012, 2500 if consonant in "tdk" else 900, s.velocity * 0.2, rate, rng
            )
        elif consonant:
            low = {"s": 5000, "f": 2500, "h": 1200}[consonant]
            _burst(colour, s.start - 0.09, 0.1, low, s.velocity * (0.12 if consonant == "s" else 0.07), rate, rng)
        noise[a:z] = voice.breath * amp[a:z]
    known = np.flatnonzero(~np.isnan(pitch))
    if not len(known):
        return np.zeros(count, dtype=np.float32)
    grid = np.arange(frames)
    steps = max(2, int(voice.glide / FRAME))
    wander = _smooth(rng.standard_normal(frames), 40) * np.sqrt(40) * voice.jitter / 100
    f0 = 440 * 2 ** ((_smooth(np.interp(grid, known, pitch[known]), steps) + wander - 69) / 12)
    shape = np.stack([_smooth(np.interp(grid, known, forms[known, i]), 8) for i in range(5)], 1) * voice.size
    return _additive(f0, shape, _smooth(amp, 3), noise, voice, count, rate, rng) + colour


def _additive(
    f0: np.ndarray, forms: np.ndarray, amp: np.ndarray, noise: np.ndarray, voice: Singer, count: int, rate: float,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Sum the harmonics over the stretches in which the voice sounds."""
    out = np.zeros(count, dtype=np.float32)
    grid = np.arange(len(f0)) * FRAME * rate
    active = amp > 1e-3
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(int), [0]])))
    for a, z in zip(edges[::2], edges[1::2], strict=True):
        lo, hi = int(grid[a]), min(count, int(grid[min(z, len(grid) - 1)]) + 1)
        if hi - lo < 8:
            continue
        at = np.arange(lo, hi)
        cycles = np.cumsum(np.interp(at, grid, f0)) / rate
        for k in range(1, int(min(0.45 * rate, 9000) / np.min(f0[a:z])) + 1):
            freq = k * f0[a:z, None]
            gain = np.sum(LEVEL / (1 + ((freq - forms[a:z]) / (BANDWIDTH * (1 + freq / 4000))) ** 2), axis=1)
            level = amp[a:z] * (gain + 0.02) * k**-voice.tilt * np.clip((0.48 * rate - freq[:, 0]) / 1000, 0, 1)
            wave = np.sin((2 * np.pi) * np.mod(cycles * k, 1.0).astype(np.float32))
            out[lo:hi] += wave * np.interp(at, grid[a:z], level).astype(np.float32)
        hiss = np.diff(rng.standard_normal(hi - lo + 1)).astype(np.float32)
        out[lo:hi] += hiss * np.interp(at, grid[a:z], noise[a:z]).astype(np.float32) * np.float32(0.3)
    return out


def _burst(
    out: np.ndarray, start: float, length: float, low: float, level: float, rate: float, rng: np.random.Generator
) -> None:
    """Add a band of noise (the release of a plosive, a fricative)."""
    a, n = int(start * rate), int(length * rate)
    if a < 0 or a + n > len(out) or n < 16:
        return
    spec = np.fft.rfft(rng.standard_normal(n))
    freq = np.fft.rfftfreq(n, 1 / rate)
    spec *= 1 / np.sqrt(1 + (low / (freq + 1)) ** 4) / np.sqrt(1 + (freq / 9000) ** 4)
    wave = np.fft.irfft(spec, n)
    out[a : a + n] += (wave / (np.std(wave) + 1e-9) * np.hanning(n) * level).astype(np.float32)
