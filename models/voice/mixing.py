"""Mixes tracks into training scenes as they are needed: somebody speaks or sings, or nobody does.

Over music, noise or silence. No scene comes twice; each depends on the seed, its number and the tracks alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.stride_tricks import sliding_window_view

from models.training.rng import chance, log_uniform
from models.training.spans import runs
from models.voice.features import (
    BANDS,
    EVERY,
    HOP,
    RANGES,
    SHORT,
    WINDOW,
    bank,
    beside,
    mel,
    ripple,
    ripples,
    window,
)  # fmt: skip
from models.voice.tracks import FRAMES, RATE, UNIT, UNKNOWN
from realtime.errors import UserError

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Rng = np.random.Generator

ONSET, ONSET_WEIGHT = 12, 8.0
"""The first 120 ms of speech count more: a late answer is a wrong one."""
AFTER, AFTER_WEIGHT = 20, 2.5
"""So do the 200 ms after its end. Pauses of up to 250 ms inside speech are labelled speech; without this the
network would wait for them to pass after every end too, which the plugin's hold does better."""
QUIET_WEIGHT, MUSIC_WEIGHT = 1.3, 5.0
"""A false alarm costs more than a miss, and more still where nobody speaks at all over music."""
OVER_NOISE, OVER_MUSIC = (2.0, 8.0, -10.0), (6.0, 7.0, -5.0)
"""Mean, spread and least level of a voice over its background, dB. Voices drowned by music would teach alarms on
music, so there are none."""
SHARES = BANDS // 3
SPREAD = 0.1
"""Spread of the logarithm of the speed at which a track is heard."""
KINDS = ("voice", "music", "noise", "sung")
_PIECE = 64  # frames transformed at once: small enough for the cache


def weights(label: U8, quiet: float = QUIET_WEIGHT) -> F32:
    """Weight of every frame of one scene in the loss."""
    out = np.where(label == 0, quiet, 1.0).astype(np.float32)
    for begin, end in runs(label == 1):
        if begin and label[begin - 1] == 0:
            out[begin : min(end, begin + ONSET)] = ONSET_WEIGHT
        if end < len(label) and label[end] == 0:
            out[end : end + AFTER] = np.where(label[end : end + AFTER] == 0, AFTER_WEIGHT, out[end : end + AFTER])
    out[label == UNKNOWN] = 0.0
    return out


class Tracks:
    """The tracks that ``models.voice.tracks`` made, read where they lie."""

    def __init__(self, folder: Path) -> None:
        try:
            self._sound = {k: np.load(folder / f"{k}.npy", mmap_mode="r") for k in KINDS}
            self._label = {k: np.load(folder / f"{k}-labels.npy") for k in ("voice", "sung")}
        except OSError as error:
            raise UserError(f"{folder}: no tracks ({error}); make them with models.voice.tracks") from error

    def cut(self, rng: Rng, kind: str, frames: int) -> tuple[F32, U8]:
        """A stretch of a track at unit level, and its labels (none speaks in music and noise).

        Most come faster or slower, with their pitch, than they lie there.
        """
        rows = self._sound[kind]
        speed = float(np.exp(np.clip(rng.normal(0, SPREAD), -0.2, 0.2))) if chance(rng, 0.7) else 1.0
        taken = min(FRAMES, int(np.ceil(frames * speed)) + 1)
        row, at = int(rng.integers(len(rows))), int(rng.integers(FRAMES - taken + 1))
        x = rows[row, at * HOP : (at + taken) * HOP].astype(np.float32)
        x *= np.float32(1 / (32767 * UNIT))
        if speed == 1.0:
            x = x[: frames * HOP]
        else:
            x = np.interp(np.arange(frames * HOP) * speed, np.arange(len(x)), x).astype(np.float32)
        if kind not in self._label:
            return x, np.zeros(frames, np.uint8)
        middle = ((np.arange(frames) + 0.5) * speed).astype(int)
        return x, self._label[kind][row, at + np.minimum(middle, taken - 1)]


class Mixer:
    """Batches of scenes.

    Parameters
    ----------
    folder : Path
        Of tracks.
    size, frames : int
        Scenes in a batch, and frames of 10 ms in a scene.
    """

    def __init__(self, folder: Path, size: int, seed: int, frames: int = 400) -> None:
        self._tracks = Tracks(folder)
        self.size, self.seed, self.frames = size, seed, frames
        self._windows = {n: window(n) for n in (SHORT, WINDOW)}
        self._filters, self._waves = bank(), ripples()
        self._hertz = np.arange(2 * len(self._filters), dtype=np.float64) * (RATE / WINDOW)

    def batch(self, step: int) -> tuple[F32, F32, F32, F32]:
        """One step's features ``(frames, size, 220)``, labels and weights ``(frames, size)``, and shares.

        The share ``(frames, size, 24)`` of the voice in each third band's magnitude is -1 where it is unknown.
        """
        heard = np.empty((self.frames, self.size, BANDS + RANGES), np.float32)
        y, weight = np.empty((2, self.frames, self.size), np.float32)
        share = np.zeros((self.frames, self.size, SHARES), np.float32)
        for k in range(self.size):
            rng = np.random.default_rng((self.seed, step, k))
            sound, voice, label, weight[:, k] = self.scene(rng)
            gain = response(rng, self._hertz)
            magnitudes = self._magnitudes(sound, SHORT, gain[::2])
            heard[:, k, :BANDS] = mel(magnitudes, self._filters)
            close = ripple(self._magnitudes(sound, WINDOW, gain, EVERY), self._waves)
            heard[:, k, BANDS:] = np.repeat(close, EVERY, 0)[: self.frames]
            y[:, k] = label == 1
            if voice is not None:
                share[:, k] = self._coarse(self._magnitudes(voice, SHORT, gain[::2])) / self._coarse(magnitudes)
            elif label.any():
                share[:, k] = -1.0
        return beside(heard), y, weight, np.minimum(share, 1.0, out=share)

    def scene(self, rng: Rng) -> tuple[F32, F32 | None, U8, F32]:
        """Sound, the voice in it if it is known alone, labels and weights of one scene."""
        kind, quiet, voice = rng.random(), QUIET_WEIGHT, None
        if kind < 0.07:
            x, label = self._tracks.cut(rng, "sung", self.frames)
        elif kind < 0.40:
            musical = chance(rng, 0.7)
            x, label = self._background(rng, musical)
            quiet = MUSIC_WEIGHT if musical else QUIET_WEIGHT
        else:
            musical = chance(rng, 0.3)
            x, _ = self._background(rng, musical)
            voice, label = self._tracks.cut(rng, "voice", self.frames)
            mean, spread, least = OVER_MUSIC if musical else OVER_NOISE
            near = float(np.clip(rng.normal(mean, spread), least, 25))
            snr = near if chance(rng, 0.78) else float(rng.uniform(15, 60))
            x = voice + x * np.float32(10 ** (-snr / 20))
        level = np.float32(10 ** (rng.uniform(-46, -12) / 20))
        x = x * level
        if chance(rng, 0.5):  # the converter's floor
            x += rng.standard_normal(len(x), np.float32) * np.float32(10 ** (rng.uniform(-100, -65) / 20))
        if chance(rng, 0.05):
            x = np.tanh(x * np.float32(log_uniform(rng, 1, 20)))
        return np.clip(x, -1, 1), None if voice is None else voice * level, label, weights(label, quiet)

    def _background(self, rng: Rng, musical: bool) -> tuple[F32, U8]:
        """Music, noise, or both, at unit level; some change on the way, begin or end."""
        x, label = self._tracks.cut(rng, "music" if musical else "noise", self.frames)
        if chance(rng, 0.2):
            other, _ = self._tracks.cut(rng, "noise", self.frames)
            x = x + other * np.float32(10 ** (rng.uniform(-18, 3) / 20))
        at = int(rng.integers(len(x)))
        if chance(rng, 0.15):
            other, _ = self._tracks.cut(rng, "music" if chance(rng, 0.5) else "noise", self.frames)
            x[at:] = other[at:] * np.float32(10 ** (rng.normal(0, 6) / 20))
        elif chance(rng, 0.1):
            x[slice(0, at) if chance(rng, 0.5) else slice(at, None)] = 0.0
        return x / np.float32(np.sqrt(np.mean(x**2)) + 1e-3), label

    def _magnitudes(self, sound: F32, length: int, gain: F32, every: int = 1) -> F32:
        padded = np.concatenate([np.zeros(length - HOP, np.float32), sound])
        spans = sliding_window_view(padded, length)[:: every * HOP]
        out = np.empty((len(spans), len(gain)), np.float32)
        for k in range(0, len(spans), _PIECE):
            windowed = torch.from_numpy(spans[k : k + _PIECE] * self._windows[length])
            bins = torch.fft.rfft(windowed).numpy()  # thrice as fast as numpy's
            np.abs(bins[:, : len(gain)], out=out[k : k + _PIECE])
        out *= gain
        return out

    def _coarse(self, magnitudes: F32) -> F32:
        """Magnitude of each third band, never zero."""
        fine: F32 = magnitudes @ self._filters
        return fine.reshape(len(fine), SHARES, -1).sum(-1) + np.float32(1e-3)


def response(rng: Rng, hertz: npt.NDArray[np.float64]) -> F32:
    """Gain of a microphone, telephone or equaliser at each of `hertz`."""
    octave = np.log2(np.maximum(hertz, 20) / 20)
    db = np.interp(octave, np.linspace(0, octave.max(), 7), rng.normal(0, 2.5, 7))
    if chance(rng, 0.35):
        db -= 36 * np.maximum(0, np.log2(np.maximum(hertz, 1) / log_uniform(rng, 3300, 9000)))
    if chance(rng, 0.2):
        db -= 18 * np.maximum(0, np.log2(log_uniform(rng, 60, 350) / np.maximum(hertz, 1)))
    if chance(rng, 0.1):
        db -= 24 * np.exp(-((octave - rng.uniform(2, octave.max())) ** 2) / 0.02)
    return (10 ** (np.maximum(db, -100) / 20)).astype(np.float32)
