"""Whisper by faster-whisper (CTranslate2): opened from this machine alone, asked about one utterance at a time."""

from __future__ import annotations

import difflib
import importlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Array
from realtime.store.store import Store

EXTRA = "pip install 'sidechain[whisper]'"
RATE = 16_000
MOST_TOKENS = 224
"""Of one utterance: half of what Whisper can hold; keeps one that repeats itself from going on and on."""

_FILES = ("model.bin", "config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its place, seconds from the start of the utterance."""

    text: str
    start: float


@dataclass(frozen=True, slots=True)
class Said:
    """What was understood.

    Attributes
    ----------
    text : str
    language : str
        Two letters mostly: ``en``, ``de``.
    sureness : float
        Mean probability of the tokens, 0–1.
    language_probability : float
        0–1.
    words : tuple of Word
        Empty unless they were asked for.
    """

    text: str
    language: str
    sureness: float
    language_probability: float
    words: tuple[Word, ...] = ()


class Transcriber:
    """A Whisper model in the format of CTranslate2; used by one thread, and using one.

    Parameters
    ----------
    name : str
        A folder, an entry of the model store, ``OWNER/NAME`` or a size (``base``) as it lies in the hub's cache.
    precision : str
        ``int8``, ``float32`` … as CTranslate2 names it.
    store : Store, optional

    Raises
    ------
    NotFetched
        The package or the model is not here; says which command gets it.
    UserError
        It is not such a model.
    """

    def __init__(self, name: str, precision: str = "int8", store: Store | None = None) -> None:
        try:
            package = importlib.import_module("faster_whisper")
        except Exception as e:  # a broken build fails in many ways
            said = str(e).splitlines()[0] if str(e) else type(e).__name__
            raise NotFetched(f"needs faster-whisper ({said}): {EXTRA}") from e
        folder = place(name, package, store)
        try:
            self._model: Any = package.WhisperModel(
                str(folder),
                device="cpu",
                compute_type=precision,
                cpu_threads=1,
                num_workers=1,
                local_files_only=True,
            )
        except Exception as e:  # it raises what it likes
            said = (str(e).strip().splitlines() or [type(e).__name__])[0]
            raise UserError(f"model '{name}': faster-whisper cannot read it ({said[:300]})") from e

    def check(self, language: str) -> str:
        """The language as the model names it; raises ``UserError`` if it does not know it. Empty: to be found."""
        wanted = language.strip().lower()
        known = list(self._model.supported_languages)
        if wanted and wanted not in known:
            near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
            hint = f"; did you mean '{near[0]}'?" if near else "; codes are 'en', 'de', 'fr' …"
            raise UserError(f"whisper: the model does not know the language '{language}'{hint}")
        return wanted

    def hear(self, sound: Array, language: str = "", prompt: str = "", **options: Any) -> Said:
        """The words of an utterance.

        Parameters
        ----------
        sound : ndarray of float32, shape (n,)
            At 16 kHz, 30 s at most.
        language : str
            As :meth:`check` gives it.
        prompt : str
            Names and spellings that it is to expect.
        options
            ``beam_size``, ``task``, ``word_timestamps``.
        """
        parts, info = self._model.transcribe(
            sound,
            language=language or None,
            initial_prompt=prompt or None,
            temperature=0.0,
            condition_on_previous_text=False,
            vad_filter=False,
            max_new_tokens=MOST_TOKENS,
            **options,
        )
        kept = [s for s in parts if s.text.strip()]
        return Said(
            " ".join(s.text.strip() for s in kept),
            str(info.language),
            _sureness(kept),
            max(0.0, min(1.0, float(info.language_probability))),
            tuple(Word(w.word.strip(), float(w.start)) for s in kept for w in s.words or ()),
        )


def _sureness(segments: list[Any]) -> float:
    """Mean token probability; each segment tells the mean logarithm of its tokens."""
    counts = [max(1, len(s.tokens)) for s in segments]
    if not counts:
        return 0.0
    mean = sum(s.avg_logprob * n for s, n in zip(segments, counts)) / sum(counts)
    return float(max(0.0, min(1.0, math.exp(min(0.0, mean)))))


def place(name: str, package: Any, store: Store | None = None) -> Path:
    """The folder of a model; never fetches. Raises ``NotFetched``, or ``UserError`` if it is not whole."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        models = store or Store()
        if name in models.entries:
            folder = models.use(name)
        elif name.startswith((".", "/", "~")):
            raise UserError(f"model '{name}': no such folder")
        else:
            folder = _cached(name, package)
    for file in _FILES:
        # Without its tokenizer the library would fetch one.
        if not (folder / file).is_file():
            raise UserError(f"model '{name}': {folder} has no {file}; needed is a model in CTranslate2's format")
    return folder


def _cached(name: str, package: Any) -> Path:
    try:
        return Path(package.download_model(name, local_files_only=True))
    except ValueError as e:
        raise UserError(
            f"model '{name}': no folder, no entry of 'sidechain models', no size, no OWNER/NAME"
        ) from e
    except Exception as e:  # several kinds, by the version of the hub's package
        owner = name if "/" in name else f"Systran/faster-whisper-{name}"
        raise NotFetched(f"model '{name}' is not in the hub's cache; get it by: hf download {owner}") from e
