"""One-shot drum pack: random kits from recorded sounds, trimmed to their onset."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

FOLDER = {
    "kick": "kick",
    "snare": "snare",
    "clap": "clap",
    "rim": "sidestick",
    "hat": "hihat_closed",
    "open_hat": "hihat_open",
    "pedal_hat": "hihat_pedal",
    "ride": "ride",
    "crash": "crash",
    "tom_hi": "tom",
    "tom_mid": "tom",
    "tom_lo": "tom",
    "shaker": "maraca_shaker",
    "tamb": "tambourine",
    "cowbell": "cowbell",
    "clave": "clave_block",
    "conga_hi": "conga_bongo",
    "conga_lo": "conga_bongo",
}


@lru_cache(maxsize=2)
def catalogue(data: Path) -> dict[str, tuple[tuple[str, str], ...]]:
    """``class -> ((file, licence), ...)`` of the pack below ``data/drum_oneshots``; empty when it is absent."""
    index = data / "drum_oneshots" / "index.tsv"
    if not index.exists():
        return {}
    out: dict[str, list[tuple[str, str]]] = {}
    with index.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            out.setdefault(row["class"], []).append((row["file"], row["licence"]))
    return {k: tuple(sorted(v)) for k, v in out.items()}


@lru_cache(maxsize=2048)
def one_shot(path: Path, rate: int) -> np.ndarray:
    """Mono float32 with peak 1 that starts at its onset (first sample above 3 % of the peak, less 0.5 ms)."""
    x, file_rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = np.asarray(soxr.resample(x.mean(axis=1), file_rate, rate), dtype=np.float32)
    peak = float(np.max(np.abs(mono), initial=0.0))
    if peak < 1e-6:
        return np.zeros(1, dtype=np.float32)
    first = max(0, int(np.argmax(np.abs(mono) > 0.03 * peak)) - int(0.0005 * rate))
    mono = (mono[first : first + int(2.5 * rate)] / peak).astype(np.float32)
    fade = min(64, len(mono))
    mono[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return mono


def kit(rng: np.random.Generator, data: Path, rate: int) -> tuple[dict[str, list[np.ndarray]], set[str]]:
    """A random kit and the licences of its sounds; voices often come from one maker, as in a real machine."""
    classes = catalogue(data)
    sounds: dict[str, list[np.ndarray]] = {}
    licences: set[str] = set()
    makers = sorted({f.split("/")[1].rsplit("_", 1)[0] for f, _ in classes["kick"]})
    maker = makers[int(rng.integers(len(makers)))]
    keep = rng.random() < 0.5
    for voice, folder in FOLDER.items():
        files = classes.get(folder, ())
        own = [f for f in files if f[0].split("/")[1].startswith(maker)]
        pool = own if keep and own else files
        if not pool:
            continue
        file, licence = pool[int(rng.integers(len(pool)))]
        wave = one_shot(data / "drum_oneshots" / file, rate)
        if rng.random() < 0.4:
            factor = float(np.exp(rng.uniform(-0.25, 0.25)))
            wave = np.interp(np.arange(0, len(wave) - 1, factor), np.arange(len(wave)), wave).astype(np.float32)
        sounds[voice] = [wave]
        licences.add(licence)
    return sounds, licences
