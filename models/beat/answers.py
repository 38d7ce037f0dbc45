"""What networks answer to whole recordings, kept beside their features for a network that is to learn from it.

    python -m models.beat.answers FOLDER [FOLDER …] --networks BEAT.onnx [MORE.onnx …]

FOLDER is one of rendered or labelled music (``models/training/README.md``) whose ``features/`` are there;
``answers/`` is made beside them. Each network hears every view of the sound
(:data:`~models.beat.features.VIEWS`), undisturbed and from the beginning on, so that what is kept knows more than
the network taught by it, which hears disturbed pieces of it: Q. Xie et al., "Self-training with noisy student
improves ImageNet classification" (2020).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from models.beat.distill import probabilities, recovered
from models.beat.features import SIZE, VIEWS
from models.training.dataset import save_frames
from realtime.errors import UserError, reported
from realtime.hosting.spectral import levels_of, logarithm

F32 = npt.NDArray[np.float32]
TOGETHER = 8
"""Recordings at a time."""


def seen(frames: F32, gains: F32) -> F32:
    """Features of another view, from those of the sound as it is; `gains` are of the bands."""
    power = levels_of(frames)
    power *= gains
    # what is rounded to less than nothing is nothing
    return logarithm(np.maximum(power, 0.0, out=power), power)


def kept(features: Path) -> Path:
    """Where the answers to the recording lie whose features are in the file `features`."""
    return features.parent.parent / "answers" / features.name


class Answered(NamedTuple):
    """Probabilities, arrays of shape ``(networks, frames, recordings, …)``; heads as in the network."""

    beat: F32
    downbeat: F32
    tempo: F32
    phase: F32
    metre: F32

    def whole(self) -> F32:
        """The mean over networks of all heads side by side, shape ``(frames, recordings, 72)``."""
        beat, downbeat, *rest = (head.mean(0) for head in self)
        return np.concatenate([beat[..., None], downbeat[..., None], *rest], -1)


class Panel:
    """Networks that are asked about whole recordings; each answers with the mean over the views.

    Raises
    ------
    UserError
        If a file holds no networks of this kind.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.nets = [net.eval() for path in paths for net in recovered(path)]

    @torch.no_grad()
    def __call__(self, found: list[F32]) -> Answered:
        """Answers to recordings whose features are `found`; what is longer than a recording is silence."""
        x = np.zeros((max(map(len, found)), len(found), SIZE), np.float32)
        for k, frames in enumerate(found):
            x[: len(frames), k] = frames
        views = [torch.from_numpy(x if (g == 1.0).all() else seen(x, g)) for g in VIEWS]
        each = []
        for net in self.nets:
            told = [probabilities(net(v, net.initial(len(found)))[0]) for v in views]
            each.append([torch.stack(head).mean(0).numpy() for head in zip(*told)])
        return Answered(*(np.stack(head) for head in zip(*each)))


def main() -> None:
    """Ask from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folders", type=Path, nargs="+")
    ap.add_argument("--networks", type=Path, nargs="+", required=True, help="exported, one or more in each")
    a = ap.parse_args()
    torch.set_num_threads(1)
    ask = Panel(a.networks)
    for folder in a.folders:
        paths = sorted((folder / "features").glob("*.npy"))
        if not paths:
            raise UserError(f"{folder}: no features; make them with python -m models.training.dataset")
        missing = [p for p in paths if not kept(p).exists()]
        for first in range(0, len(missing), TOGETHER):
            some = missing[first : first + TOGETHER]
            found = [np.load(p).astype(np.float32) for p in some]
            whole = ask(found).whole()
            for k, path in enumerate(some):
                save_frames(kept(path), whole[: len(found[k]), k])
        print(f"{folder}: {len(missing)} answered, {len(paths) - len(missing)} had been", flush=True)


if __name__ == "__main__":
    reported(main)
