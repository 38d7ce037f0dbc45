"""Recordings with known beats: whole, begun somewhere, or one after another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from models.beat import scoring
from models.beat.features import SAMPLE_RATE
from realtime.audio.resample import StreamResampler
from realtime.errors import UserError
from realtime.hosting.plugin import ENGINE_RATE

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

SOUND = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"}


def load_sound(path: Path) -> F32:
    """Mono at 24 kHz through the host's own resamplers, their delay taken off."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    sound = samples.mean(axis=1)
    for source, target in ((rate, ENGINE_RATE), (ENGINE_RATE, SAMPLE_RATE)):
        resampler = StreamResampler(source, target)
        late = round(resampler.delay * target)
        tail = np.zeros(int(np.ceil(resampler.delay * source)) + 1, np.float32)
        sound = resampler.process(np.concatenate([sound, tail]))[late:]
    return sound


class Recordings:
    """Where a folder keeps its sound, truth and rivals (:mod:`models.beat.bench` says how).

    Raises
    ------
    UserError
        If there is no truth, or a truth has no sound.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth = folder / "truth" if (folder / "truth").is_dir() else folder
        audio = folder / "audio" if (folder / "audio").is_dir() else folder
        self.names = sorted(p.stem for p in self.truth.glob("*.beats"))
        if not self.names:
            raise UserError(f"{folder}: no truth; it must hold audio/, truth/NAME.beats and, optionally, rivals/")
        found = {p.stem: p for p in audio.iterdir() if p.suffix.lower() in SOUND}
        missing = [n for n in self.names if n not in found]
        if missing:
            raise UserError(f"{audio}: no sound for {missing[0]}; put it beside the others")
        self.sounds = found
        rivals = folder / "rivals"
        self.rivals = sorted(p for p in rivals.iterdir() if p.is_dir()) if rivals.is_dir() else []
        self.sets: dict[str, list[str]] = {}
        for n in self.names:
            self.sets.setdefault(n.split("__")[0] if "__" in n else "-", []).append(n)

    def beats(self, name: str) -> F64:
        """Truth of a recording: rows of time and beat in bar."""
        return scoring.load_beats(self.truth / f"{name}.beats", 2)

    def start(self, name: str) -> float:
        """Where it begins to be heard, s."""
        return 0.0

    def sound(self, name: str) -> F32:
        """Its sound from there on, mono at 24 kHz."""
        return load_sound(self.sounds[name])[round(self.start(name) * SAMPLE_RATE) :]

    def before(self, name: str) -> F32:
        """What is heard before it, mono at 24 kHz."""
        return np.zeros(0, np.float32)

    def cuts(self, name: str) -> F64:
        """Times in s at which another piece begins."""
        written = self.truth / f"{name}.cuts"
        if written.exists():
            return scoring.load_beats(written, 1)[:, 0]
        told = self.truth / f"{name}.json"
        return np.array(json.loads(told.read_text()).get("cuts", []) if told.exists() else [], float)


class Cropped(Recordings):
    """The same, each begun at a random place in its first half, as when a host is switched on in the middle of the
    music. Rivals' estimates are of whole recordings and left out."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder)
        self.rivals = []
        self._seed = seed

    def start(self, name: str) -> float:
        length = float(soundfile.info(self.sounds[name]).duration)
        return 0.5 * length * float(np.random.default_rng((self._seed, *name.encode())).random())

    def beats(self, name: str) -> F64:
        rows = super().beats(name)
        rows[:, 0] -= self.start(name)
        return rows[rows[:, 0] >= 0]

    def cuts(self, name: str) -> F64:
        cuts = super().cuts(name) - self.start(name)
        return cuts[cuts > 0]


class Following(Recordings):
    """The same, each after half a minute of another and some seconds of silence; without rivals."""

    def __init__(self, folder: Path, silence: float) -> None:
        super().__init__(folder)
        self.rivals = []
        self._silence = silence

    def before(self, name: str) -> F32:
        other = self.names[(self.names.index(name) + len(self.names) // 2) % len(self.names)]
        heard = self.sound(other)[20 * SAMPLE_RATE : 50 * SAMPLE_RATE]
        return np.concatenate([heard, np.zeros(round(self._silence * SAMPLE_RATE), np.float32)])
