"""
Pitched tones by morphing wavetables.

A patch is a family of band-limited spectra (filter positions, vowels, drawbars); a note reads from them
with an envelope that moves between neighbours. Filters, resonance and formants cost nothing at run time
because they are part of the spectra.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from models.training.rng import chance, log_uniform, pick

TABLE = 1024
POSITIONS = 12
FLOOR_HZ = 50.0

VOWELS = np.array(
    [  # three formant frequencies, Hz (Peterson & Barney 1952, rounded)
        [730, 1090, 2440],
        [530, 1840, 2480],
        [270, 2290, 3010],
        [570, 840, 2410],
        [300, 870, 2240],
        [660, 1720, 2410],
        [490, 1350, 1690],
    ],
    dtype=float,
)


@dataclass
class Patch:
    """One sound. Times in seconds, cut-offs in Hz, detune in cents, vibrato in cents."""

    wave: str = "saw"
    attack: float = 0.003
    decay: float = 0.3
    sustain: float = 0.7
    release: float = 0.05
    cutoff: float = 2000.0
    sweep_octaves: float = 0.0
    sweep_decay: float = 0.2
    resonance: float = 0.0
    unison: int = 1
    detune: float = 0.0
    vibrato: float = 0.0
    vibrato_rate: float = 5.5
    glide: float = 0.0
    noise: float = 0.0
    drive: float = 0.0
    fm_ratio: float = 2.0
    fm_index: float = 3.0
    duty: float = 0.5
    sub: float = 0.0
    wobble_hz: float = 0.0
    formant_shift: float = 1.0
    chiff: float = 0.0
    seed: int = 0
    _tables: dict[float, np.ndarray] = field(default_factory=dict, repr=False)
    _notes: dict[tuple[int, int], np.ndarray] = field(default_factory=dict, repr=False)


def _partials(patch: Patch, count: int) -> np.ndarray:
    """Amplitudes of the first `count` partials before the filter."""
    k = np.arange(1, count + 1)
    if patch.wave == "square":
        amp = np.where(k % 2 == 1, 1.0 / k, 0.0)
    elif patch.wave == "pulse":
        amp = np.abs(np.sin(np.pi * k * patch.duty)) / k
    elif patch.wave == "triangle":
        amp = np.where(k % 2 == 1, 1.0 / k**2, 0.0)
    elif patch.wave == "sine":
        amp = (k == 1).astype(float)
    elif patch.wave == "organ":
        amp = np.zeros(count)
        drawbars = np.random.default_rng(patch.seed).random(8)
        for number, level in zip((1, 2, 3, 4, 6, 8, 10, 12), drawbars, strict=True):
            if number <= count:
                amp[number - 1] = level
        amp[0] += 0.5
    elif patch.wave == "random":
        amp = np.random.default_rng(patch.seed).random(count) ** 2 / k**0.7
    elif patch.wave == "vocal":
        amp = 1.0 / k**1.1
    else:
        amp = 1.0 / k
    amp = np.asarray(amp, dtype=float)
    amp[0] += patch.sub
    return amp


def _tables(patch: Patch, pitch: float, rate: float) -> np.ndarray:
    """Wavetables of one pitch, shape (POSITIONS, TABLE)."""
    cached = patch._tables.get(pitch)
    if cached is not None:
        return cached
    f0 = 440.0 * 2 ** ((pitch - 69) / 12)
    count = max(1, min(int(0.47 * rate / f0), TABLE // 2 - 1))
    freq = f0 * np.arange(1, count + 1)
    amp = _partials(patch, count)
    if patch.wave == "vocal":
        order = np.random.default_rng(patch.seed).permutation(len(VOWELS))[: max(2, POSITIONS // 2)]
        place = np.linspace(0, len(order) - 1, POSITIONS)
        forms = np.stack([np.interp(place, np.arange(len(order)), VOWELS[order, i]) for i in range(3)], 1)
        forms *= patch.formant_shift
        gain = np.zeros((POSITIONS, count))
        for i, (level, width) in enumerate(((1.0, 90.0), (0.6, 110.0), (0.3, 160.0))):
            gain += level / (1 + ((freq - forms[:, i : i + 1]) / width) ** 2)
        spectra = amp * (gain + 0.01)
    else:
        cut = FLOOR_HZ * 2 ** (np.arange(POSITIONS)[:, None] * np.log2(0.5 * rate / FLOOR_HZ) / (POSITIONS - 1))
        ratio = freq / cut
        low = 1.0 / np.sqrt(1 + ratio**8)
        peak = patch.resonance * np.exp(-((np.log2(ratio) / 0.22) ** 2))
        spectra = amp * (low + peak)
    phase = np.random.default_rng(patch.seed + 1).uniform(0, 2 * np.pi, count)
    if patch.wave in ("sine", "triangle", "square"):
        phase = np.zeros(count)
    spec = np.zeros((POSITIONS, TABLE // 2 + 1), dtype=complex)
    spec[:, 1 : count + 1] = spectra * np.exp(1j * (phase - np.pi / 2))
    tables = np.fft.irfft(spec, TABLE, axis=1)
    tables /= np.sqrt(np.mean(tables[-1] ** 2)) + 1e-12
    patch._tables[pitch] = np.asarray(tables, dtype=np.float32)
    return patch._tables[pitch]


def note(patch: Patch, pitch: float, seconds: float, rate: float) -> np.ndarray:
    """
    One note at full velocity.

    Returns
    -------
    numpy.ndarray
        Mono float32, ``seconds`` plus the release long; starts at its attack.
    """
    key = (round(pitch * 100), round(seconds * 100))
    cached = patch._notes.get(key)
    if cached is not None:
        return cached
    seconds = max(key[1] / 100, 0.02)
    count = int((seconds + patch.release) * rate)
    t = np.arange(count, dtype=np.float32) / np.float32(rate)
    f0 = 440.0 * 2 ** ((pitch - 69) / 12)
    rng = np.random.default_rng((patch.seed, key[0], key[1]))
    cents = np.zeros(1, dtype=np.float32)
    if patch.vibrato:
        cents = patch.vibrato * np.sin(2 * np.pi * patch.vibrato_rate * t) * np.minimum(t / 0.3, 1)
    if patch.glide:
        cents = cents - 200 * patch.glide * np.exp(-t / 0.05)
    cycles = t * f0 if not np.any(cents) else np.cumsum(2 ** (cents / 1200)) * (f0 / rate)
    if patch.wave == "fm":
        index = patch.fm_index * (0.15 + 0.85 * np.exp(-t / max(patch.sweep_decay, 0.01)))
        arg = 2 * np.pi * np.mod(cycles, 1.0)
        wave = np.sin(arg + index * np.sin(2 * np.pi * np.mod(cycles * patch.fm_ratio, 1.0)))
    else:
        wave = _read(patch, pitch, cycles, t, rate, rng)
    if patch.noise:
        wave = wave + patch.noise * rng.standard_normal(count).astype(np.float32)
    if patch.chiff:
        wave = wave + patch.chiff * rng.standard_normal(count).astype(np.float32) * np.exp(-t / 0.012)
    if patch.drive:
        wave = np.tanh(wave * (1 + 4 * patch.drive)) / np.tanh(1 + 2 * patch.drive)
    env = np.minimum(t / max(patch.attack, 1e-4), 1.0)
    env = env * (patch.sustain + (1 - patch.sustain) * np.exp(-np.maximum(t - patch.attack, 0) / patch.decay))
    tail = np.clip((seconds + patch.release - t) / max(patch.release, 1e-3), 0, 1)
    result = np.asarray(wave * env * tail * tail, dtype=np.float32)
    patch._notes[key] = result
    return result


def _read(
    patch: Patch, pitch: float, cycles: np.ndarray, t: np.ndarray, rate: float, rng: np.random.Generator
) -> np.ndarray:
    """Read the wavetables along the filter (or vowel) trajectory."""
    tables = _tables(patch, pitch, rate).reshape(-1)
    if patch.wave == "vocal":
        ends = rng.uniform(0, POSITIONS - 1.001, 2)
        place = ends[0] + (ends[1] - ends[0]) * np.minimum(t / max(patch.sweep_decay, 0.05), 1)
    else:
        octave = np.log2(patch.cutoff / FLOOR_HZ) + patch.sweep_octaves * np.exp(-t / patch.sweep_decay)
        if patch.wobble_hz:
            octave = octave - 1.5 * (1 + np.cos(2 * np.pi * patch.wobble_hz * t))
        place = octave * ((POSITIONS - 1) / np.log2(0.5 * rate / FLOOR_HZ))
    place = np.clip(place, 0, POSITIONS - 1.001)
    row = place.astype(np.int32)
    mix = (place - row).astype(np.float32)
    row *= TABLE
    out = np.zeros(len(t), dtype=np.float32)
    spread = np.linspace(-1, 1, patch.unison) if patch.unison > 1 else np.zeros(1)
    for cents in spread * patch.detune:
        phase = cycles * 2 ** (cents / 1200) + (rng.random() if patch.unison > 1 else 0.0)
        index = (phase * TABLE).astype(np.int32) & (TABLE - 1)
        index += row
        near = tables[index]
        index += TABLE
        out += near + mix * (tables[index] - near)
    return out / np.float32(np.sqrt(patch.unison))


def render(
    patch: Patch, notes: Iterable[tuple[float, float, float, float]], count: int, rate: float
) -> np.ndarray:
    """
    Sum notes into one track.

    Parameters
    ----------
    notes : iterable of (start s, length s, MIDI pitch, velocity 0-1)
    count : int
        Samples of the track; notes beyond it are cut.
    """
    out = np.zeros(count, dtype=np.float32)
    for start, length, pitch, velocity in notes:
        first = round(start * rate)
        if first >= count or first < 0:
            continue
        wave = note(patch, pitch, min(length, 8.0), rate)[: count - first]
        out[first : first + len(wave)] += wave * np.float32(velocity**1.5)
    return out


def random_patch(rng: np.random.Generator, role: str, style: str = "") -> Patch:
    """A random sound fit for a role (bass, chords, pad, arp, lead, vocal), wider than good taste allows."""
    patch = Patch(seed=int(rng.integers(1 << 30)))
    patch.wave = pick(
        rng, ("saw", "square", "pulse", "triangle", "fm", "random", "organ"), (5, 2, 2, 1, 2, 1.5, 1)
    )
    patch.cutoff = log_uniform(rng, 300, 8000)
    patch.resonance = float(rng.exponential(0.5)) if chance(rng, 0.5) else 0.0
    patch.sweep_octaves = float(rng.normal(0.5, 1.5))
    patch.sweep_decay = log_uniform(rng, 0.03, 0.8)
    patch.duty = float(rng.uniform(0.08, 0.5))
    patch.fm_ratio = pick(rng, (0.5, 1.0, 1.41, 2.0, 3.0, 3.5, 7.0))
    patch.fm_index = log_uniform(rng, 0.3, 8)
    patch.drive = float(rng.random() ** 2) if chance(rng, 0.4) else 0.0
    if role == "bass":
        patch.wave = pick(rng, ("saw", "square", "sine", "fm", "triangle", "pulse"), (4, 2, 2, 1.5, 1, 1))
        patch.cutoff = log_uniform(rng, 120, 2500)
        patch.sustain = float(rng.uniform(0.2, 1))
        patch.decay = log_uniform(rng, 0.08, 0.6)
        patch.sub = float(rng.uniform(0, 2))
        if style == "acid" or chance(rng, 0.12):
            patch.wave, patch.cutoff = pick(rng, ("saw", "square")), log_uniform(rng, 200, 900)
            patch.resonance, patch.sweep_octaves = float(rng.uniform(1.5, 6)), float(rng.uniform(1, 3.5))
            patch.sweep_decay, patch.drive = log_uniform(rng, 0.06, 0.3), float(rng.random())
        if style in ("dubstep", "dnb", "neuro") and chance(rng, 0.5):
            patch.wave, patch.wobble_hz = "saw", log_uniform(rng, 1, 12)
            patch.cutoff, patch.drive = log_uniform(rng, 1000, 6000), float(rng.random())
    elif role == "pad":
        patch.attack, patch.release = log_uniform(rng, 0.01, 1.0), log_uniform(rng, 0.1, 1.0)
        patch.sustain, patch.unison = float(rng.uniform(0.6, 1)), int(rng.integers(1, 4))
        patch.detune, patch.sweep_octaves = float(rng.uniform(4, 25)), float(rng.normal(0, 0.7))
        patch.sweep_decay = log_uniform(rng, 0.5, 4)
        if chance(rng, 0.2):
            patch.wave = "vocal"
    elif role == "chords":
        patch.attack, patch.release = log_uniform(rng, 0.001, 0.03), log_uniform(rng, 0.02, 0.3)
        patch.sustain, patch.decay = float(rng.uniform(0, 0.9)), log_uniform(rng, 0.08, 1)
        patch.unison, patch.detune = pick(rng, (1, 1, 2, 3, 5)), float(rng.uniform(4, 40))
    elif role == "vocal":
        patch.wave, patch.attack, patch.release = (
            "vocal",
            log_uniform(rng, 0.01, 0.08),
            log_uniform(rng, 0.03, 0.15),
        )
        patch.sustain, patch.vibrato = 0.9, float(rng.uniform(0, 60))
        patch.vibrato_rate, patch.glide = float(rng.uniform(4.5, 7)), float(rng.uniform(0, 1))
        patch.formant_shift, patch.noise = float(rng.uniform(0.85, 1.3)), float(rng.uniform(0, 0.15))
        patch.chiff, patch.sweep_decay = float(rng.uniform(0, 0.8)), log_uniform(rng, 0.08, 0.5)
        patch.drive = 0.0
    else:  # lead, arp
        patch.attack, patch.release = log_uniform(rng, 0.001, 0.04), log_uniform(rng, 0.02, 0.4)
        patch.sustain, patch.decay = float(rng.uniform(0, 1)), log_uniform(rng, 0.05, 0.8)
        patch.vibrato = float(rng.uniform(0, 40)) if chance(rng, 0.4) else 0.0
        if chance(rng, 0.3):
            patch.wave, patch.unison, patch.detune = "saw", int(rng.integers(3, 8)), float(rng.uniform(8, 50))
    return patch
