"""
From the mix to what the host's input hears: loudspeaker, room, microphone, noise, clipping, band limits.

The direct path of every impulse response is at sample 0, so labels stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy import signal

from models.training import fx
from models.training.rng import chance, log_uniform, pick


@dataclass
class Hearing:
    """A drawn listening condition; `None` or 0 switches a stage off."""

    room_rt60: float = 0.0
    room_direct_db: float = 0.0
    speaker: str = "none"
    noise_db: float | None = None
    noise_kind: str = "pink"
    clip_db: float = 0.0
    low_pass: float = 0.0
    high_pass: float = 0.0
    agc: bool = False
    resample: float = 1.0
    wow: float = 0.0
    level_db: float = -16.0
    extra: dict[str, float] = field(default_factory=dict)


def draw(rng: np.random.Generator) -> Hearing:
    """A random condition: two thirds line inputs, mostly clean, the rest rooms and microphones."""
    hearing = Hearing(level_db=float(rng.uniform(-34, -9)))
    if chance(rng, 0.3):
        hearing.resample = float(np.exp(rng.uniform(np.log(0.8), np.log(1.25))))
    if chance(rng, 0.04):
        hearing.wow = log_uniform(rng, 0.001, 0.012)
    if chance(rng, 0.25):
        hearing.clip_db = float(rng.uniform(0.5, 12))
    if chance(rng, 0.25):
        hearing.low_pass = log_uniform(rng, 2500, 11000)
    if chance(rng, 0.15):
        hearing.high_pass = log_uniform(rng, 40, 300)
    if chance(rng, 0.33):
        hearing.room_rt60, hearing.room_direct_db = log_uniform(rng, 0.15, 1.8), float(rng.uniform(-8, 12))
        hearing.speaker = pick(rng, ("none", "small", "phone", "pa", "laptop"), (3, 2, 2, 2, 1))
        hearing.agc = chance(rng, 0.2)
        if chance(rng, 0.7):
            hearing.noise_db = float(rng.uniform(3, 35))
    elif chance(rng, 0.15):
        hearing.noise_db = float(rng.uniform(5, 45))
    hearing.noise_kind = pick(rng, ("pink", "hum", "crowd", "esc"), (2, 1, 3, 3))
    return hearing


def speaker_sections(kind: str, rng: np.random.Generator, rate: float) -> list[np.ndarray]:
    """Band-pass and resonances of a loudspeaker and microphone."""
    low, high = {
        "small": (log_uniform(rng, 70, 160), log_uniform(rng, 8000, 11500)),
        "phone": (log_uniform(rng, 150, 450), log_uniform(rng, 3400, 9000)),
        "laptop": (log_uniform(rng, 180, 500), log_uniform(rng, 6000, 11000)),
        "pa": (log_uniform(rng, 30, 60), log_uniform(rng, 7000, 11500)),
    }[kind]
    sections = [fx.biquad("high_pass", low, 0.8, 0, rate), fx.biquad("low_pass", high, 0.8, 0, rate)]
    if kind == "pa":
        sections.append(fx.biquad("low_shelf", 110, 0.7, float(rng.uniform(2, 10)), rate))
    for _ in range(4):
        sections.append(
            fx.biquad("peak", log_uniform(rng, 200, 8000), log_uniform(rng, 1, 6), float(rng.normal(0, 4)), rate)
        )
    return sections


def room_response(rng: np.random.Generator, rate: float, rt60: float, direct_db: float) -> np.ndarray:
    """
    Simulated room: direct path at 0, sparse early reflections, diffuse tail.

    Parameters
    ----------
    direct_db : float
        Energy of the direct path against everything that follows.
    """
    tail = fx.reverb_tail(rng, rate, rt60, float(rng.uniform(0.2, 0.85)), float(rng.uniform(0.004, 0.03)))
    for at in rng.uniform(0.002, 0.05, int(rng.integers(4, 14))):
        i = int(at * rate)
        if i < len(tail):
            tail[i] += np.float32(rng.choice([-1, 1]) * rng.uniform(0.1, 0.5) * np.exp(-at / 0.03))
    tail[0] = 0
    tail *= np.float32(10 ** (-direct_db / 20) / (np.sqrt(np.sum(tail**2)) + 1e-9))
    tail[0] = 1.0
    return tail


def pink(rng: np.random.Generator, count: int, slope: float = 0.5) -> np.ndarray:
    """Noise with a spectrum falling as ``f ** -slope`` in amplitude, unit RMS (a repeated 10 s loop)."""
    loop = min(count, 1 << 18)
    spec = np.fft.rfft(rng.standard_normal(loop))
    spec *= np.maximum(np.arange(len(spec)), 20.0) ** -slope
    noise = np.fft.irfft(spec, loop)
    noise = np.tile(noise, -(-count // loop))[:count]
    return np.asarray(noise / (np.std(noise) + 1e-12), dtype=np.float32)


def crowd(rng: np.random.Generator, count: int, rate: float) -> np.ndarray:
    """A room full of people: many syllable-modulated, formant-coloured voices, whoops, unit RMS."""
    loop = min(count, int(12 * rate))
    out = np.zeros(loop, dtype=np.float32)
    t = np.arange(loop) / rate
    for _ in range(int(rng.integers(4, 9))):
        band = fx.equalise(
            rng.standard_normal(loop).astype(np.float32),
            [
                fx.biquad("peak", log_uniform(rng, 250, 900), 2, 14, rate),
                fx.biquad("peak", log_uniform(rng, 900, 2600), 3, 12, rate),
                fx.biquad("low_pass", 3500, 0.7, 0, rate),
            ],
        )
        steps = int(loop / rate * rng.uniform(3, 6)) + 2
        env = np.interp(t, np.linspace(0, t[-1], steps), rng.random(steps) ** 2)
        out += band * env.astype(np.float32)
    for _ in range(int(rng.integers(0, 4))):
        at, length = int(rng.integers(0, loop)), int(rng.uniform(0.2, 1.0) * rate)
        length = min(length, loop - at)
        u = np.arange(length) / rate
        f = log_uniform(rng, 400, 1400)
        whoop = np.sin(2 * np.pi * (f * u + 0.3 * f * u**2)) * np.hanning(length)
        out[at : at + length] += (whoop * 3 * np.std(out)).astype(np.float32)
    out = np.tile(out, -(-count // loop))[:count]
    return np.asarray(out / (np.std(out) + 1e-9), dtype=np.float32)


@lru_cache(maxsize=2)
def _noise_files(data: Path) -> tuple[Path, ...]:
    return tuple(sorted((data / "esc10" / "audio").glob("*.ogg")))


def recorded(rng: np.random.Generator, count: int, rate: float, data: Path | None) -> np.ndarray:
    """A recorded noise (ESC-10), looped, unit RMS; pink noise where there is none."""
    files = _noise_files(data) if data else ()
    if not files:
        return pink(rng, count)
    x, file_rate = soundfile.read(pick(rng, files), dtype="float32", always_2d=True)
    mono = soxr.resample(x.mean(axis=1), file_rate, rate)
    mono = np.tile(mono, -(-count // max(1, len(mono))))[:count]
    scale = float(np.std(mono))
    return np.asarray(mono / scale, dtype=np.float32) if scale > 1e-6 else pink(rng, count)


def noise(rng: np.random.Generator, kind: str, count: int, rate: float, data: Path | None) -> np.ndarray:
    """Noise of a kind: pink, hum, crowd, esc; unit RMS."""
    if kind == "crowd":
        return crowd(rng, count, rate)
    if kind == "esc":
        return recorded(rng, count, rate, data)
    x = pink(rng, count, float(rng.uniform(0, 0.8)))
    if kind == "hum":
        t = np.arange(count) / rate
        f = pick(rng, (50.0, 60.0))
        tone = np.sum([np.sin(2 * np.pi * f * k * t) / k for k in (1, 2, 3, 5)], axis=0)
        x = x * np.float32(0.3) + tone.astype(np.float32)
    return np.asarray(x / (np.std(x) + 1e-9), dtype=np.float32)


def hear(rng: np.random.Generator, x: np.ndarray, rate: float, hearing: Hearing, data: Path | None) -> np.ndarray:
    """Apply a condition (all but the time warps, see `warp`); returns float32 within +-1."""
    x = x / np.float32(np.sqrt(np.mean(x**2)) + 1e-9)
    if hearing.speaker != "none":
        x = fx.equalise(x, speaker_sections(hearing.speaker, rng, rate))
    if hearing.room_rt60:
        x = fx.convolve(x, room_response(rng, rate, hearing.room_rt60, hearing.room_direct_db))
    if hearing.noise_db is not None:
        amount = np.float32(np.sqrt(np.mean(x**2)) * 10 ** (-hearing.noise_db / 20))
        x = x + amount * noise(rng, hearing.noise_kind, len(x), rate, data)
    if hearing.agc:
        x = x / np.float32(np.sqrt(np.mean(x**2)) + 1e-9)
        x = fx.compress(x, -14, 6, 0.01, 0.4, rate)
    if hearing.high_pass:
        x = fx.equalise(x, [fx.biquad("high_pass", hearing.high_pass, 0.7, 0, rate)])
    if hearing.low_pass and hearing.low_pass < 0.45 * rate:
        sos = signal.butter(6, hearing.low_pass, fs=rate, output="sos").astype(np.float32)
        x = np.asarray(signal.sosfilt(sos, x), dtype=np.float32)
    x = x / np.float32(np.sqrt(np.mean(x**2)) + 1e-9)
    peak = float(np.max(np.abs(x))) + 1e-9
    level = 10 ** (hearing.level_db / 20)
    if hearing.clip_db:
        limit = peak * 10 ** (-hearing.clip_db / 20)
        x = np.clip(x, -limit, limit)
        peak = limit
    return np.asarray(x * np.float32(min(level, 0.99 / peak)), dtype=np.float32)


def warp(
    x: np.ndarray, times: np.ndarray, rate: float, factor: float, wow: float
) -> tuple[np.ndarray, np.ndarray]:
    """
    Play faster or slower, with the wow of a record (33 1/3 rpm).

    Parameters
    ----------
    times : numpy.ndarray
        Instants in `x`, in seconds.
    factor : float
        Speed; 1.25 is faster and higher.
    wow : float
        Relative speed deviation.

    Returns
    -------
    audio : numpy.ndarray
    times : numpy.ndarray
        Where the instants are in the new audio.
    """
    if factor != 1.0:
        x = np.asarray(soxr.resample(x, rate * factor, rate, quality="HQ"), dtype=np.float32)
        times = times / factor
    if wow:
        period = 60 / (100 / 3)
        t = np.arange(len(x)) / rate
        source = t + wow * period / (2 * np.pi) * np.sin(2 * np.pi * t / period)
        times = np.interp(times, source, t)
        x = np.interp(source * rate, np.arange(len(x)), x).astype(np.float32)
    return x, times
