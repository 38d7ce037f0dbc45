"""Sounds that are no music: speech, applause, recorded noises. For training the tags."""

from __future__ import annotations

import io
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from scipy import signal

from models.training.rng import chance, log_uniform, pick

F32 = npt.NDArray[np.float32]

LANGUAGES = ("en-us", "en-gb", "de", "fr-fr", "es", "it", "nl", "sv", "pl", "pt-br", "ru", "tr", "ja", "hi")
HELD_OUT_LANGUAGES = ("da", "cs")
VARIANTS = (
    *("m1", "m2", "m3", "m4", "m5", "m7", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt3", "whisper", "aunty"),
    *("edward", "Andy", "Alicia", "Mr", "linda", "grandma", "travis", "steph", "michel"),
)
HELD_OUT_VARIANTS = ("m6", "Annie", "john")
HELD_OUT_SPEAKER = "nicolas"
HELD_OUT_FOLD = "3"
APPLAUSE_LIKE = ("Rain", "Sea waves")
_TEXT = """the time people way water long little very after words just where most know house world still night
guten Morgen heute wieder zwischen Straße Musik Abend schnell Fenster bonjour toujours ensemble maintenant lumière
mañana siempre corazón ciudad buenas domani sempre insieme ragazzo perché een twee samen morgen tack snälla ja nej
ola obrigado agora vamos music light control please listen sound check one two three four five ladies and
gentlemen welcome back to the show tonight everybody thank you"""


def speech(rng: np.random.Generator, count: int, rate: int, data: Path | None, held_out: bool) -> tuple[F32, str]:
    """Talk with pauses; returns sound and the licence of what was used."""
    if data is not None and (data / "fsdd").is_dir() and (chance(rng, 0.25) or not shutil.which("espeak-ng")):
        return _digits(rng, count, rate, data / "fsdd" / "audio", held_out), "CC BY-SA 4.0 (FSDD)"
    out = np.zeros(count, np.float32)
    languages, variants = (HELD_OUT_LANGUAGES, HELD_OUT_VARIANTS) if held_out else (LANGUAGES, VARIANTS)
    voice = f"{pick(rng, languages)}+{pick(rng, variants)}"
    speed, pitch = str(int(rng.integers(110, 240))), str(int(rng.integers(15, 90)))
    words, at = _TEXT.split(), int(rng.uniform(0, 1.5) * rate)
    while at < count:
        text = " ".join(pick(rng, words) for _ in range(int(rng.integers(3, 14))))
        wave = espeak(text, voice, speed, pitch, rate)
        wave = wave[: count - at]
        out[at : at + len(wave)] += wave
        at += len(wave) + int((0.2 if chance(rng, 0.6) else rng.uniform(0.4, 2.5)) * rate)
    return out, "own text, espeak-ng (output of the program)"


def espeak(text: str, voice: str, speed: str, pitch: str, rate: int) -> F32:
    """One utterance of espeak-ng."""
    done = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", speed, "-p", pitch, "--stdout", text], capture_output=True, check=True
    )
    wave, found = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    return np.asarray(soxr.resample(wave, found, rate), np.float32)


def _digits(rng: np.random.Generator, count: int, rate: int, folder: Path, held_out: bool) -> F32:
    files = [p for p in _files(folder, "*.flac") if (HELD_OUT_SPEAKER in p.name) == held_out]
    speaker = pick(rng, files).name.split("_")[1]
    own = [p for p in files if p.name.split("_")[1] == speaker]
    out, at = np.zeros(count, np.float32), int(rng.uniform(0, 1) * rate)
    while at < count:
        wave, found = soundfile.read(pick(rng, own), dtype="float32")
        wave = np.asarray(soxr.resample(wave, found, rate), np.float32)[: count - at]
        out[at : at + len(wave)] += wave / (np.abs(wave).max() + 1e-6)
        at += len(wave) + int(rng.uniform(0.02, 0.5) * rate)
    return out


def applause(rng: np.random.Generator, count: int, rate: int) -> F32:
    """Hands: a few to some hundred people who clap a few times a second, each with hands of their own."""
    people = round(log_uniform(rng, 4, 250))
    tail = int(0.03 * rate)
    bank = []
    for _ in range(24):
        centre, decay = log_uniform(rng, 500, 3500), log_uniform(rng, 0.0015, 0.008)
        burst = rng.standard_normal(tail) * np.exp(-np.arange(tail) / rate / decay)
        sos = signal.butter(1, [0.6 * centre, min(1.7 * centre, 0.45 * rate)], "band", fs=rate, output="sos")
        wave = signal.sosfilt(sos, burst)
        bank.append((wave / (np.sqrt(np.sum(wave**2)) + 1e-9)).astype(np.float32))
    out = np.zeros(count + tail, np.float32)
    for _ in range(people):
        begin, end = (
            sorted(rng.uniform(-0.15 * count, 1.15 * count, 2)) if chance(rng, 0.3) else (0.0, float(count))
        )
        period = rate / rng.uniform(2.5, 5.5)
        times = begin + rng.uniform(0, period) + np.cumsum(period * (1 + 0.08 * rng.standard_normal(400)))
        wave, loud = pick(rng, bank), log_uniform(rng, 0.2, 1)
        for t in times[(times >= 0) & (times < min(end, count))].astype(int):
            out[t : t + tail] += wave * np.float32(loud * rng.uniform(0.6, 1))
    return out[:count]


def recorded(rng: np.random.Generator, count: int, rate: int, data: Path, held_out: bool) -> tuple[F32, str]:
    """A noise of ESC-10 and its class; the held-out fold is for validation only."""
    rows = [r for r in _index(data) if (r[1] == HELD_OUT_FOLD) == held_out]
    file, _, kind = pick(rng, rows)
    wave, found = soundfile.read(data / "esc10" / "audio" / file, dtype="float32", always_2d=True)
    mono = np.asarray(soxr.resample(wave.mean(axis=1), found, rate), np.float32)
    return np.tile(mono, -(-count // max(1, len(mono))))[:count], kind


@lru_cache(maxsize=4)
def _index(data: Path) -> list[tuple[str, str, str]]:
    lines = (data / "esc10" / "index.tsv").read_text().splitlines()[1:]
    return [(a, b, c) for a, b, c in (line.split("\t") for line in lines)]


@lru_cache(maxsize=4)
def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))
