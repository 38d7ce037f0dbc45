"""One adapter for embeddings of four kinds of model, equal to what each gives when it is used as published."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.dsp.offline import drive
from models.dsp.resampled import resampled
from models.hub.embed import RATE, HubEmbed
from models.hub.encoder import Encoder
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.hosting.plugin import Context
from realtime.preset import PluginSettings, Preset
from tests.fixtures.sources import ArraySource
from tests.models.hub import tiny

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
KINDS = ("Wav2Vec2", "Hubert", "WavLM")


def sound(seconds: float, rate: int = RATE) -> np.ndarray:
    return 0.1 * np.random.default_rng(1).standard_normal(int(seconds * rate)).astype(np.float32)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)


def prepared(model: Path, seconds: float) -> HubEmbed:
    plugin = HubEmbed()
    plugin.prepare(Context({"seconds": seconds}, texts={"model": str(model)}))
    return plugin


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_of_hidden_states(kind: str, tmp_path: Path) -> None:
    import torch
    import transformers as t

    folder, x = tiny.speech(tmp_path, kind), sound(1.0, 16_000)
    given = t.AutoFeatureExtractor.from_pretrained(folder)(x, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        states = t.AutoModel.from_pretrained(folder).eval()(**given).last_hidden_state
    assert Encoder(str(folder)).embed(x) == pytest.approx(unit(states[0].mean(0).numpy()), abs=1e-5)


def test_the_encoder_of_whisper_over_what_sounds(tmp_path: Path) -> None:
    import torch
    import transformers as t

    folder, x = tiny.whisper(tmp_path), sound(1.0, 16_000)
    given = t.AutoFeatureExtractor.from_pretrained(folder)(x, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        states = t.WhisperModel.from_pretrained(folder).get_encoder().eval()(given["input_features"])
    assert states.last_hidden_state.shape[1] == 100
    expected = unit(states.last_hidden_state[0, :50].mean(0).numpy())
    encoder = Encoder(str(folder))
    assert encoder.embed(x) == pytest.approx(expected, abs=1e-5)
    assert encoder.longest == 2.0
    assert encoder.embed(sound(3.0, 16_000)) == pytest.approx(encoder.embed(sound(3.0, 16_000)[16_000:]))


def test_the_speaker_embedding_of_an_x_vector_model(tmp_path: Path) -> None:
    import torch
    import transformers as t

    folder, x = tiny.speech(tmp_path, "WavLM", "XVector"), sound(1.0, 16_000)
    given = t.AutoFeatureExtractor.from_pretrained(folder)(x, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        expected = t.AutoModelForAudioXVector.from_pretrained(folder).eval()(**given).embeddings[0].numpy()
    assert Encoder(str(folder)).embed(x) == pytest.approx(unit(expected), abs=1e-5)


def test_clap_hears_ten_seconds_of_48_khz(tmp_path: Path) -> None:
    encoder = Encoder(str(tiny.clap(tmp_path)))
    assert (encoder.rate, encoder.longest) == (48_000, 10.0)
    assert len(encoder.embed(sound(1.0))) == 512
    assert encoder.embed(sound(11.0)) == pytest.approx(encoder.embed(sound(11.0)[RATE:]))


def test_the_plugin_brings_the_sound_to_the_models_rate(tmp_path: Path) -> None:
    plugin, x = prepared(tiny.speech(tmp_path, "Wav2Vec2"), 1.0), sound(4.0)
    found = [f for _, f in drive(plugin, x) if f.output == "embedding"]
    assert [f.time for f in found] == [2.0, 4.0]
    expected = Encoder(str(tmp_path)).embed(resampled(x[3 * RATE :], RATE, 16_000))
    assert found[1].value == pytest.approx(expected.tolist())
    assert drive(plugin, np.zeros(2 * RATE)) == []


def test_the_host_publishes_it(tmp_path: Path) -> None:
    settings = PluginSettings.model_validate({"model": str(tiny.speech(tmp_path, "Hubert")), "seconds": 1.0})
    engine = Engine(Preset(plugins={"hub-embed": settings}), ArraySource(sound(5.0), RATE, [480]))
    engine.run_offline()
    value = engine.bus.value("hub-embed.embedding")
    assert value is not None
    assert isinstance(value.value, tuple)
    assert len(value.value) == 16


def test_a_model_without_states_over_time_is_refused(tmp_path: Path) -> None:
    encoder = Encoder(str(tiny.speech(tmp_path, "Wav2Vec2")))
    encoder._model = lambda **given: SimpleNamespace(logits=None)
    with pytest.raises(UserError, match="no hidden states over time"):
        encoder.embed(sound(1.0, 16_000))


def test_more_values_than_are_published_are_refused(tmp_path: Path) -> None:
    encoder = Encoder(str(tiny.speech(tmp_path, "Wav2Vec2")))
    encoder._ask = lambda given, samples: np.zeros(4097, np.float32)
    with pytest.raises(UserError, match="4097 values; 4096 at most"):
        encoder.embed(sound(1.0, 16_000))


def test_resampling_keeps_a_tone_in_its_place() -> None:
    t48, t16 = np.arange(48_000) / 48_000, np.arange(16_000) / 16_000
    found = resampled(np.sin(2 * np.pi * 440 * t48).astype(np.float32), 48_000, 16_000)
    assert found.shape == (16_000,)
    assert np.abs(found - np.sin(2 * np.pi * 440 * t16))[200:-200].max() < 0.1
