"""CLAP: the user's phrases as labels; a tiny random model, saved and loaded as the published ones are, offline."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.dsp.offline import drive
from models.hub.clap import MOST_PROMPTS, RATE, SIZE, HubClap
from models.hub.loading import vectors
from realtime.engine import Engine
from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Context
from realtime.outputs.osc_in import command
from realtime.preset import PluginSettings, Preset
from tests.fixtures.sources import ArraySource
from tests.models.hub import tiny

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
PROMPTS = ["piano", "speech", "a dog that barks"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.clap(tmp_path_factory.mktemp("clap"))


def prepared(model: str | Path, prompts: list[str] | None = None, **parameters: float) -> HubClap:
    plugin, d = HubClap(), HubClap.descriptor
    values = {p.identifier: p.default for p in d.parameters}
    texts = {t.identifier: t.default for t in d.texts}
    texts |= {"model": str(model), "prompts": "\n".join(PROMPTS if prompts is None else prompts)}
    plugin.prepare(Context(values | {"seconds": 1.0, "threshold": 0.0} | parameters, texts=texts))
    return plugin


def sound(seconds: float) -> np.ndarray:
    return 0.1 * np.random.default_rng(1).standard_normal(int(seconds * RATE)).astype(np.float32)


def said(plugin: HubClap, x: np.ndarray) -> dict[str, list]:
    """What each output said, in order."""
    found: dict[str, list] = {o.identifier: [] for o in plugin.descriptor.outputs}
    for _, f in drive(plugin, x):
        found[f.output].append(f.value if f.label is None else f.label)
    return found


@pytest.mark.parametrize("fused", [False, True], ids=["unfused", "fused"])
def test_scores_are_those_of_the_published_way(fused: bool, tmp_path: Path) -> None:
    import torch
    import transformers as t

    folder, x = tiny.clap(tmp_path, fused), sound(1.0)
    model = t.ClapModel.from_pretrained(folder).eval()
    heard = t.AutoFeatureExtractor.from_pretrained(folder)(x, sampling_rate=RATE, return_tensors="pt")
    read = t.AutoTokenizer.from_pretrained(folder)(
        [f"This is a sound of {p}." for p in PROMPTS], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        out = model(input_ids=read["input_ids"], attention_mask=read["attention_mask"], **heard)
    plugin = prepared(folder)
    embedding = plugin._clap.sound(x)
    assert embedding == pytest.approx(out.audio_embeds[0].numpy(), abs=1e-5)
    assert plugin.scores(embedding) == pytest.approx(out.logits_per_audio.softmax(-1)[0].numpy(), abs=1e-4)


def test_the_prompts_are_the_labels(folder: Path) -> None:
    found = said(prepared(folder), sound(4.0))
    assert all(label in PROMPTS for label in found["top"])
    assert found["tags"][0].startswith(f"{found['top'][0]} {found['score'][0]:.2f}, ")
    assert found["tags"][0].count(",") == len(PROMPTS) - 1
    for scores, best in zip(found["scores"], found["score"]):
        assert len(scores) == MOST_PROMPTS
        assert sum(scores) == pytest.approx(1.0)
        assert max(scores) == best
        assert not any(scores[len(PROMPTS) :])
    assert all(len(v) == SIZE and np.linalg.norm(v) == pytest.approx(1.0, abs=1e-4) for v in found["embedding"])


def test_prompts_change_while_it_runs_and_only_then_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, read = prepared(folder), []
    words = plugin._clap.words
    monkeypatch.setattr(plugin._clap, "words", lambda prompts: read.append(prompts) or words(prompts))
    said(plugin, sound(4.0))
    assert read == []
    plugin.text("prompts", "rain\n\n wind \nrain")
    assert read == [["This is a sound of rain.", "This is a sound of wind."]]
    assert set(said(plugin, sound(4.0))["top"]) <= {"rain", "wind"}
    plugin.text("template", "{}!")
    assert read[1:] == [["rain!", "wind!"]]


def test_wrong_prompts_leave_the_old_ones(folder: Path) -> None:
    plugin = prepared(folder)
    with pytest.raises(UserError, match=f"{MOST_PROMPTS} at most"):
        plugin.text("prompts", "\n".join(map(str, range(MOST_PROMPTS + 1))))
    assert set(said(plugin, sound(2.0))["top"]) <= set(PROMPTS)


def test_without_prompts_there_is_the_embedding_alone(folder: Path) -> None:
    found = said(prepared(folder, []), sound(2.0))
    assert len(found.pop("embedding")) == 1
    assert not any(found.values())


def test_each_prompt_by_itself(folder: Path) -> None:
    alone = said(prepared(folder, ["piano"], activation=1.0), sound(2.0))["score"]
    among = said(prepared(folder, PROMPTS, activation=1.0), sound(2.0))["scores"]
    assert alone[0] == pytest.approx(among[0][0], abs=1e-6)
    assert 0 <= alone[0] < 1


def test_silence_has_no_label(folder: Path) -> None:
    found = said(prepared(folder), np.zeros(2 * RATE, np.float32))
    assert found["top"] == [""]
    assert found["score"] == [0.0]
    assert found["embedding"] == []


def test_the_host_runs_it_and_its_prompts_come_by_osc(folder: Path) -> None:
    settings = PluginSettings.model_validate({"model": str(folder), "prompts": ["three"]})
    engine = Engine(Preset(plugins={"hub-clap": settings}), ArraySource(sound(5.0), RATE, [480]))
    sent = command("/param/hub-clap/prompts", ("one\ntwo",))
    assert sent is not None
    engine.call(sent.method, sent.params)
    engine.run_offline()
    value = engine.bus.value("hub-clap.top")
    assert value is not None
    assert value.label in ("one", "two")
    declared = HubClap.descriptor.text("prompts")
    assert declared is not None
    assert declared.live


def test_both_answers_of_transformers_are_read() -> None:
    torch, _ = tiny.packages()
    x = torch.ones(1, 3)
    assert vectors(x).tolist() == vectors(SimpleNamespace(pooler_output=x)).tolist() == [[1.0, 1.0, 1.0]]


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is of the kind wav2vec2, not CLAP"):
        prepared(tiny.speech(tmp_path, "Wav2Vec2"))


def test_what_is_not_here_says_how_to_get_it() -> None:
    tiny.packages()
    with pytest.raises(NotFetched, match="hf download nobody/nothing-at-all"):
        prepared("nobody/nothing-at-all")
