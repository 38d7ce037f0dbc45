"""Where published models are looked for, and what becomes of those that were published as a pickle."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from models.hub.blank import blank
from models.hub.classifier import RATE, Classifier
from models.hub.convert import convert, main
from models.hub.loading import place
from realtime.errors import UserError
from tests.models.hub import tiny

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
LABELS = ("a", "b", "c")


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    """A model as many were published: tensors in a pickle."""
    torch, t = tiny.packages()
    folder = tiny.speech(tmp_path / "safe", "Hubert", "SequenceClassification", LABELS)
    made = tmp_path / "pickled"
    made.mkdir()
    torch.save(t.AutoModelForAudioClassification.from_pretrained(folder).state_dict(), made / "pytorch_model.bin")
    for file in folder.glob("*.json"):
        (made / file.name).write_bytes(file.read_bytes())
    return made


def test_a_pickle_is_refused_and_can_be_converted(pickled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"python -m models\.hub\.convert .*pickled NEW-FOLDER"):
        place(str(pickled))
    made = convert(str(pickled), tmp_path / "new")
    assert not list(made.glob("*.bin"))
    x = 0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    expected = Classifier(str(tmp_path / "safe")).scores(x)
    assert Classifier(str(made)).scores(x) == pytest.approx(expected)


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("ran",))


@pytest.mark.parametrize("held", [{"a": Hostile()}, [1, 2], {"a": 1}], ids=["code", "list", "number"])
def test_what_is_more_than_tensors_is_not_converted(
    held: object, pickled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pickled / "pytorch_model.bin").write_bytes(pickle.dumps(held))
    with pytest.raises(UserError, match=r"holds more than tensors|no plain list of named tensors") as raised:
        convert(str(pickled), tmp_path / "new")
    assert "\n" not in str(raised.value)
    assert "ran" not in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def test_wrong_use_of_convert(pickled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main([str(tmp_path / "safe"), str(tmp_path / "new")]) == 2
    assert "has no pytorch_model.bin" in capsys.readouterr().err
    assert main([str(pickled), str(tmp_path / "safe")]) == 2
    assert "is not empty" in capsys.readouterr().err


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``me/mine`` in a cache of the hub's, laid out as its package does."""
    import huggingface_hub.constants

    model = tmp_path / "cache" / "models--me--mine"
    folder = tiny.speech(model / "snapshots" / "abc", "Wav2Vec2", "SequenceClassification", LABELS)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return folder


def test_owner_and_name_are_found_in_the_hubs_cache(cached: Path) -> None:
    assert Path(place("me/mine")) == cached
    assert Classifier("me/mine").labels == list(LABELS)
    (cached / "model.safetensors").unlink()
    with pytest.raises(UserError, match="pickled weights are not read"):
        place("me/mine")


def test_a_blank_model_is_one_that_is_hosted(tmp_path: Path) -> None:
    tiny.packages()
    folder = blank("wav2vec2", tmp_path / "new", {**tiny.CONV, **tiny.BODY, "num_labels": 3})
    x = 0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    assert Classifier(str(folder)).scores(x).sum() == pytest.approx(1.0)
    with pytest.raises(UserError, match="is not empty"):
        blank("wav2vec2", folder)
    with pytest.raises(UserError, match="unknown kind 'wav2vec'; one of ast, clap"):
        blank("wav2vec", tmp_path / "other")
