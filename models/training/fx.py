"""
Studio effects on mono signals. None of them moves an attack by more than about a millisecond: filters are
minimum phase (or linear phase and centred), reverbs keep the direct sound at sample 0.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from models.training.rng import chance, log_uniform, pick


def biquad(kind: str, freq: float, q: float, gain_db: float, rate: float) -> np.ndarray:
    """Second-order section (Bristow-Johnson cook-book): peak, low_shelf, high_shelf, low_pass, high_pass."""
    freq = min(max(freq, 10.0), 0.47 * rate)
    a, w = 10 ** (gain_db / 40), 2 * np.pi * freq / rate
    alpha, c = np.sin(w) / (2 * q), np.cos(w)
    s = 2 * np.sqrt(a) * alpha
    if kind == "peak":
        row = [1 + alpha * a, -2 * c, 1 - alpha * a, 1 + alpha / a, -2 * c, 1 - alpha / a]
    elif kind == "low_shelf":
        row = [
            a * (a + 1 - (a - 1) * c + s), 2 * a * (a - 1 - (a + 1) * c), a * (a + 1 - (a - 1) * c - s),
            a + 1 + (a - 1) * c + s, -2 * (a - 1 + (a + 1) * c), a + 1 + (a - 1) * c - s,
        ]  # fmt: skip
    elif kind == "high_shelf":
        row = [
            a * (a + 1 + (a - 1) * c + s), -2 * a * (a - 1 + (a + 1) * c), a * (a + 1 + (a - 1) * c - s),
            a + 1 - (a - 1) * c + s, 2 * (a - 1 - (a + 1) * c), a + 1 - (a - 1) * c - s,
        ]  # fmt: skip
    elif kind == "low_pass":
        row = [(1 - c) / 2, 1 - c, (1 - c) / 2, 1 + alpha, -2 * c, 1 - alpha]
    else:
        row = [(1 + c) / 2, -(1 + c), (1 + c) / 2, 1 + alpha, -2 * c, 1 - alpha]
    return np.array(row) / row[3]


def equalise(x: np.ndarray, sections: list[np.ndarray]) -> np.ndarray:
    """Run second-order sections over a signal."""
    if not sections:
        return x
    return np.asarray(signal.sosfilt(np.stack(sections).astype(np.float32), x), dtype=np.float32)


def random_eq(rng: np.random.Generator, rate: float, depth_db: float = 5.0) -> list[np.ndarray]:
    """A few random bells and shelves."""
    sections = []
    if chance(rng, 0.6):
        sections.append(biquad("low_shelf", log_uniform(rng, 60, 300), 0.7, rng.normal(0, depth_db), rate))
    if chance(rng, 0.6):
        sections.append(biquad("high_shelf", log_uniform(rng, 2000, 8000), 0.7, rng.normal(0, depth_db), rate))
    for _ in range(int(rng.integers(0, 3))):
        sections.append(
            biquad("peak", log_uniform(rng, 100, 8000), log_uniform(rng, 0.5, 3), rng.normal(0, depth_db), rate)
        )
    return sections


def compress(
    x: np.ndarray, threshold_db: float, ratio: float, attack: float, release: float, rate: float
) -> np.ndarray:
    """Feed-forward compressor with a block-wise (32 samples) envelope."""
    block = 32
    count = -(-len(x) // block)
    padded = np.zeros(count * block, dtype=np.float32)
    padded[: len(x)] = np.abs(x)
    peak = padded.reshape(count, block).max(axis=1)
    rise, fall = np.exp(-block / (attack * rate)), np.exp(-block / (release * rate))
    env, state = np.empty(count), 0.0
    for i, p in enumerate(peak.tolist()):
        k = rise if p > state else fall
        state = p + k * (state - p)
        env[i] = state
    over = np.maximum(20 * np.log10(env + 1e-6) - threshold_db, 0)
    gain = 10 ** (-over * (1 - 1 / ratio) / 20)
    smooth = np.interp(np.arange(len(x)), np.arange(count) * block, gain)
    return np.asarray(x * smooth, dtype=np.float32)


def saturate(x: np.ndarray, drive: float) -> np.ndarray:
    """Soft clipping; `drive` is the gain into tanh, the output keeps its level roughly."""
    return np.asarray(np.tanh(x * np.float32(drive)) / np.float32(max(np.tanh(drive), 0.3)), dtype=np.float32)


def reverb_tail(rng: np.random.Generator, rate: float, rt60: float, bright: float, predelay: float) -> np.ndarray:
    """Diffuse reverb: exponentially decaying, darkening noise after a predelay."""
    count = int(min(1.5 * rt60, 3.0) * rate) + 1
    t = np.arange(count) / rate
    noise = rng.standard_normal(count) * np.exp(-6.9 * t / rt60)
    dark = signal.lfilter([1 - bright], [1, -bright], noise)
    mix = np.exp(-t / (0.3 * rt60))
    tail = noise * mix * (1 - bright) + dark * (1 - mix)
    tail /= np.sqrt(np.sum(tail**2)) + 1e-9
    return np.concatenate([np.zeros(int(predelay * rate)), tail]).astype(np.float32)


def convolve(x: np.ndarray, ir: np.ndarray) -> np.ndarray:
    """Causal convolution, same length as `x`."""
    return np.asarray(signal.oaconvolve(x, ir)[: len(x)], dtype=np.float32)


def delay(x: np.ndarray, seconds: float, feedback: float, mix: float, rate: float) -> np.ndarray:
    """Echoes after multiples of `seconds`."""
    out, step = x.copy(), max(1, int(seconds * rate))
    level = np.float32(mix)
    for i in range(1, 7):
        if i * step >= len(x) or level < 0.02:
            break
        out[i * step :] += level * x[: -i * step]
        level *= np.float32(feedback)
    return out


def pump(count: int, triggers: np.ndarray, depth: float, release: float, rate: float) -> np.ndarray:
    """Side-chain gain: dips at each trigger (seconds) and recovers within `release` seconds."""
    gain = np.ones(count, dtype=np.float32)
    span = int(release * rate)
    shape = (1 - depth * (1 - np.linspace(0, 1, span)) ** 1.5).astype(np.float32)
    shape[: min(24, span)] = np.minimum(shape[: min(24, span)], np.linspace(1, shape[0], min(24, span)))
    for at in (triggers * rate).astype(int):
        if 0 <= at < count:
            end = min(at + span, count)
            gain[at:end] = np.minimum(gain[at:end], shape[: end - at])
    return gain


def sweep(x: np.ndarray, start: float, end: float, low_pass: bool, rate: float) -> np.ndarray:
    """Filter sweep: cut-off moves exponentially from `start` to `end` Hz, in 20 ms steps with carried state."""
    out, step = np.empty_like(x), int(0.02 * rate)
    state = np.zeros((1, 2))
    count = max(1, -(-len(x) // step))
    for i in range(count):
        freq = start * (end / start) ** (i / count)
        sos = biquad("low_pass" if low_pass else "high_pass", freq, 1.0, 0, rate)[None]
        out[i * step : (i + 1) * step], state = signal.sosfilt(sos, x[i * step : (i + 1) * step], zi=state)
    return out


def chain(rng: np.random.Generator, x: np.ndarray, rate: float, amount: float = 1.0) -> np.ndarray:
    """A random bus chain: equaliser, compressor, saturation in random presence."""
    if chance(rng, 0.7 * amount):
        x = equalise(x, random_eq(rng, rate))
    level = float(np.sqrt(np.mean(x**2))) + 1e-6
    if chance(rng, 0.5 * amount):
        x = compress(x, 20 * np.log10(level) + rng.uniform(-6, 8), pick(rng, (2.0, 4.0, 8.0, 20.0)),
                     log_uniform(rng, 0.001, 0.04), log_uniform(rng, 0.04, 0.5), rate)  # fmt: skip
    if chance(rng, 0.3 * amount):
        x = saturate(x * (0.25 / level), log_uniform(rng, 0.5, 4)) * np.float32(level / 0.25)
    return x
