"""Fit the head that tells music from everything else to a network that is otherwise trained.

    python -m models.beat.music OUT.onnx BEAT.onnx --tracks TRACKS [--scenes 800] [--seed 1]

In speech and noise a tracker finds beats, too. What its network makes of a sound tells more surely than its beats
whether there is music at all: the head is a logistic regression on what the other heads go by (a linear probe:
G. Alain, Y. Bengio, "Understanding intermediate layers using linear classifier probes", 2016); nothing else of the
network changes. It learns from scenes of 24 s, half of them music, with or without noise and somebody talking over
it, half voices and noises without music, out of the tracks of ``models.voice.tracks``, heard as they are heard
live. The click of a metronome counts as music.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from models.beat import logistic
from models.beat.distill import recovered
from models.beat.export import export
from models.beat.features import FPS, HOP, SAMPLE_RATE, Features, blocks
from models.beat.network import BeatNet
from models.dsp.programme import Programme
from models.training import fx
from models.training.rng import chance, log_uniform
from models.voice.tracks import LENGTH, SECONDS
from realtime.errors import UserError, reported

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Rng = np.random.Generator

KINDS = ("music", "sung", "voice", "noise")
PARTS = 3
"""Tracks in a row in a scene."""
SETTLE, EVERY = 25, 5
"""Frames at the start of a scene that are not asked, and of the others one in so many is."""
RIDGE = 30.0
"""Of the regression, against frames of unit variance."""


class Tracks:
    """The tracks in a folder.

    Raises
    ------
    UserError
        If a kind is missing.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._tracks = {k: np.load(folder / f"{k}.npy", mmap_mode="r") for k in KINDS}
        except (OSError, ValueError) as error:
            raise UserError(f"{folder}: no tracks ({error}); make them with models.voice.tracks") from error

    def one(self, rng: Rng, kind: str) -> F32:
        """Any track of a kind."""
        tracks = self._tracks[kind]
        return tracks[int(rng.integers(len(tracks)))].astype(np.float32) / np.float32(32768)

    def scene(self, rng: Rng, musical: bool) -> F32:
        """A scene with music in all of it, or with none."""
        parts = [self._music(rng) if musical else self._other(rng) for _ in range(PARTS)]
        x = fx.equalise(np.concatenate(parts), fx.random_eq(rng, SAMPLE_RATE, 4.0))
        x = x * np.float32(10 ** (rng.uniform(-34, 6) / 20))
        hiss = np.float32(10 ** (rng.uniform(-100, -65) / 20))
        return np.clip(x + hiss * rng.standard_normal(len(x), np.float32), -1, 1)

    def _music(self, rng: Rng) -> F32:
        x = metronome(rng) if chance(rng, 0.06) else self.one(rng, "sung" if chance(rng, 0.15) else "music")
        if chance(rng, 0.4):
            x = x + self.one(rng, "noise") * _decibels(rng, -30, 0)
        if chance(rng, 0.2):
            x = x + self.one(rng, "voice") * _decibels(rng, -12, 6)
        return x

    def _other(self, rng: Rng) -> F32:
        if chance(rng, 0.45):
            return self.one(rng, "noise")
        x = self.one(rng, "voice")
        return x + self.one(rng, "noise") * _decibels(rng, -30, 0) if chance(rng, 0.6) else x


def metronome(rng: Rng) -> F32:
    """Clicks for as long as a track, at 40 to 240 a minute: short tones or bursts of noise, one in four higher."""
    hertz = log_uniform(rng, 400, 3500)
    t = np.arange(SAMPLE_RATE // 10) / SAMPLE_RATE
    fade = np.exp(-t / log_uniform(rng, 0.002, 0.025))
    burst = rng.standard_normal(len(t)) if chance(rng, 0.4) else None
    x = np.zeros(LENGTH + len(t), np.float32)
    period, accent = log_uniform(rng, 0.25, 1.5), chance(rng, 0.5)
    for k, at in enumerate(np.arange(rng.uniform(0, period), SECONDS, period)):
        tone = np.sin(2 * np.pi * hertz * (1.5 if accent and k % 4 == 0 else 1.0) * t)
        x[int(at * SAMPLE_RATE) :][: len(t)] += 0.4 * fade * (tone if burst is None else burst)
    return x[:LENGTH]


def _decibels(rng: Rng, low: float, high: float) -> np.float32:
    return np.float32(10 ** (rng.uniform(low, high) / 20))


def heard(net: BeatNet, sound: F32) -> F64:
    """What the heads go by in each frame of a sound, as live, shape ``(frames, hidden)``."""
    features, programme = Features(), Programme(FPS)
    frames, begins = [], [0]
    for k, (block, _) in enumerate(blocks(sound, 1)):
        if programme.hear(block[-HOP:]) and k:
            begins.append(k)
        frames.append(features.frame(block, programme.gain).copy())
    x = torch.from_numpy(np.stack(frames))[:, None]
    with torch.no_grad():
        pieces = [net.hear(x[a:b], net.initial(1))[0] for a, b in zip(begins, [*begins[1:], len(x)])]
    return torch.cat(pieces)[:, 0].double().numpy()


def examples(net: BeatNet, tracks: Tracks, scenes: range, seed: int) -> Iterator[tuple[F64, bool]]:
    """Some frames of each scene, and whether it is music; in turn one with music and one without."""
    for k in scenes:
        sound = tracks.scene(np.random.default_rng((seed, k)), k % 2 == 0)
        yield heard(net, sound)[SETTLE::EVERY], k % 2 == 0


def fit(x: F64, y: F64) -> tuple[F64, float]:
    """Weights and constant of the logistic regression of `y` on the columns of `x`."""
    mean, scale = x.mean(0), x.std(0) + 1e-6
    z = np.hstack([(x - mean) / scale, np.ones((len(x), 1))])
    *found, constant = logistic.fit(z, y, RIDGE * np.append(np.ones(x.shape[1]), 0.0), steps=12)
    weights = np.array(found) / scale
    return weights, float(constant - weights @ mean)


def main() -> None:
    """Fit and export from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=Path)
    ap.add_argument("network", type=Path, help="exported by models.beat.train")
    ap.add_argument("--tracks", type=Path, required=True)
    ap.add_argument("--scenes", type=int, default=800)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    torch.set_num_threads(1)
    (net,) = recovered(a.network)
    net.eval()
    tracks = Tracks(a.tracks)
    most = a.scenes * 9 // 10
    learnt, kept = (list(examples(net, tracks, r, a.seed)) for r in (range(most), range(most, a.scenes)))
    y = np.repeat([float(musical) for _, musical in learnt], [len(x) for x, _ in learnt])
    weights, constant = fit(np.concatenate([x for x, _ in learnt]), y)
    for name, musical in (("music", True), ("no music", False)):
        said = np.concatenate([x for x, m in kept if m == musical]) @ weights + constant
        print(f"{name}, {len(said)} frames kept aside: {(said > 0).mean():.3f} taken for music")
    with torch.no_grad():
        net.music.weight.copy_(torch.from_numpy(weights)[None])
        net.music.bias.fill_(constant)
    print(f"largest difference from torch {export(net, a.out):.2g}")


if __name__ == "__main__":
    reported(main)
