"""Published models that are asked after an event: the drum of an onset, the emotion and the name of a voice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.hub.classifier import RATE, Classifier
from models.hub.drumkit import HubDrumkit
from models.hub.encoder import Encoder
from models.hub.speaker import HubSpeaker
from models.hub.speech import HubSpeech
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.hosting.kinds import EventPlugin, Happening
from realtime.hosting.plugin import Context, Feature
from realtime.preset import PluginSettings, Preset
from tests.fixtures.sources import ArraySource
from tests.models.hub import tiny
from tests.models.whisper.talk import spoken

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
KIT = ("Kick Drum", "Overheads", "Snare", "Toms")


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.speech(tmp_path_factory.mktemp("kit"), "Wav2Vec2", "SequenceClassification", KIT)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.speech(tmp_path_factory.mktemp("voices"), "WavLM", "XVector")


def prepared(plugin: EventPlugin, model: Path, **parameters: float) -> EventPlugin:
    values = {p.identifier: p.default for p in plugin.descriptor.parameters}
    plugin.prepare(Context(values | parameters, texts={"model": str(model)}))
    return plugin


def noise(plugin: EventPlugin, seed: int = 1) -> np.ndarray:
    length = plugin.descriptor.input.length
    return 0.1 * np.random.default_rng(seed).standard_normal(length).astype(np.float32)


def asked(plugin: EventPlugin, time: float, value: float = 1.0, seed: int = 1) -> list[Feature]:
    happening = Happening("a.b", time, value, None)
    return list(plugin.on_event(happening, noise(plugin, seed), time + plugin.descriptor.after) or ())


def test_an_onset_gets_the_best_drum(kit: Path) -> None:
    plugin = prepared(HubDrumkit(), kit, threshold=0.0)
    found = asked(plugin, 2.0)
    assert [(f.output, f.time) for f in found] == [("hit", 2.0)]
    expected = Classifier(str(kit)).scores(noise(plugin))
    assert found[0].label == KIT[int(expected.argmax())]
    assert found[0].value == pytest.approx(expected.max())


def test_an_unsure_or_a_double_onset_says_nothing(kit: Path) -> None:
    assert asked(prepared(HubDrumkit(), kit, threshold=0.99), 2.0) == []
    plugin = prepared(HubDrumkit(), kit, threshold=0.0, apart=0.1)
    assert [len(asked(plugin, t)) for t in (1.0, 1.05, 1.15)] == [1, 0, 1]
    plugin.reset()
    assert len(asked(plugin, 0.5)) == 1


def test_the_host_calls_it_on_onsets(kit: Path) -> None:
    t = np.arange(4 * 48_000) / 48_000
    hits = np.random.default_rng(0).standard_normal(len(t)) * np.exp(-(t % 0.8) / 0.05) * (t > 0.75)
    settings = PluginSettings.model_validate({"model": str(kit), "threshold": 0.0})
    preset = Preset(plugins={"onset": PluginSettings(), "hub-drumkit": settings})
    engine = Engine(preset, ArraySource(0.5 * hits, 48_000, [480]))
    reader = engine.bus.reader()
    engine.run_offline()
    events = reader.poll()
    onsets = [e.time for e in events if e.name == "onset.onset" and e.time < 3.5]
    found = {e.time: e.label for e in events if e.name == "hub-drumkit.hit"}
    assert len(onsets) >= 3
    assert set(onsets) <= found.keys()
    assert set(found.values()) <= set(KIT)


def test_a_voice_is_classed_when_it_has_begun(tmp_path: Path) -> None:
    labels = ("neu", "hap", "ang", "sad")
    folder = tiny.speech(tmp_path, "Hubert", "SequenceClassification", labels)
    plugin = prepared(HubSpeech(), folder, threshold=0.0)
    assert asked(plugin, 5.0, value=0.0) == []
    found = {f.output: f for f in asked(plugin, 5.0)}
    assert found["class"].label == found["top"].label
    assert found["class"].label in labels
    assert found["tags"].label.startswith(f"{found['class'].label} {found['class'].value:.2f}, ")
    assert {f.time for f in found.values()} == {5.0}
    assert asked(prepared(HubSpeech(), folder, threshold=1.0), 5.0) == []


def test_in_the_host_it_is_asked_once_for_each_stretch_of_voice(tmp_path: Path) -> None:
    settings = {
        "model": str(tiny.speech(tmp_path, "Hubert", "SequenceClassification", ("a", "b"))),
        "threshold": 0,
    }
    preset = Preset(
        plugins={
            "voice": PluginSettings.model_validate({"hold_ms": 1000}),
            "hub-speech": PluginSettings.model_validate(settings),
        }
    )
    engine = Engine(preset, ArraySource(spoken(11.0, (1.5, 3.5), (6.0, 7.5)), 24_000, [480]))
    reader = engine.bus.reader()
    engine.run_offline()
    events = reader.poll()
    starts = [e.time for e in events if e.name == "voice.active" and e.value == 1.0]
    assert len(starts) == 2
    assert [e.time for e in events if e.name == "hub-speech.class"] == pytest.approx(starts)


def test_the_embedding_of_an_utterance_names_its_speaker(voices: Path) -> None:
    plugin = prepared(HubSpeaker(), voices)
    assert asked(plugin, 5.0, value=0.0) == []
    found = {f.output: f for f in asked(plugin, 5.0)}
    assert found["speaker"].label == "speaker 1"
    assert found["embedding"].value == pytest.approx(Encoder(str(voices)).embed(noise(plugin)).tolist())
    again = {f.output: f for f in asked(plugin, 9.0)}
    assert (again["speaker"].label, again["speaker"].value) == ("speaker 1", pytest.approx(1.0))


def test_those_who_are_alike_share_a_name_and_there_are_no_more_than_asked_for(voices: Path) -> None:
    plugin = prepared(HubSpeaker(), voices, threshold=0.8, most=2)
    one, two, three = np.eye(3, dtype=np.float32)
    near = (0.95 * one + 0.31 * two).astype(np.float32)
    assert [plugin.name(v)[0] for v in (one, two, near, one)] == [1, 2, 1, 1]
    likeness = plugin.name((0.6 * two + 0.8 * three).astype(np.float32))
    assert likeness == (2, pytest.approx(0.6, abs=1e-6))
    plugin.skipped(48_000)
    assert plugin.name(two)[0] == 2
    plugin.reset()
    assert plugin.name(two) == (1, 1.0)


def test_a_model_that_knows_no_speakers_is_refused(kit: Path) -> None:
    with pytest.raises(UserError, match="is no speaker model, but Wav2Vec2ForSequenceClassification"):
        prepared(HubSpeaker(), kit)


def test_silence_is_nobodys(kit: Path, voices: Path) -> None:
    happening = Happening("voice.active", 1.0, 1.0, None)
    for plugin in (prepared(HubDrumkit(), kit), prepared(HubSpeech(), kit), prepared(HubSpeaker(), voices)):
        silence = np.zeros(plugin.descriptor.input.length, np.float32)
        assert not plugin.on_event(happening, silence, 2.0)


def test_sound_rate_is_that_of_the_models() -> None:
    assert {k.descriptor.input.sample_rate for k in (HubDrumkit, HubSpeech, HubSpeaker)} == {RATE}
