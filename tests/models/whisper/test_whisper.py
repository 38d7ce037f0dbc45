"""The transcript of what is said: when it is made, what it says, what it costs to leave windows out.

Whether the real faster-whisper runs is shown on a tiny random model, where the extra ``whisper`` is installed
(about 250 MB, too much for every gate). All else is shown everywhere, with a stand-in of the package's documented
interface in its place.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.dsp.offline import drive
from models.whisper.gate import RATE
from models.whisper.keywords import plain
from models.whisper.plugin import HOP, WINDOW, Whisper
from models.whisper.transcriber import Transcriber
from realtime.engine import Engine
from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Context, Feature
from realtime.preset import PluginSettings, Preset
from tests.fixtures.sources import ArraySource
from tests.models.whisper import tiny
from tests.models.whisper.talk import spoken

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
FILES = ("model.bin", "config.json", "tokenizer.json")


class StandIn:
    """``faster_whisper.WhisperModel`` as its README describes it: says how many seconds it has heard."""

    calls: list[dict[str, Any]]
    supported_languages = ("en", "de")

    def __init__(self, path: str, **options: Any) -> None:
        self.path, self.options, self.calls = path, options, []

    def transcribe(self, audio: np.ndarray, **options: Any) -> tuple[Any, Any]:
        self.calls.append(options | {"samples": len(audio)})
        words = ["Heard", f"{len(audio) / 16_000:.1f}", "seconds."]
        timed = [SimpleNamespace(word=f" {w}", start=0.1 * i, end=0.1 * i + 0.1) for i, w in enumerate(words)]
        segment = SimpleNamespace(
            text=" " + " ".join(words),
            tokens=[1, 2, 3],
            avg_logprob=-0.5,
            words=timed if options["word_timestamps"] else None,
        )
        return iter([segment]), SimpleNamespace(language=options["language"] or "en", language_probability=0.75)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model's folder, and the stand-in that opens it."""

    def download(name: str, local_files_only: bool) -> str:
        assert local_files_only
        raise FileNotFoundError(name) if "/" in name or name == "base" else ValueError("invalid size")

    package = SimpleNamespace(WhisperModel=StandIn, download_model=download)
    monkeypatch.setitem(sys.modules, "faster_whisper", package)
    for file in FILES:
        (tmp_path / file).touch()
    return tmp_path


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    return spoken(11.0, (1.5, 3.5), (7.0, 8.5))


def prepared(model: str | Path, keywords: str = "", language: str = "", **parameters: float) -> Whisper:
    plugin, d = Whisper(), Whisper.descriptor
    values = {p.identifier: p.default for p in d.parameters}
    texts = {t.identifier: t.default for t in d.texts}
    texts |= {"model": str(model), "keywords": keywords, "language": language}
    plugin.prepare(Context(values | parameters, texts=texts))
    return plugin


def told(plugin: Whisper, x: np.ndarray, output: str) -> list[Feature]:
    return [f for _, f in drive(plugin, x) if f.output == output]


def test_each_utterance_is_a_line(folder: Path, talk: np.ndarray) -> None:
    plugin = prepared(folder)
    first, second = told(plugin, talk, "text")
    assert first.label is not None
    assert first.label.startswith("Heard ")
    assert 1.0 < first.time < 1.6
    assert 6.5 < second.time < 7.1
    assert first.value == pytest.approx(np.exp(-0.5))
    seconds = [c["samples"] / 16_000 for c in plugin._transcriber._model.calls]
    assert all(1.5 < s < 4.0 for s in seconds)
    assert first.label == f"Heard {seconds[0]:.1f} seconds."


def test_nothing_is_asked_of_the_model_while_nobody_speaks(folder: Path) -> None:
    plugin = prepared(folder)
    noise = 0.02 * np.random.default_rng(0).standard_normal(6 * RATE)
    assert drive(plugin, noise.astype(np.float32)) == []
    assert plugin._transcriber._model.calls == []


def test_windows_that_are_left_out_lose_no_words(folder: Path, talk: np.ndarray) -> None:
    expected = [(f.time, f.label) for f in told(prepared(folder), talk, "text")]
    plugin, found = prepared(folder), []
    padded = np.concatenate([np.zeros(WINDOW * RATE, np.float32), talk])
    for hop in (1, 2, 7, 15, 16, 22):
        end = hop * HOP
        found += plugin.process(padded[end : end + WINDOW * RATE], end / RATE)
    assert [(f.time, f.label) for f in found if f.output == "text"] == [
        (pytest.approx(t), label) for t, label in expected
    ]


def test_after_more_than_a_window_it_begins_anew(folder: Path, talk: np.ndarray) -> None:
    plugin, silence = prepared(folder), np.zeros(WINDOW * RATE, np.float32)
    x = np.concatenate([silence, talk])
    plugin.process(x[HOP : HOP + WINDOW * RATE], 0.5)
    plugin.process(x[4 * HOP : 4 * HOP + WINDOW * RATE], 2.0)
    assert plugin.process(silence, 100.0) == []
    assert plugin.process(silence, 100.5) == []
    assert plugin._transcriber._model.calls == []


def test_keywords_are_events_with_their_time(folder: Path, talk: np.ndarray) -> None:
    plugin = prepared(folder, "SECONDS\nnever said", words=1.0)
    texts = told(plugin, talk, "text")
    plugin.reset()
    hits = told(plugin, talk, "keyword")
    assert [h.label for h in hits] == ["SECONDS", "SECONDS"]
    assert [h.time for h in hits] == [pytest.approx(t.time + 0.2) for t in texts]
    plugin.text("keywords", "heard")
    plugin.reset()
    assert [h.label for h in told(plugin, talk, "keyword")] == ["heard", "heard"]


def test_settings_reach_the_model(folder: Path, talk: np.ndarray) -> None:
    plugin = prepared(folder, language="DE ", beam=3.0, task=1.0)
    plugin.text("prompt", "Sidechain")
    assert told(plugin, talk, "language")[0].label == "de"
    call = plugin._transcriber._model.calls[0]
    assert (call["language"], call["beam_size"], call["task"]) == ("de", 3, "translate")
    assert (call["initial_prompt"], call["temperature"], call["vad_filter"]) == ("Sidechain", 0.0, False)
    options = plugin._transcriber._model.options
    assert (options["device"], options["cpu_threads"], options["local_files_only"]) == ("cpu", 1, True)


def test_an_unknown_language_is_refused_and_the_old_one_kept(folder: Path, talk: np.ndarray) -> None:
    with pytest.raises(UserError, match="does not know the language 'english'"):
        prepared(folder, language="english")
    plugin = prepared(folder, language="de")
    with pytest.raises(UserError, match="'xx'"):
        plugin.text("language", "xx")
    assert told(plugin, talk, "language")[0].label == "de"


def test_what_is_unsure_is_not_said(folder: Path, talk: np.ndarray) -> None:
    assert drive(prepared(folder, "heard", sure=0.7), talk) == []


@pytest.mark.parametrize(
    ("model", "kind", "said"),
    [
        ("base", NotFetched, "hf download Systran/faster-whisper-base"),
        ("somebody/whisper", NotFetched, "hf download somebody/whisper"),
        ("nothing-like-this", UserError, "no entry of 'sidechain models'"),
        ("./nowhere", UserError, "no such folder"),
    ],
)
def test_what_is_not_here_says_how_to_get_it(folder: Path, model: str, kind: type, said: str) -> None:
    with pytest.raises(kind, match=said):
        Transcriber(model)


@pytest.mark.parametrize("file", FILES)
def test_a_folder_that_is_not_whole_is_refused(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(UserError, match=f"has no {file}"):
        Transcriber(str(folder))


def test_without_the_package_it_says_which(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(NotFetched, match=r"needs faster-whisper .*sidechain\[whisper\]"):
        prepared(folder)


def test_listing_it_loads_no_library() -> None:
    code = "import sys, models.whisper.plugin, models.whisper.entities\n"
    code += "assert not {'faster_whisper', 'ctranslate2', 'spacy', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -- the real library, on a tiny random model -------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("faster_whisper", reason="needs pip install 'sidechain[whisper]'")
    return tiny.whisper(tmp_path_factory.mktemp("whisper"))


def test_the_real_library_gives_what_it_gives_alone(real: Path) -> None:
    import faster_whisper

    x = 0.1 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    options = {"beam_size": 1, "task": "transcribe", "word_timestamps": False}
    said = Transcriber(str(real), "float32").hear(x, "", "", **options)
    model = faster_whisper.WhisperModel(str(real), device="cpu", compute_type="float32", cpu_threads=1)
    parts, info = model.transcribe(
        x, temperature=0.0, condition_on_previous_text=False, max_new_tokens=224, **options
    )
    assert said.text == " ".join(s.text.strip() for s in parts if s.text.strip())
    assert len(plain(said.text)) > 3
    assert said.language == info.language
    assert said.language in ("en", "de")
    assert said.language_probability == pytest.approx(info.language_probability)
    assert 0 < said.sureness <= 1


def test_the_real_library_in_the_host(real: Path, talk: np.ndarray) -> None:
    settings = {"model": str(real), "sure": 0.0, "words": "on", "language": "de"}
    engine = Engine(
        Preset(plugins={"whisper": PluginSettings.model_validate(settings)}), ArraySource(talk, RATE, [480])
    )
    reader = engine.bus.reader()
    engine.run_offline()
    lines = [e for e in reader.poll() if e.name == "whisper.text"]
    assert len(lines) == 2
    assert all(plain(e.label or "") for e in lines)
    language = engine.bus.value("whisper.language")
    assert language is not None
    assert language.label == "de"


def test_a_damaged_model_is_one_line(real: Path, tmp_path: Path) -> None:
    for file in real.iterdir():
        (tmp_path / file.name).write_bytes(
            file.read_bytes()[:2000] if file.name == "model.bin" else file.read_bytes()
        )
    with pytest.raises(UserError, match="cannot read it") as raised:
        Transcriber(str(tmp_path))
    assert "\n" not in str(raised.value)
