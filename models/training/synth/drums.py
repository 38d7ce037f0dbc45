"""Synthetic drum kits, 808/909-like and beyond: every sound starts at sample 0 at its onset."""

from __future__ import annotations

import numpy as np

from models.training.rng import chance, log_uniform, pick
from models.training.score import DRUM_CLASS


def _time(seconds: float, rate: float) -> np.ndarray:
    return np.arange(int(seconds * rate)) / rate


def shaped_noise(rng: np.random.Generator, count: int, low: float, high: float, rate: float) -> np.ndarray:
    """White noise limited to a band with 12 dB/octave-like edges, unit RMS."""
    spec = np.fft.rfft(rng.standard_normal(count))
    freq = np.fft.rfftfreq(count, 1 / rate) + 1e-9
    spec *= 1 / np.sqrt((1 + (low / freq) ** 4) * (1 + (freq / high) ** 4))
    noise = np.fft.irfft(spec, count)
    return np.asarray(noise / (np.sqrt(np.mean(noise**2)) + 1e-12))


def kick(rng: np.random.Generator, rate: float) -> np.ndarray:
    """Sine with an exponential pitch drop, click and saturation."""
    decay = log_uniform(rng, 0.06, 0.5)
    t = _time(min(4 * decay, 1.2), rate)
    base, rise, fall = log_uniform(rng, 38, 75), log_uniform(rng, 1, 8), log_uniform(rng, 0.008, 0.06)
    cycles = base * t + base * rise * fall * (1 - np.exp(-t / fall))
    body = np.cos(2 * np.pi * cycles) * np.exp(-t / decay)
    click = shaped_noise(rng, len(t), 1000, 8000, rate) * np.exp(-t / log_uniform(rng, 0.001, 0.008))
    return np.tanh((body + rng.uniform(0, 0.6) * click) * log_uniform(rng, 0.8, 6))


def snare(rng: np.random.Generator, rate: float) -> np.ndarray:
    """Two damped modes and a noise tail."""
    tail = log_uniform(rng, 0.04, 0.3)
    t = _time(min(4 * tail, 0.9), rate)
    f = log_uniform(rng, 140, 280)
    tone = np.sin(2 * np.pi * f * t) + 0.6 * np.sin(2 * np.pi * f * rng.uniform(1.5, 1.9) * t)
    tone *= np.exp(-t / log_uniform(rng, 0.02, 0.12))
    noise = shaped_noise(rng, len(t), log_uniform(rng, 200, 2500), log_uniform(rng, 4000, 11000), rate)
    return np.tanh(
        (rng.uniform(0.1, 1) * tone + rng.uniform(0.3, 1) * noise * np.exp(-t / tail)) * rng.uniform(1, 3)
    )


def clap(rng: np.random.Generator, rate: float) -> np.ndarray:
    """A few noise bursts, the first one strongest enough to be the onset."""
    t = _time(0.5, rate)
    noise = shaped_noise(rng, len(t), log_uniform(rng, 500, 1200), log_uniform(rng, 2500, 9000), rate)
    env = np.zeros(len(t))
    gap = rng.uniform(0.005, 0.011)
    for i in range(int(rng.integers(2, 5))):
        env = np.maximum(env, np.where(t >= i * gap, np.exp(-(t - i * gap) / 0.005), 0))
    env = np.maximum(env, np.where(t >= gap, 0.6 * np.exp(-t / log_uniform(rng, 0.04, 0.2)), 0))
    return np.asarray(noise * env)


def metal(rng: np.random.Generator, rate: float, decay: float, low: float) -> np.ndarray:
    """Hi-hat or cymbal: noise or detuned squares above `low`, with an exponential decay."""
    t = _time(min(5 * decay, 2.5), rate)
    if chance(rng, 0.5):
        tone = np.zeros(len(t))
        for f in log_uniform(rng, 250, 600) * np.array([1, 1.34, 1.52, 1.93, 2.41, 2.8]):
            tone += np.sign(np.sin(2 * np.pi * f * t + rng.uniform(0, 6)))
        spec = np.fft.rfft(tone)
        freq = np.fft.rfftfreq(len(t), 1 / rate)
        tone = np.fft.irfft(spec * (freq > low), len(t))
        tone = tone / (np.std(tone) + 1e-9) + rng.uniform(0, 1) * shaped_noise(rng, len(t), low, 12000, rate)
    else:
        tone = shaped_noise(rng, len(t), low, log_uniform(rng, 7000, 12000), rate)
    return np.asarray(tone * np.exp(-t / decay))


def drum(
    rng: np.random.Generator, base: float, decay: float, bend: float, rate: float, noise: float = 0.1
) -> np.ndarray:
    """Tom or hand drum: a bent damped sine with a little noise."""
    t = _time(min(5 * decay, 1.2), rate)
    body = np.sin(2 * np.pi * base * (t + bend * 0.05 * (1 - np.exp(-t / 0.05)))) * np.exp(-t / decay)
    slap = shaped_noise(rng, len(t), base * 3, 9000, rate) * np.exp(-t / 0.01)
    return np.asarray(body + noise * slap)


def cowbell(rng: np.random.Generator, rate: float) -> np.ndarray:
    """Two square tones."""
    t = _time(0.35, rate)
    f = log_uniform(rng, 420, 700)
    tone = np.sign(np.sin(2 * np.pi * f * t)) + np.sign(np.sin(2 * np.pi * f * 1.48 * t))
    return np.asarray(tone * np.exp(-t / log_uniform(rng, 0.03, 0.12)))


def shaker(rng: np.random.Generator, rate: float) -> np.ndarray:
    """High noise with a short rise."""
    t = _time(0.15, rate)
    noise = shaped_noise(rng, len(t), log_uniform(rng, 2500, 6000), 11500, rate)
    return np.asarray(
        noise * np.minimum(t / rng.uniform(0.001, 0.015), 1) * np.exp(-t / log_uniform(rng, 0.015, 0.05))
    )


def _one(rng: np.random.Generator, voice: str, rate: float) -> np.ndarray:
    if voice == "kick":
        return kick(rng, rate)
    if voice == "snare":
        return snare(rng, rate)
    if voice == "clap":
        return clap(rng, rate)
    if voice == "rim":
        return drum(rng, log_uniform(rng, 400, 1800), log_uniform(rng, 0.008, 0.03), 0.3, rate, 0.6)
    if voice in ("hat", "pedal_hat"):
        return metal(rng, rate, log_uniform(rng, 0.012, 0.06), log_uniform(rng, 3000, 8000))
    if voice == "open_hat":
        return metal(rng, rate, log_uniform(rng, 0.08, 0.35), log_uniform(rng, 3000, 8000))
    if voice == "ride":
        return metal(rng, rate, log_uniform(rng, 0.15, 0.5), log_uniform(rng, 2500, 5000))
    if voice == "crash":
        return metal(rng, rate, log_uniform(rng, 0.3, 1.0), log_uniform(rng, 1500, 4000))
    if voice == "cowbell":
        return cowbell(rng, rate)
    if voice in ("shaker", "tamb"):
        return shaker(rng, rate)
    if voice == "clave":
        return drum(rng, log_uniform(rng, 1500, 2800), log_uniform(rng, 0.01, 0.04), 0, rate, 0.1)
    base = {"tom_hi": 200, "tom_mid": 140, "tom_lo": 90, "conga_hi": 330, "conga_lo": 220}[voice]
    return drum(rng, base * rng.uniform(0.75, 1.3), log_uniform(rng, 0.06, 0.3), rng.uniform(0, 0.8), rate)


def kit(rng: np.random.Generator, rate: float) -> dict[str, list[np.ndarray]]:
    """A complete random kit: voice to its takes, float32 with peak 1."""
    sounds: dict[str, list[np.ndarray]] = {}
    for voice in DRUM_CLASS:
        takes = []
        state = int(rng.integers(1 << 30))
        for i in range(pick(rng, (1, 1, 2))):
            wave = _one(np.random.default_rng(state + (i if voice not in ("kick", "cowbell") else 0)), voice, rate)
            fade = min(64, len(wave))
            wave[-fade:] *= np.linspace(1, 0, fade)
            takes.append(np.asarray(wave / (np.max(np.abs(wave)) + 1e-9), dtype=np.float32))
        sounds[voice] = takes
    return sounds


def riser(rng: np.random.Generator, seconds: float, rate: float, falling: bool = False) -> np.ndarray:
    """Noise (and perhaps a tone) swelling up to, or fading from, a section boundary."""
    count = max(int(seconds * rate), 64)
    t = np.arange(count) / rate
    u = t / seconds
    noise = rng.standard_normal(count)
    wave = np.diff(noise, prepend=0.0) * u + noise * 0.3 * (1 - u)
    if chance(rng, 0.5):
        low, high = log_uniform(rng, 80, 300), log_uniform(rng, 800, 3000)
        cycles = np.cumsum(low * (high / low) ** u) / rate
        wave = wave * 0.5 + np.sign(np.sin(2 * np.pi * cycles)) * 0.4
    if chance(rng, 0.3):
        wave *= 0.6 + 0.4 * np.sin(2 * np.pi * np.cumsum(4 + 12 * u) / rate)
    wave = wave * u ** rng.uniform(0.7, 3)
    return np.asarray((wave[::-1] if falling else wave) * 0.5, dtype=np.float32)
