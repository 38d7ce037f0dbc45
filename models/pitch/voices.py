"""Single voices for training, with their pitch: waves of many spectra, sound-font instruments, recorded speech.

Waves are read from tables (two a note, morphing from attack to sustain or from vowel to vowel), so that vibrato,
glides and jumps are exact to the sample.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soxr

from models.pitch.features import HOP, LONGEST, RATE, Evidence
from models.pitch.tracker import TRUST, PitchTracker
from models.training import fx
from models.training.rng import chance, log_uniform, pick
from models.training.synth.fluid import Fluid, installed_fonts

F32 = npt.NDArray[np.float32]
Rng = np.random.Generator

SECONDS = 6
LENGTH = SECONDS * RATE
FRAMES = LENGTH // HOP
AT = (np.arange(FRAMES) + 1) * HOP - round(0.008 * RATE)
"""Sample that each frame is about: newer than what the plugin tells, so that the network learns to hurry."""
_TABLE = 2048
_LOW, _HIGH = 50.0, 2000.0
_VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (300, 2250, 3010), (570, 840, 2410), (320, 800, 2240))
_PROGRAMS = (
    0, 4, 6, 24, 25, 26, 27, 30, 32, 33, 34, 40, 41, 42, 43, 52, 53, 56, 57, 58, 60, 64, 65, 66, 67, 68, 69, 70,
    71, 72, 73, 74, 75, 80, 81,
)  # fmt: skip


class Voice(NamedTuple):
    """Sound of `LENGTH` samples at unit peak; per frame the pitch in Hz (0 = none) and how much it is to count."""

    sound: F32
    pitch: F32
    weight: F32


def table(rng: Rng, hz: float, vowel: tuple[int, int, int] | None = None) -> F32:
    """One period of a wave that has no harmonic above 7.6 kHz at `hz`, unit RMS."""
    many = max(1, min(90, int(7600 / hz)))
    k = np.arange(1, many + 1, dtype=np.float64)
    amps = k ** -float(rng.uniform(0.2, 2.6))
    kind = rng.random()
    if vowel is not None:
        size = 1.0
        form = sum(g / (1 + ((k * hz - f * size) / (60 + f * 0.06)) ** 2) for f, g in zip(vowel, (1, 0.6, 0.3)))
        amps = k ** -float(rng.uniform(0.6, 1.4)) * (form + 0.02)
    elif kind < 0.12:
        amps[1::2] *= rng.uniform(0, 0.3)
    elif kind < 0.25:
        amps *= 1 + 4 / (1 + ((k * hz - log_uniform(rng, 200, 3000)) / log_uniform(rng, 60, 500)) ** 2)
    elif kind < 0.34:
        amps[2:] *= rng.uniform(0, 0.1)
    elif kind < 0.42:
        amps[: int(rng.integers(1, 3))] *= rng.uniform(0.02, 0.4)
    elif kind < 0.52:  # double reeds and soft strings: nearly an octave up
        amps[::2] *= log_uniform(rng, 0.01, 0.4)
    amps *= 10 ** (rng.normal(0, rng.uniform(0, 6), many) / 20)
    spec = np.zeros(_TABLE // 2 + 1, np.complex128)
    spec[1 : many + 1] = amps * np.exp(2j * np.pi * rng.random(many))
    wave = np.fft.irfft(spec)
    return (wave / (wave.std() + 1e-12)).astype(np.float32)


def read(wave: F32, cycles: npt.NDArray[np.float64]) -> F32:
    """The wave at a phase in cycles."""
    at = np.mod(cycles, 1.0) * _TABLE
    below = at.astype(np.intp)
    share = (at - below).astype(np.float32)
    return wave[below % _TABLE] * (1 - share) + wave[(below + 1) % _TABLE] * share


def waves(rng: Rng) -> Voice:
    """Notes of one kind of wave: melodies, glides, jumps, vibrato, plucked, blown or sung."""
    sound, hz, level = np.zeros(LENGTH, np.float32), np.zeros(LENGTH, np.float32), np.zeros(LENGTH, np.float32)
    begins = np.zeros(LENGTH, bool)
    centre, sung = log_uniform(rng, 60, 1500), chance(rng, 0.3)
    centre = log_uniform(rng, 80, 700) if sung else centre
    spread = rng.uniform(1, 9)
    plucked, legato = chance(rng, 0.25), rng.uniform(0, 1)
    depth, speed = (rng.uniform(0.1, 1.0), rng.uniform(4, 7.5)) if chance(rng, 0.6) else (0.0, 1.0)
    attack, breath = log_uniform(rng, 0.002, 0.08), log_uniform(rng, 0.002, 0.3) if chance(rng, 0.4) else 0.0
    length = log_uniform(rng, 0.1, 2.5)
    gliding, wander = chance(rng, 0.35), rng.uniform(0, 0.15)
    at, last, cycle = int(rng.uniform(0, 0.8) * RATE), centre, 0.0
    shape = (int(rng.integers(1 << 31)),) if chance(rng, 0.7) else None  # one timbre for all notes, or many
    while at < LENGTH - 800:
        n = min(LENGTH - at, int(length * np.exp(rng.normal(0, 0.5)) * RATE) + 640)
        goal = float(np.clip(centre * 2 ** (rng.normal(0, spread) / 12), _LOW, _HIGH))
        t = np.arange(n) / RATE
        if gliding and chance(rng, 0.6):
            octaves = rng.uniform(-1.2, 1.2) * np.interp(t, [0, t[-1] * rng.random() * 0.5, t[-1]], [0, 0, 1])
        else:
            slide = log_uniform(rng, 0.005, 0.12)
            octaves = np.log2(last / goal) * np.exp(-t / slide) * (chance(rng, 0.3))
        late = np.clip((t - rng.uniform(0, 0.3)) / 0.2, 0, 1)
        octaves = octaves + depth / 12 * np.sin(2 * np.pi * (speed * t + rng.random())) * late
        knots = np.cumsum(rng.normal(0, wander / 12, n // 800 + 2)) * 0.5
        octaves += np.interp(np.arange(n), np.arange(len(knots)) * 800, knots - knots[0])
        f0 = np.clip(goal * 2**octaves, _LOW * 0.98, _HIGH * 1.02)
        cycles = cycle + np.cumsum(f0) / RATE
        local = np.random.default_rng(shape) if shape else rng
        high = float(f0.max())
        vowels = (pick(local, _VOWELS), pick(local, _VOWELS)) if sung else (None, None)
        first, second = (table(local, high, v) for v in vowels)
        morph = np.clip(t / log_uniform(rng, 0.05, 1.0), 0, 1).astype(np.float32)
        env = np.minimum(1, t / attack)
        if plucked:
            env = env * np.exp(-t / log_uniform(rng, 0.1, 1.5))
        else:
            env = env * np.interp(t, [0, t[-1] / 2, t[-1]], rng.uniform(0.4, 1.0, 3))
            env *= 1 + rng.uniform(0, 0.2) * np.sin(2 * np.pi * speed * t)
        tied = legato > rng.random() and not plucked
        env *= np.clip((t[-1] - t) / (0.004 if tied else log_uniform(rng, 0.01, 0.2)), 0, 1)
        env = (env * 10 ** (rng.uniform(-9, 0) / 20)).astype(np.float32)
        part = slice(at, at + n)
        sound[part] += env * (read(first, cycles) * (1 - morph) + read(second, cycles) * morph)
        if breath:
            sound[part] += env * np.float32(breath) * rng.standard_normal(n).astype(np.float32)
        hz[part], level[part], begins[at] = f0, env, True
        last, cycle = float(f0[-1]), float(cycles[-1])
        at += n + (0 if tied else int(log_uniform(rng, 0.01, 0.9) * RATE))
    pitch, loud = hz[AT], level[AT] / (level.max() + 1e-9)
    weight = np.where((loud > 0.01) & (loud < 0.08), 0.0, 1.0).astype(np.float32)
    pitch = np.where(loud >= 0.08, pitch, 0.0).astype(np.float32)
    hurry(weight, np.flatnonzero(begins))
    return Voice(_peak(sound), pitch, weight)


def hurry(weight: F32, begins: npt.NDArray[np.intp]) -> None:
    """Let the 60 ms after each beginning (samples) count twice."""
    for at in begins // HOP:
        weight[at : at + 6] *= 2


def _peak(sound: F32) -> F32:
    return np.asarray(sound / (np.abs(sound).max() + 1e-9), np.float32)


def track(sound: F32) -> tuple[F32, F32, F32]:
    """Pitch, periodicity and level in dB per frame, by the tracker without a network; for clean single voices."""
    evidence = Evidence()
    tracker = PitchTracker(evidence.periodicity.judged, TRUST)
    padded = np.concatenate([np.zeros(LONGEST - HOP, np.float32), sound])
    found = np.zeros((3, FRAMES), np.float32)
    for k in range(FRAMES):
        block = padded[k * HOP : k * HOP + LONGEST]
        power = float(np.dot(block[-320:], block[-320:])) / 320
        found[2, k] = 10 * np.log10(power + 1e-12)
        evidence.listen(block)
        if power > 1e-7:
            found[:2, k] = tracker.process(evidence.periodicity.curves)[:2]
    return found[0], found[1], found[2]


class Instruments:
    """Sound-font instruments that play one note at a time.

    Raises
    ------
    OSError
        If FluidSynth or sound fonts are missing.
    """

    def __init__(self) -> None:
        self._fluid, self._fonts = Fluid(RATE), [f for f in installed_fonts() if "MuseScore" not in f]
        if not self._fonts:
            raise OSError("no sound fonts are installed (Debian: fluid-soundfont-gm)")

    def voice(self, rng: Rng) -> Voice:
        """A melody; what is not near the written note does not count."""
        program = pick(rng, _PROGRAMS)
        centre = (
            rng.uniform(34, 55) if 32 <= program < 40 or program in (42, 43, 58, 67, 70) else rng.uniform(50, 86)
        )
        notes, at, spread, length = [], rng.uniform(0, 0.5), rng.uniform(1, 7), log_uniform(rng, 0.15, 1.5)
        while at < SECONDS - 0.1:
            span = length * float(np.exp(rng.normal(0, 0.4)))
            notes.append(
                (at, span, float(np.clip(round(rng.normal(centre, spread)), 32, 94)), rng.uniform(0.4, 1))
            )
            at += span + (0.0 if chance(rng, 0.5) else log_uniform(rng, 0.02, 0.6))
        sound = _peak(self._fluid.render(pick(rng, self._fonts), program, notes, LENGTH))
        pitch, strength, level = track(sound)
        wanted = np.zeros(FRAMES, np.float32)
        weight = np.where(level < -45, 1.0, 0.0).astype(np.float32)
        for start, span, key, _ in notes:
            a, z = int(start * RATE) // HOP + 1, min(FRAMES, int((start + span) * RATE) // HOP)
            hz = 440 * 2 ** ((key - 69) / 12)
            near = np.abs(12 * np.log2(np.maximum(pitch[a:z], 1) / hz)) < 0.8
            fresh = (np.arange(z - a) < 5) & near[5:20].any()
            told = (near & (strength[a:z] > 0.5)) | fresh
            told &= level[a:z] > -32
            wanted[a:z] = np.where(told, np.where(near, pitch[a:z], hz), 0)
            weight[a:z] = np.where(told, 1.0, 0.0)
        hurry(weight, np.array([int(n[0] * RATE) for n in notes], np.intp))
        return Voice(sound, wanted, weight)


class Speech:
    """Recorded speech, from the bank that ``models.voice.corpus`` makes; pitch by the tracker where it is sure."""

    def __init__(self, bank: Path) -> None:
        self._samples = np.load(bank.with_suffix(".npy"), mmap_mode="r")
        self._clips: dict[str, list[tuple[int, int]]] = {}
        for start, length, speaker in json.loads(bank.with_suffix(".json").read_text()):
            if speaker != "sung" and not speaker.startswith("espeak"):
                self._clips.setdefault(speaker, []).append((start, length))

    def voice(self, rng: Rng) -> Voice:
        """Clips of one speaker with pauses."""
        speaker, speed = pick(rng, sorted(self._clips)), float(np.exp(rng.uniform(-0.2, 0.2)))
        sound, at = np.zeros(LENGTH, np.float32), int(rng.uniform(0.1, 0.6) * RATE)
        while at < LENGTH - 1600:
            start, length = pick(rng, self._clips[speaker])
            clip = soxr.resample(self._samples[start : start + length].astype(np.float32), 24_000 * speed, RATE)
            n = min(len(clip), LENGTH - at)
            sound[at : at + n] = clip[:n] / (np.abs(clip).max() + 1.0)
            at += n + int(rng.uniform(0.1, 0.6) * RATE)
        sound = fx.equalise(_peak(sound), [fx.biquad("high_pass", 45.0, 0.7, 0, RATE)])
        pitch, strength, level = track(sound)
        steady = np.abs(np.diff(np.log2(np.maximum(pitch, 1)), prepend=0)) < 0.06
        level = level - level.max()
        sure = (
            steady
            & np.append(steady[1:], False)
            & (strength > 0.75)
            & (level > -25)
            & (pitch > 60)
            & (pitch < 500)
        )
        silent = (level < -40) | ((strength < 0.3) & (level < -15))
        return Voice(_peak(sound), np.where(sure, pitch, 0).astype(np.float32), (sure | silent).astype(np.float32))
