"""Training scenes: drums struck anew, under a band that is mostly louder than they are, through desks and rooms.

In real mixes (:mod:`models.drums.levels`) the drums lie 5 to 13 dB below the band, 10 to 20 dB in the middle, and
reach above it only in the highest octave. Rendered pieces are mixed far more in favour of their drums, so a
network that has heard nothing else misses the kicks under a bass. Here the share is drawn for each scene.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from models.drums.features import HOP, RATE, SIZE, Features
from models.drums.kits import Kit, open_pool, strike
from models.drums.targets import Targets, build
from models.training import fx
from models.training.dataset import is_validation
from models.training.rng import log_uniform
from models.training.score import DRUM_CLASS
from realtime.errors import UserError

F32 = npt.NDArray[np.float32]
C64 = npt.NDArray[np.complexfloating]
Hits = list[tuple[float, str, float]]
COUNT = 1 << 16
"""Samples of a scene, 2.7 s."""
LEAD = 0.09
"""Filters wrap around, so the first and last tenth of a second are not used."""
_WET, _CURVES, _KITS = 48, 160, 120
_LATE = 0.06
"""Share of scenes that begin with stillness."""


@dataclass(frozen=True)
class Kinds:
    """How often: drums alone, over their own band, over another band; a band alone; a whole rendered piece."""

    alone: float = 0.21
    band: float = 0.48
    other: float = 0.11
    silent: float = 0.07
    piece: float = 0.13


class Scenes:
    """Batches of scenes, a function of ``(seed, step)`` and the folders.

    Parameters
    ----------
    data : Path or None
        Folder with one-shots.
    backing : Path
        Written by :mod:`models.drums.backing`.
    mixes : Path or None
        Whole pieces, written by :mod:`models.training.render`.
    count : int
        Samples of a scene.
    """

    def __init__(
        self,
        data: Path | None,
        backing: Path,
        mixes: Path | None,
        batch: int,
        seed: int,
        held_out: bool = False,
        kinds: Kinds | None = None,
        kits: int = _KITS,
        count: int = COUNT,
    ) -> None:
        self.size, self.seed, self.kinds, self.count = batch, seed, kinds or Kinds(), count
        self.frames = (count - 2 * int(LEAD * RATE)) // HOP
        self._backing = [p for p in sorted(backing.glob("*.json")) if is_validation(p.stem) == held_out]
        if not self._backing:
            raise UserError(f"{backing}: no accompaniments; python -m models.drums.backing makes them")
        found = sorted(mixes.glob("[0-9]*.json")) if mixes else []
        self._mixes = [p for p in found if is_validation(p.stem) == held_out]
        rng = np.random.default_rng((seed, held_out))
        self._kits: list[Kit] = open_pool(rng, data, kits)
        self._rooms = [_room(rng, count) for _ in range(_WET)]
        self._curves = [_curve(rng, count) for _ in range(_CURVES)]
        self._features = Features()
        self._known: dict[Path, tuple[float, Hits]] = {}

    @property
    def pieces(self) -> int:
        """How many pieces there are to draw from."""
        return len(self._backing) + len(self._mixes)

    def batch(self, step: int) -> tuple[torch.Tensor, Targets]:
        """Magnitudes ``(frames, batch, 152)`` and targets ``(frames, batch, …)`` of one step."""
        rng = np.random.default_rng((self.seed, step))
        x = np.empty((self.frames, self.size, SIZE), np.float32)
        rows = []
        for k in range(self.size):
            sound, hits, band = self.scene(rng)
            first = int(LEAD * RATE)
            x[:, k] = self._features.clip(sound[first : first + self.frames * HOP])
            told = [(t - LEAD, DRUM_CLASS.get(v, v), a) for t, v, a in hits]
            target = build(told, 0, self.frames, band)
            target.weight[:15] = 0.0  # the beginning out of nothing
            target.band[:50] = -1.0
            rows.append(target)
        return torch.from_numpy(x), Targets(*(np.stack(columns, 1) for columns in zip(*rows)))

    def scene(self, rng: np.random.Generator) -> tuple[F32, Hits, float]:
        """One scene: sound, its hits in seconds from the beginning, whether a band plays (-1: who knows)."""
        k, draw = self.kinds, rng.random()
        if self._mixes and draw < k.piece:
            return *self._piece(rng), -1.0
        draw = (draw - k.piece) / (1 - k.piece) if self._mixes else draw
        parts = np.cumsum([k.alone, k.band, k.other, k.silent])
        kind = int(np.searchsorted(parts / parts[-1], draw, side="right"))
        path = self._draw(rng, self._backing)
        start, hits = self._hits(rng, path)
        played = [] if kind == 3 else hits
        drums = strike(rng, self._kits, played, self.count)
        level = float(np.sqrt(np.mean(drums**2)))
        if rng.random() < 0.25 and level > 0:
            drums = fx.compress(drums, 20 * np.log10(level) + rng.uniform(-3, 9), rng.choice([2.0, 4.0, 10.0]),
                                log_uniform(rng, 0.002, 0.03), log_uniform(rng, 0.05, 0.4), RATE)  # fmt: skip
        whole = np.fft.rfft(drums) * self._colour(rng, self._curves)
        if rng.random() < 0.65:
            wet = np.float32(10 ** (rng.uniform(-26, -3) / 20))
            whole *= 1 + wet * self._rooms[int(rng.integers(len(self._rooms)))]
        heard = 0.0
        if kind:
            if kind == 2:
                path = self._draw(rng, self._backing)
                start, _ = self._hits(rng, path)
            band = self._band(rng, path, start)
            loud = _power(band)
            drums_power = _power(whole) if len(played) > 1 else 0.0
            ratio = float(np.clip(rng.normal(-6.5, 6), -18, 10))
            if loud > 0 and drums_power > 0:
                band *= np.float32(np.sqrt(drums_power / loud) * 10 ** (-ratio / 20))
            elif loud > 0:
                band *= np.float32(self.count * 0.05 / np.sqrt(loud))
            heard = float(_power(band) > 0.02 * drums_power)
            whole += band
        sound, audible = _sound(whole), [h for h in played if 0 <= h[0] < self.count / RATE]
        if rng.random() < _LATE:
            audible = _begin_late(rng, sound, audible)
        return self._finish(rng, sound), audible, heard

    def _draw(self, rng: np.random.Generator, paths: list[Path]) -> Path:
        return paths[int(rng.integers(len(paths)))]

    def _hits(self, rng: np.random.Generator, path: Path) -> tuple[int, Hits]:
        """A random window of a piece: its first sample, and the hits that sound in it, relative to it."""
        duration, rows = self._read(path, "hits")
        start = int(rng.uniform(0, max(0.0, duration - self.count / RATE)) * RATE)
        begin = start / RATE
        return start, [(t - begin, v, a) for t, v, a in rows if -1.5 < t - begin < self.count / RATE]

    def _read(self, path: Path, name: str) -> tuple[float, Hits]:
        if path not in self._known:
            truth = json.loads(path.read_text())
            rows = [(float(t), str(v), float(a)) for t, v, a in truth[name]]
            self._known[path] = float(truth["duration"]), rows
        return self._known[path]

    def _band(self, rng: np.random.Generator, path: Path, start: int) -> C64:
        """Spectrum of bass and rest at drawn levels and colours."""
        stems = np.load(path.with_suffix(".npy"), mmap_mode="r")[:, start : start + self.count]
        sound = np.zeros((2, self.count), np.float32)
        sound[:, : stems.shape[1]] = stems
        sound *= np.float32(1 / 32768)
        bass, rest = np.fft.rfft(sound)
        bass *= self._colour(rng, self._curves) * np.float32(10 ** (rng.normal(-1, 5) / 20))
        bass += rest * self._colour(rng, self._curves)
        return bass

    def _piece(self, rng: np.random.Generator) -> tuple[F32, Hits]:
        """A window of a whole rendered piece."""
        path = self._draw(rng, self._mixes)
        duration, rows = self._read(path, "drums")
        begin = rng.uniform(0, max(0.0, duration - self.count / RATE))
        start = int(begin * RATE)
        found, _ = soundfile.read(path.with_suffix(".flac"), self.count, start, dtype="float32")
        sound = np.zeros(self.count, np.float32)
        sound[: len(found)] = found
        if rng.random() < 0.6:
            sound = _sound(np.fft.rfft(sound) * self._colour(rng, self._curves))
        hits = [(t - start / RATE, v, a) for t, v, a in rows if 0 <= t - start / RATE < self.count / RATE]
        return self._level(rng, sound), hits

    def _colour(self, rng: np.random.Generator, curves: list[F32]) -> F32:
        return curves[int(rng.integers(len(curves)))]

    def _finish(self, rng: np.random.Generator, sound: F32) -> F32:
        """The desk's sum: compressor, saturation, noise, level."""
        level = float(np.sqrt(np.mean(sound**2))) + 1e-9
        if rng.random() < 0.4:
            ratio = rng.choice([1.5, 2.0, 4.0, 10.0])
            over, attack, release = rng.uniform(-8, 6), log_uniform(rng, 0.002, 0.05), log_uniform(rng, 0.05, 0.5)
            sound = fx.compress(sound, 20 * np.log10(level) + over, ratio, attack, release, RATE)
        if rng.random() < 0.35:
            sound = np.tanh(sound * np.float32(log_uniform(rng, 0.3, 2.5) / level / 2.5))
        return self._level(rng, sound)

    def _level(self, rng: np.random.Generator, sound: F32) -> F32:
        level = float(np.sqrt(np.mean(sound**2))) + 1e-9
        sound = sound * np.float32(10 ** (rng.uniform(-38, -11) / 20) / level)
        if rng.random() < 0.3:
            floor = 10 ** (rng.uniform(-85, -45) / 20)
            sound = sound + np.float32(floor) * rng.standard_normal(self.count, dtype=np.float32)
        return np.clip(sound, -1, 1, dtype=np.float32)


def _sound(spectrum: C64) -> F32:
    return np.asarray(np.fft.irfft(spectrum), np.float32)


def _begin_late(rng: np.random.Generator, sound: F32, hits: Hits) -> Hits:
    """Silence all before a moment, often just ahead of a hit, in place; returns the hits that are left."""
    begin = float(rng.uniform(0.3, 1.8))
    after = [t for t, _, _ in hits if t > begin]
    if after and rng.random() < 0.7:
        begin = after[0] - float(rng.uniform(0.004, 0.05))
    first, fade = int(begin * RATE), int(0.004 * RATE)
    sound[:first] = 0.0
    sound[first : first + fade] *= np.linspace(0, 1, len(sound[first : first + fade]), dtype=np.float32)
    return [h for h in hits if h[0] >= begin]


def _power(spectrum: C64) -> float:
    return float(np.vdot(spectrum, spectrum).real)


def _room(rng: np.random.Generator, count: int) -> C64:
    """Spectrum of a room's response without its direct path, unit energy."""
    tail = fx.reverb_tail(rng, RATE, log_uniform(rng, 0.12, 1.2), float(rng.uniform(0.1, 0.85)),
                          float(rng.uniform(0.001, 0.02)))[:count]  # fmt: skip
    return np.fft.rfft(tail, count).astype(np.complex64)


def _curve(rng: np.random.Generator, count: int) -> F32:
    """A smooth equaliser over the bins of a scene; one in three is flat."""
    octaves = np.log2(np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20) / 20)
    knots = rng.normal(0, 0 if rng.random() < 0.33 else rng.uniform(2, 6), 9)
    if rng.random() < 0.08:
        knots[: int(rng.integers(1, 3))] -= rng.uniform(5, 25)  # small loudspeakers
    if rng.random() < 0.12:
        knots[-int(rng.integers(1, 3)) :] -= rng.uniform(5, 25)  # dull recordings
    return (10 ** (np.interp(octaves, np.linspace(0, octaves[-1], len(knots)), knots) / 20)).astype(np.float32)
