"""Gather dry speech and singing into one bank: human recordings, synthesised speech, sung formants.

    python -m models.voice.corpus BANK --human DIR … --fsdd DIR [--spoken 500] [--sung 120] [--seed 1]

The folders of ``--human`` hold Debian's packages (:mod:`models.voice.recordings`). ``--spoken`` needs espeak-ng.
A bank is ``BANK.npy`` (int16, 24 kHz, all clips in a row) and ``BANK.json`` (start, length, speaker).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from models.training.synth.voice import Singer, Syllable, sing
from models.voice.adventures import dialogue
from models.voice.labels import speech_frames
from models.voice.recordings import Recording, recordings, speaker
from models.voice.texts import SENTENCES
from realtime.errors import UserError, reported

F32 = npt.NDArray[np.float32]
RATE = 24_000
LONGEST = 12.0
VARIANTS = (
    "", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt2", "klatt4",
    "adam", "anika", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "croak", "david", "grandma",
    "grandpa", "gustave", "iven", "john", "linda", "marcelo", "michael", "norbert", "pablo", "paul", "quincy",
    "rob", "sandro", "shelby", "steph", "travis", "victor", "zac", "Alicia", "Andrea", "Diogo", "Mario",
)  # fmt: skip
Clip = tuple[F32, str]


def human(folders: list[Path]) -> Iterator[Clip]:
    """Recorded speech of Debian's packages."""
    for folder in folders:
        for found in recordings(folder):
            who = speaker(found.name)
            sound = _at_rate(found.read()) if who else None
            if who and sound is not None:
                yield sound, who
        for samples, rate, who in dialogue(folder):
            sound = _at_rate((samples, rate))
            if sound is not None:
                yield sound, who


def digits(folder: Path) -> Iterator[Clip]:
    """Free spoken digits, ``DIGIT_SPEAKER_TAKE.flac``."""
    for path in sorted(folder.rglob("*.flac")):
        sound = _at_rate(Recording(path).read())
        if sound is not None:
            yield sound, "fsdd " + path.stem.split("_")[1]


def spoken(count: int, seed: int) -> Iterator[Clip]:
    """Sentences by espeak-ng in many voices, speeds and pitches."""
    languages = sorted(SENTENCES)
    with tempfile.TemporaryDirectory() as folder:
        for k in range(count):
            rng = np.random.default_rng((seed, 1, k))
            of = "de" if rng.random() < 0.25 else languages[int(rng.integers(len(languages)))]
            variant = VARIANTS[int(rng.integers(len(VARIANTS)))]
            text = SENTENCES[of][int(rng.integers(len(SENTENCES[of])))]
            out = Path(folder) / "said.wav"
            options = ["-s", str(int(rng.uniform(110, 260))), "-p", str(int(rng.uniform(5, 95)))]
            options += ["-v", f"{of}+{variant}" if variant else of, "-w", str(out)]
            try:
                subprocess.run(["espeak-ng", *options, "--", text], check=True, capture_output=True)
            except FileNotFoundError as error:
                raise UserError("espeak-ng: not installed; install it, or use --spoken 0") from error
            except subprocess.CalledProcessError:
                continue  # a voice that this installation lacks
            sound = _at_rate(Recording(out).read())
            if sound is not None:
                yield sound, f"espeak {variant}"


def sung(count: int, seed: int) -> Iterator[Clip]:
    """Melodies, chants and raps by the formant voice of the training music."""
    for k in range(count):
        rng = np.random.default_rng((seed, 2, k))
        singer = Singer(
            size=float(rng.uniform(0.85, 1.25)), vibrato=float(rng.choice([0, 15, 30, 60, 100])),
            rate=float(rng.uniform(4.5, 7)), breath=float(rng.uniform(0.01, 0.12)),
            tilt=float(rng.uniform(0.8, 1.5)), glide=float(rng.uniform(0.01, 0.08)),
            jitter=float(rng.uniform(2, 15)),
        )  # fmt: skip
        pitch, at, syllables = float(rng.uniform(43, 74)), 0.2, []
        pace = float(np.exp(rng.uniform(np.log(0.13), np.log(0.8))))
        tune = pitch
        while at < 8.0:
            length = float(pace * rng.choice([1, 1, 1, 2, 3]))
            tune = pitch + 0.7 * (tune - pitch) + float(rng.choice([-5, -3, -2, -1, 0, 0, 1, 2, 3, 4, 7]))
            text = str(rng.choice(list("pbtdkgsfhmnl") + [""] * 4)) + str(rng.choice(list("aeiouy")))
            syllables.append(Syllable(at, 0.95 * length, tune, float(rng.uniform(0.5, 1)), text))
            at += length + (float(rng.uniform(0.3, 1.2)) if rng.random() < 0.12 else 0.0)
        yield sing(syllables, int(8.5 * RATE), RATE, rng, singer), "sung"


def _at_rate(found: tuple[F32, int] | None) -> F32 | None:
    """At 24 kHz; None where there is next to nothing."""
    if found is None or len(found[0]) < 0.15 * found[1]:
        return None
    sound: F32 = soxr.resample(found[0], found[1], RATE).astype(np.float32)
    return sound


def keep(sound: F32) -> F32 | None:
    """The clip at peak 0.9, cut at 12 s, sound outside of speech faded out; None if it is too noisy or empty."""
    sound = sound[: int(LONGEST * RATE)] - sound.mean()
    peak = float(np.abs(sound).max())
    if peak < 1e-3:
        return None
    sound = sound * np.float32(0.9 / peak)
    active = speech_frames(sound)
    if active.sum() < 8:
        return None
    first, last = np.flatnonzero(active)[[0, -1]]
    first, last = max(0, first - 6), min(len(active), last + 12)
    near = np.convolve(active, np.ones(15), "same") > 0
    gate = np.convolve(near.astype(np.float32), np.hanning(7) / np.hanning(7).sum(), "same")
    step = RATE // 100
    fine = np.interp(np.arange(len(sound)), np.arange(len(gate)) * step + step / 2, gate)
    out: F32 = (sound * fine)[first * step : last * step].astype(np.float32)
    return out


def gather(path: Path, sources: list[Iterator[Clip]]) -> None:
    """Write a bank."""
    index: list[tuple[int, int, str]] = []
    blocks: list[npt.NDArray[np.int16]] = []
    at = 0
    for source in sources:
        for sound, who in source:
            kept = keep(sound)
            if kept is not None:
                blocks.append((kept * 32767).astype(np.int16))
                index.append((at, len(kept), who))
                at += len(kept)
    if not blocks:
        raise UserError(f"{path}: no speech found; give --human, --fsdd or --spoken")
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.lib.format.open_memmap(path.with_suffix(".npy"), "w+", np.int16, (at,))
    for block, (start, length, _) in zip(blocks, index):
        whole[start : start + length] = block
    whole.flush()
    path.with_suffix(".json").write_text(json.dumps(index))
    hours: dict[str, float] = {}
    for _, length, who in index:
        hours[who.split()[0]] = hours.get(who.split()[0], 0.0) + length / RATE / 3600
    told = ", ".join(f"{k} {v:.2f} h" for k, v in hours.items())
    print(f"{len(index)} clips of {len({s for _, _, s in index})} speakers: {told}")


def main() -> None:
    """Gather from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("bank", type=Path)
    ap.add_argument("--human", type=Path, nargs="+", default=[])
    ap.add_argument("--fsdd", type=Path)
    ap.add_argument("--spoken", type=int, default=500, help="sentences by espeak-ng")
    ap.add_argument("--sung", type=int, default=120, help="sung clips")
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    sources = [spoken(a.spoken, a.seed), sung(a.sung, a.seed)]
    sources += [human(a.human)]
    sources += [digits(a.fsdd)] if a.fsdd else []
    gather(a.bank, sources)


if __name__ == "__main__":
    reported(main)
