"""``sidechain bench spot FOLDER``: how many spoken words are found again, and how many that are none.

FOLDER has recordings named ``WORD_SPEAKER_NUMBER.wav``, as the Free Spoken Digit Dataset. Of one speaker, a few
recordings of some words are the examples. The stream is other recordings of the same speaker, of these and of
other words, with pauses, in soft noise.

- found: share of the wanted words with an event of their name that ends within 0.3 s of theirs.
- false per minute: events of the wrong name, or on a word that is no example, or on none.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from models.dsp.offline import drive
from models.spot.examples import trimmed
from models.spot.features import SPEC
from models.spot.plugin import Spot
from realtime.audio.resample import StreamResampler
from realtime.bench.report import parser, publish
from realtime.errors import UserError
from realtime.hosting.plugin import Context

F32 = npt.NDArray[np.float32]
NAME = re.compile(r"([^_]+)_([^_]+)_(\d+)\Z")
NEAR = 0.3


def _sound(path: Path) -> F32:
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = np.concatenate([sound.mean(axis=1), np.zeros(rate // 10, np.float32)])
    made = StreamResampler(rate, SPEC.sample_rate).process(mono) if rate != SPEC.sample_rate else mono
    return trimmed(np.ascontiguousarray(made, np.float32).reshape(-1))


def trial(
    words: dict[str, list[Path]], wanted: list[str], each: int, least: float, noise_db: float
) -> dict[str, float]:
    """Examples from the first `each` recordings of the wanted words; the stream from others of every word."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for word in wanted:
            for k, path in enumerate(words[word][:each]):
                soundfile.write(Path(folder) / f"{word}w-{k}.wav", _sound(path), SPEC.sample_rate)
        plugin = Spot()
        values = {p.identifier: p.default for p in Spot.descriptor.parameters} | {"least": least}
        plugin.prepare(Context(values, "", {"folder": folder}))
    told = [(w, p) for w, paths in words.items() for p in paths[each : each + 10]]
    pieces, ends, at = [], [], 0
    for k in rng.permutation(len(told)).tolist():
        word, path = told[k]
        sound = _sound(path)
        sound = sound / max(float(np.abs(sound).max()), 1e-6) * np.float32(rng.uniform(0.1, 0.5))
        pause = np.zeros(int(rng.uniform(0.3, 0.9) * SPEC.sample_rate), np.float32)
        pieces += [pause, sound]
        at += len(pause) + len(sound)
        ends.append((at / SPEC.sample_rate, word))
    stream = np.concatenate([*pieces, np.zeros(SPEC.sample_rate, np.float32)])
    stream += np.float32(10 ** (noise_db / 20)) * rng.standard_normal(len(stream)).astype(np.float32)
    begun = time.process_time()
    events = [f for _, f in drive(plugin, stream) if f.output == "spotted"]
    spent = time.process_time() - begun
    right = 0
    used: set[int] = set()
    for end, word in ends:
        hit = next(
            (
                k
                for k, e in enumerate(events)
                if k not in used and e.label == f"{word}w" and abs(e.time - end) <= NEAR
            ),
            None,
        )
        if hit is not None and word in wanted:
            used.add(hit)
            right += 1
    there = sum(w in wanted for _, w in ends)
    hops = len(stream) / SPEC.hop
    return {
        "words": len(ends), "wanted": there, "found": right / max(1, there),
        "false per minute": 60 * (len(events) - len(used)) / (len(stream) / SPEC.sample_rate),
        "ms of CPU a hop, with the spectrum": 1000 * spent / hops,
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("spot", __doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--examples", type=int, default=2, help="recordings of each wanted word (default 2)")
    arguments.add_argument("--wanted", type=int, default=3, help="words that are looked for (default 3)")
    arguments.add_argument("--noise", type=float, default=-60.0, help="dBFS RMS of white noise (default -60)")
    args = arguments.parse_args(argv)
    by_speaker: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(p for p in args.folder.iterdir() if p.suffix in (".wav", ".flac")):
        parts = NAME.match(path.stem)
        if parts is not None:
            by_speaker[parts[2]][parts[1]].append(path)
    if not by_speaker:
        raise UserError(f"{args.folder}: no files WORD_SPEAKER_NUMBER.wav or .flac")
    rows = []
    for least in (0.65, 0.7, 0.75, 0.8, 0.85):
        found = [
            trial(dict(words), sorted(words)[: args.wanted], args.examples, least, args.noise)
            for words in by_speaker.values()
        ]
        rows.append({"least": least, **{k: float(np.mean([f[k] for f in found])) for k in found[0]}})
    args.folder = str(args.folder)
    publish("spot", args, {"speakers": len(by_speaker), "mean over speakers, by least score": rows})
    return 0
