"""One adapter for AST, wav2vec2 and HuBERT: tiny random models, saved and loaded as published ones, offline."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.dsp.offline import drive
from models.hub.tags import RATE, HubTags
from realtime.engine import Engine
from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Context
from realtime.preset import PluginSettings, Preset
from tests.fixtures.programs import need_module
from tests.fixtures.sources import ArraySource

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
LABELS = {0: "Speech", 1: "Music", 2: "Guitar"}
KINDS = ("ast", "wav2vec2", "hubert")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds and saves a tiny random model of a kind; its folder."""
    torch, t = need_module("torch", "torch"), need_module("transformers", "hub")
    done: dict[str, Path] = {}

    def config(kind: str) -> Any:
        shared = {"num_labels": 3, "id2label": LABELS, "hidden_size": 16, "num_hidden_layers": 1}
        shared |= {"num_attention_heads": 2, "intermediate_size": 16}
        if kind == "ast":
            return t.ASTConfig(
                max_length=128, num_mel_bins=32, problem_type="multi_label_classification", **shared
            )
        conv = {"conv_dim": (8, 8), "conv_kernel": (10, 8), "conv_stride": (20, 16), "num_feat_extract_layers": 2}
        conv |= {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 8}
        return (t.Wav2Vec2Config if kind == "wav2vec2" else t.HubertConfig)(**conv, **shared)

    def make(kind: str) -> Path:
        if kind not in done:
            torch.manual_seed(0)
            done[kind] = tmp_path_factory.mktemp(kind)
            t.AutoModelForAudioClassification.from_config(config(kind)).save_pretrained(done[kind])
            ast = kind == "ast"
            front = t.ASTFeatureExtractor(max_length=128, num_mel_bins=32) if ast else t.Wav2Vec2FeatureExtractor()
            front.save_pretrained(done[kind])
        return done[kind]

    return make


def prepared(model: str | Path, **parameters: float) -> HubTags:
    plugin = HubTags()
    values = {p.identifier: p.default for p in HubTags.descriptor.parameters}
    plugin.prepare(Context(values | {"seconds": 1.0} | parameters, texts={"model": str(model)}))
    return plugin


def sound(seconds: float = 3.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(1).standard_normal(int(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_the_published_way(made: Callable[[str], Path], kind: str) -> None:
    import torch
    import transformers as t

    folder, x = made(kind), sound(1.0)
    given = t.AutoFeatureExtractor.from_pretrained(folder)(x, sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        logits = t.AutoModelForAudioClassification.from_pretrained(folder).eval()(**given).logits[0].double()
    expected = logits.sigmoid() if kind == "ast" else logits.softmax(-1)
    assert prepared(folder).scores(x) == pytest.approx(expected.numpy(), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_the_newest_window(made: Callable[[str], Path], kind: str) -> None:
    plugin = prepared(made(kind), threshold=0.0)
    found = drive(plugin, np.concatenate([sound(), np.zeros(2 * RATE, np.float32)]))
    top = [f.label for _, f in found if f.output == "top"]
    scores = [f.value for _, f in found if f.output == "score"]
    tags = [f.label for _, f in found if f.output == "tags"]
    assert all(label in LABELS.values() for label in top[:3])
    assert top[-1] == ""
    assert tags[0].startswith(f"{top[0]} {scores[0]:.2f}, ")
    assert tags[0].count(",") == 2
    assert all(0 <= s <= 1 for s in scores)
    plugin.parameter("top", 1)
    plugin.parameter("threshold", 1.0)
    assert [f.label for _, f in drive(plugin, sound(1.0)) if f.output == "tags"] == [""]


def test_the_host_runs_it_over_sound(made: Callable[[str], Path]) -> None:
    settings = PluginSettings.model_validate({"model": str(made("wav2vec2")), "seconds": 1.0})
    engine = Engine(Preset(plugins={"hub-tags": settings}), ArraySource(sound(4.0), RATE, [480]))
    engine.run_offline()
    value = engine.bus.value("hub-tags.top")
    assert value is not None
    assert value.label in LABELS.values()


def test_pickled_weights_are_refused(made: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((made("ast") / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match="pickled weights are not read"):
        prepared(tmp_path)


def test_a_damaged_model_is_one_line(made: Callable[[str], Path], tmp_path: Path) -> None:
    for file in made("ast").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:500])
    with pytest.raises(UserError) as raised:
        prepared(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nothing-like-this", "no entry of 'sidechain models'"),
        ("ast-audioset", "sidechain models get ast-audioset"),
        ("nobody/nothing-at-all", "hf download nobody/nothing-at-all"),
    ],
)
def test_what_is_not_here_says_how_to_get_it(
    model: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_module("transformers", "hub")
    monkeypatch.setenv("SIDECHAIN_MODELS", str(tmp_path))
    with pytest.raises(UserError, match=said):
        prepared(model)


def test_without_the_packages_it_says_which(made: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made("ast")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(NotFetched, match=r"sidechain\[hub,torch\]"):
        prepared(folder)


def test_listing_it_loads_no_torch() -> None:
    code = "import sys, models.hub.tags; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
