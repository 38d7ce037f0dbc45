"""Label music that has no truth from what the networks say of it, with hindsight.

    python -m models.beat.hindsight OUT --music DIR [DIR …] --networks BEAT.onnx [MORE.onnx …]

Several networks are asked, together and each alone, for the most likely beats of the whole recording
(``smooth.py``). Where all agree, their beats are taken for true; where most of these lie on one line, as those of
machines do, the line is drawn through the whole recording, so that intros, breakdowns and what a live tracker
hears before it has locked are labelled as well. Bars are numbered where the downbeats single out one beat
of three or four. Music of which ``NAME.rows`` are there as well (:mod:`models.training.modules`) has its beats on
rows, at the networks' tempo. Everything else is masked, but the networks' answers to all of it are kept as well
(``answers.py``), for a training to learn from (``train --answers``). Learning from one's own answers: D.-H. Lee,
"Pseudo-label" (2013); Q. Xie et al., "Self-training with noisy student" (2020).

OUT is then a folder like a rendered one (``models/training/README.md``), features and answers included.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from models.beat import answers, rows, smooth
from models.beat.features import FPS, HOP, LABEL_DELAY, SAMPLE_RATE, Features
from models.beat.recordings import SOUND, load_sound
from models.dsp.programme import MOST, NOMINAL
from models.training.dataset import named_files, read_audio, save_frames
from models.training.modules import LONGEST, SHORTEST
from models.training.spans import runs
from realtime.errors import UserError, reported

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Times = npt.NDArray[np.floating]

SAME = 0.045
"""Beats of two networks that are nearer than this are one, s."""
RUN = 16
"""Beats in agreement that make a span."""
CLEAR, COUNTED = 1.0, 0.2
"""Nats that beats must add on the mean: below that they often lie between the true ones; and where rows tell where
they lie, which the networks must not deny."""
STRAIGHT = 0.022
"""Beats of a machine lie within this of their line, s."""
STRAIGHT_SHARE, AGREED_SHARE = 0.85, 0.6
SINGLED = 0.15
"""How much more probable as a downbeat one beat of the bar must be than each other."""


@dataclass(frozen=True)
class Labels:
    """What is taken for true.

    Attributes
    ----------
    beats : ndarray, shape (n, 3)
        Time in s, beat in bar (0 unknown), beats per bar.
    valid : list of (float, float)
        Spans in s to train on.
    straight : bool
        Whether one line was drawn through all of it.
    """

    beats: F64
    valid: list[tuple[float, float]]
    straight: bool


class Recording(NamedTuple):
    """What is to be labelled.

    Attributes
    ----------
    name : str
    sound : ndarray of float32, shape (n,)
        Mono at 24 kHz.
    rows : ndarray, shape (m, 3), optional
        From :class:`models.training.modules.Played`.
    """

    name: str
    sound: F32
    rows: F64 | None = None


class Heard(NamedTuple):
    """What is found of a recording.

    Attributes
    ----------
    frames : ndarray of float32, shape (frames, 144)
        Features.
    answers : ndarray of float32, shape (frames, 72)
        The networks' together (:mod:`~models.beat.answers`).
    labels : Labels or None
        None where the networks do not agree.
    """

    frames: F32
    answers: F32
    labels: Labels | None


def agreement(first: Times, second: Times) -> Flags:
    """Which beats of the first both have, with none of the second's before the next."""
    if len(first) < 2 or len(second) < 2:
        return np.zeros(len(first), bool)
    near = np.clip(np.searchsorted(second, first), 1, len(second) - 1)
    gap = np.minimum(np.abs(first - second[near - 1]), np.abs(first - second[near]))
    between = np.diff(np.searchsorted(second, np.append(first - SAME, np.inf)))
    between[-1] = 1
    return (gap <= SAME) & (between == 1)


def line(times: Times) -> tuple[float, float, float]:
    """Start and period in s of the line through most of `times`, and the share that lies on it."""
    period, start = float(np.median(np.diff(times))), float(times[0])
    index = np.concatenate([[0.0], np.cumsum(np.maximum(1, np.round(np.diff(times) / period)))])
    weight = np.ones(len(times))
    for _ in range(12):
        period, start = np.polyfit(index, times, 1, w=np.sqrt(weight))
        away = np.abs(times - start - period * index)
        weight = 1 / (1 + (away / STRAIGHT) ** 2)
        index = np.round((times - start) / period)
    away = np.abs(times - start - period * index)
    return float(start), float(period), float((away <= STRAIGHT).mean())


def numbered(one: Times) -> tuple[npt.NDArray[np.int64], int]:
    """Beat in bar of consecutive beats and beats per bar, all 0 if no beat of the bar stands out.

    Parameters
    ----------
    one : ndarray
        Probability of each beat to be a downbeat.
    """
    best = (0.0, 0, 0)
    index = np.arange(len(one))
    for per_bar in (4, 3):
        means = np.array([one[k::per_bar].mean() for k in range(per_bar)])
        k = int(means.argmax())
        lead = float(means[k] - np.delete(means, k).max())
        if lead > max(SINGLED, best[0]):
            best = (lead, k, per_bar)
    _, k, per_bar = best
    return ((index - k) % per_bar + 1, per_bar) if per_bar else (np.zeros(len(one), np.int64), 0)


def label(
    together: Times, alone: Sequence[Times], beat: F32, downbeat: F32, sounding: tuple[float, float]
) -> Labels | None:
    """Labels from the beats that the networks found.

    Parameters
    ----------
    together, alone : ndarray, shape (n,); list of the same
        Times in s, of all networks' mean answer and of each.
    beat, downbeat : ndarray, shape (frames,)
        Logits of the mean answer.
    sounding : (float, float)
        First and last second with sound.
    """
    together = together[(together >= sounding[0]) & (together <= sounding[1])]
    if len(together) < 2 * RUN:
        return None
    same = np.all([agreement(together, other) for other in alone], 0)
    spans = runs(same, RUN)
    inside = np.zeros(len(together), bool)
    for a, b in spans:
        inside[a:b] = True
    if inside.sum() < 2 * RUN or rows.gain(together, beat)[inside].mean() < CLEAR:
        return None
    start, period, share = line(together)
    if share >= STRAIGHT_SHARE and inside.mean() >= AGREED_SHARE:
        first = int(np.ceil((sounding[0] - start - 0.03) / period))
        times = start + period * np.arange(first, int((sounding[1] - start) / period) + 1)
        number, per_bar = numbered(_downbeats(times, downbeat))
        return Labels(np.column_stack([times, number, np.full(len(times), per_bar)]), [sounding], True)
    valid = []
    times = together.copy()
    for a, b in spans:
        for i in range(a, b):  # the line through the nearest beats
            near = np.arange(max(a, i - 3), min(b, i + 4))
            times[i] = np.polyval(np.polyfit(near - i, together[near], 1), 0)
        valid.append((float(times[a]), float(times[b - 1])))
    return Labels(np.column_stack([times, np.zeros((len(times), 2))]), valid, False)


def counted(known: F64, together: Times, beat: F32, sounding: tuple[float, float]) -> Labels | None:
    """Labels of music whose rows are `known`; otherwise as :func:`label`."""
    together = together[(together >= sounding[0]) & (together <= sounding[1])]
    if len(together) < 2 * RUN:
        return None
    found = rows.beats(known, together, beat)
    if found is None or rows.gain(found[:, 0], beat).mean() < COUNTED:
        return None
    return Labels(found, [sounding], line(found[:, 0])[2] >= STRAIGHT_SHARE)


def _downbeats(times: Times, logits: F32) -> F64:
    frames = np.clip(np.round((times + LABEL_DELAY) * FPS - 1).astype(int), 1, len(logits) - 2)
    near = np.max([logits[frames + k] for k in (-1, 0, 1)], 0)
    return np.asarray(1 / (1 + np.exp(-near)), float)


def _logits(p: F32) -> F32:
    p = np.clip(p, 1e-5, 1 - 1e-5)
    out: F32 = np.log(p / (1 - p))
    return out


def _raised(sound: F32) -> F32:
    """A quiet recording, as loud as the tracker would hear it in the end."""
    blocks = sound[: len(sound) // HOP * HOP].reshape(-1, HOP)
    loudest = math.sqrt(float(np.square(blocks).mean(1).max()))
    return sound * np.float32(min(MOST, max(1.0, math.sqrt(NOMINAL) / max(loudest, 1e-6))))


def _sounding(sound: F32) -> tuple[float, float]:
    block = SAMPLE_RATE // 20
    level = np.abs(sound[: len(sound) // block * block]).reshape(-1, block).max(1)
    loud = np.flatnonzero(level > 0.02 * level.max())
    return float(loud[0] / 20), float((loud[-1] + 1) / 20)


class Labeller:
    """Networks that are asked together and each alone."""

    def __init__(self, paths: list[Path]) -> None:
        self.panel = answers.Panel(paths)
        self.features = Features()

    def __call__(self, recordings: Sequence[Recording]) -> list[Heard]:
        """What is found of each."""
        found = [self.features.clip(_raised(r.sound)) for r in recordings]
        told = self.panel(found)
        whole = told.whole()
        beat = _logits(np.concatenate([told.beat.mean(0)[None], told.beat])).transpose(0, 2, 1)
        tempo = np.concatenate([told.tempo.mean(0)[None], told.tempo]).transpose(0, 2, 1, 3)
        sequences = [smooth.beats(b, np.log(np.maximum(t, 1e-6))) for b, t in zip(beat, tempo)]
        out = []
        for k, (_, sound, known) in enumerate(recordings):
            n = len(found[k])
            together, *alone = (s[k][s[k] < n / FPS] for s in sequences)
            if known is None:
                labels = label(together, alone, beat[0, k, :n], _logits(whole[:n, k, 1]), _sounding(sound))
            else:
                labels = counted(known, together, beat[0, k, :n], _sounding(sound))
            out.append(Heard(found[k], whole[:n, k], labels))
        return out


def recordings(folders: list[Path], done: set[str]) -> Iterator[Recording]:
    """Every recording that is long enough and not `done`."""
    for name, path in named_files(folders, SOUND):
        if name in done:
            continue
        try:
            about = soundfile.info(path)
            if about.duration < SHORTEST:
                continue
            sound = read_audio(path) if about.samplerate == SAMPLE_RATE else load_sound(path)
            sound = sound[: int(LONGEST * SAMPLE_RATE)]
        except (soundfile.LibsndfileError, UserError) as error:
            print(f"{path}: left out ({error})")
            continue
        if np.abs(sound).max() > 1e-3:
            known = path.with_suffix(".rows")
            yield Recording(name, sound, np.loadtxt(known, ndmin=2) if known.exists() else None)


def save(out: Path, name: str, sound: F32, heard: Heard) -> None:
    """Write sound, features, answers and, last, labels; nothing is valid where there are none."""
    labels = heard.labels or Labels(np.zeros((0, 3)), [], False)
    soundfile.write(out / f"{name}.flac", np.clip(sound, -0.999, 0.999), SAMPLE_RATE, subtype="PCM_16")
    features = out / "features" / f"{name}.npy"
    save_frames(features, heard.frames)
    save_frames(answers.kept(features), heard.answers)
    truth = {
        "beats": np.round(labels.beats, 4).tolist(),
        "valid": labels.valid,
        "duration": len(sound) / SAMPLE_RATE,
        "source": "heard",
        "straight": labels.straight,
    }
    (out / f"{name}.json").write_text(json.dumps(truth))


def main() -> None:
    """Label from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=Path)
    ap.add_argument("--music", type=Path, nargs="+", required=True, help="folders, searched to any depth")
    ap.add_argument("--networks", type=Path, nargs="+", required=True, help="exported, one or more in each")
    a = ap.parse_args()
    torch.set_num_threads(1)
    a.out.mkdir(parents=True, exist_ok=True)
    ask = Labeller(a.networks)
    waiting: list[Recording] = []
    tally = {"one line": 0, "rows": 0, "in spans": 0, "no labels": 0}

    def answer() -> None:
        for (name, sound, known), heard in zip(waiting, ask(waiting)):
            labels = heard.labels
            save(a.out, name, sound, heard)
            kind = "no labels" if labels is None else "one line" if labels.straight else "in spans"
            kind = "rows" if labels is not None and known is not None else kind
            tally[kind] += 1
            if labels is not None:
                bpm = 60 / float(np.median(np.diff(labels.beats[:, 0])))
                print(f"{name}: {bpm:.1f} BPM, {kind}, {int(labels.beats[0, 2]) or 'no'} beats a bar", flush=True)
        waiting.clear()

    for item in recordings(a.music, {p.stem for p in a.out.glob("*.json")}):
        waiting.append(item)
        if len(waiting) == answers.TOGETHER:
            answer()
    if waiting:
        answer()
    if not any(tally.values()) and not any(a.out.glob("*.json")):
        raise UserError(f"{a.music[0]}: no recording of {SHORTEST:.0f} s or more; give folders with music")
    print(", ".join(f"{k}: {v}" for k, v in tally.items()))


if __name__ == "__main__":
    reported(main)
