"""Demucs as a job: stems of the last seconds, one of them to be played, all of them as files where wanted."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.demucs.loading import RATE, load, packages
from realtime.errors import UserError
from realtime.hosting.kinds import JobControl, JobPlugin
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Text

LONGEST = 30.0
_SILENCE = 1e-4  # root mean square (-80 dBFS)


class _Stopped(Exception):
    """Nobody wants the stems any more."""


class Demucs(JobPlugin):
    """``job.start`` with ``{"text": "vocals"}`` gives that stem; with ``"save": 1`` all of them as FLAC files."""

    descriptor = Descriptor(
        identifier="demucs",
        name="Stems (Demucs)",
        description="Drums, bass, vocals, other of the last seconds; model: sidechain models get htdemucs",
        maker="Sidechain; Alexandre Défossez, Simon Rouard, Meta",
        license="MIT; the model's own licence",
        version="1.0.0",
        kind="job",
        input=AudioInput(RATE, channels=2, hop=441, window=round(LONGEST * RATE)),
        patience=180.0,
        memory_mb=8192,
        parameters=(
            Parameter("seconds", "Length", "s", 1.0, LONGEST, 10.0, description="of the newest sound"),
            Parameter("overlap", "Overlap", "", 0.0, 0.9, 0.25, description="of the pieces it is worked on in"),
        ),
        outputs=(
            Output("stem", "audio", rate=RATE, description="the stem that was asked for"),
            Output("stems", "event", unit="s", maximum=LONGEST, description="names with levels; value: length"),
            Output("saved", "event", maximum=16.0, description="folder with the files; value: how many"),
        ),
        texts=(
            Text("model", "Model", "htdemucs", description="entry of 'sidechain models', or folder"),
            Text("stem", "Stem", "vocals", live=True, description="where the request names none; empty = none"),
            Text("folder", "Folder", "", description="for files; empty = Sidechain/stems in the home folder"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the networks; raises ``UserError`` when they, or the package, are not here."""
        self._values, self._stem = dict(context.parameters), context.texts["stem"]
        self._folder = Path(context.texts["folder"] or "~/Sidechain/stems").expanduser()
        self._model = load(context.texts["model"])
        self._torch, self._apply = packages()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def text(self, identifier: str, value: str) -> None:
        self._stem = value

    def run(
        self, request: Mapping[str, str | float], block: Array, time: float, job: JobControl
    ) -> list[Feature] | None:
        """Keys of the request: ``text`` or ``stem`` (a name, "all" or "none"), ``seconds``, ``save``."""
        names = [str(name) for name in self._model.sources]
        stem = str(request.get("stem", request.get("text", self._stem))).strip().lower()
        if stem not in (*names, "", "all", "none"):
            raise UserError(f"demucs: no stem '{stem[:40]}'; there are {', '.join(names)}")
        seconds = request.get("seconds", self._values["seconds"])
        if not isinstance(seconds, int | float) or not 1.0 <= seconds <= LONGEST:
            raise UserError(f"demucs: 'seconds' must be between 1 and {LONGEST:g}")
        sound = block[:, -round(seconds * RATE) :]
        if float(np.sqrt(np.mean(np.square(sound)))) < _SILENCE:
            raise UserError(f"demucs: the last {seconds:g} s are silent")
        try:
            stems = dict(zip(names, self.separate(sound, job)))
        except _Stopped:
            return None
        told = ", ".join(f"{name} {_decibels(x):.1f} dB" for name, x in stems.items())
        found = [Feature("stems", time, sound.shape[-1] / RATE, told)]
        if request.get("save") or stem == "all":
            found.append(Feature("saved", time, float(len(stems)), str(self._save(stems))))
        if stem in stems:
            found.append(Feature("stem", time, stems[stem]))
        return found

    def separate(self, sound: Array, job: JobControl) -> list[Array]:
        """All stems, each of the shape of `sound`, (2, n); the package's own way, without random shifts."""
        torch, model = self._torch, self._model
        mix = torch.from_numpy(np.array(sound))
        mean, spread = mix.mean(0).mean(), mix.mean(0).std() + 1e-8
        pieces = sum(self._pieces(m, mix.shape[-1]) for m in model.models)
        done = 0

        def callback(state: Mapping[str, Any]) -> None:
            nonlocal done
            done += state["state"] == "end"
            job.progress(done / pieces, "separating")
            if job.cancelled:
                raise _Stopped

        job.progress(0.0, "separating")
        if job.cancelled:
            raise _Stopped
        given, overlap = ((mix - mean) / spread)[None], self._values["overlap"]
        with torch.inference_mode():
            made = self._apply.apply_model(model, given, shifts=0, overlap=overlap, callback=callback)[0]
            made = made * spread + mean
        return [np.nan_to_num(np.asarray(stem.numpy(), np.float32)) for stem in made]

    def _pieces(self, model: Any, length: int) -> int:
        stride = int((1.0 - self._values["overlap"]) * int(model.samplerate * model.segment))
        return len(range(0, length, max(1, stride)))

    def _save(self, stems: Mapping[str, Array]) -> Path:
        import soundfile

        place = self._folder / clock.strftime("%Y%m%d-%H%M%S")
        try:
            place.mkdir(parents=True, exist_ok=True)
            for name, sound in stems.items():
                soundfile.write(place / f"{name}.flac", np.clip(sound.T, -1.0, 1.0), RATE, subtype="PCM_24")
        except (OSError, RuntimeError) as e:
            raise UserError(f"demucs: stems cannot be written to {place} ({e})") from e
        return place

    def close(self) -> None:
        self._model = None


def _decibels(sound: Array) -> float:
    return float(10.0 * np.log10(np.mean(np.square(sound)) + 1e-12))
