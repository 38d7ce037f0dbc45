"""Speech by tiny random models of each kind, saved and loaded as published ones are, offline."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.speech.plugin import RATE, Speech, sentences
from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Context
from tests.fixtures.jobs import Desk
from tests.fixtures.programs import need_module
from tests.fixtures.tinymodels import letters
from tests.hosting.slowhost import slow_host

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.timeout(300),  # on a busy machine the import of transformers alone takes a minute
]
NOTHING = np.zeros(160, np.float32)
TEXT = "Hello you. And you!"


def vits(place: Path) -> None:
    import transformers as t

    signs = place / "vocab.json"
    signs.write_text(json.dumps({c: i for i, c in enumerate("_abcdefghijklmnopqrstuvwxyz '")}))
    config = t.VitsConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16, flow_size=8,
        spectrogram_bins=9, upsample_initial_channel=16, upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]], prior_encoder_num_flows=1,
        prior_encoder_num_wavenet_layers=1, posterior_encoder_num_wavenet_layers=1, duration_predictor_num_flows=1,
        depth_separable_num_layers=1, duration_predictor_flow_bins=4, duration_predictor_filter_channels=8,
        wavenet_kernel_size=3, num_speakers=2, speaker_embedding_size=4,
    )  # fmt: skip
    t.VitsModel(config).save_pretrained(place)
    t.VitsTokenizer(str(signs), pad_token="_", unk_token="'", phonemize=False).save_pretrained(place)


def speecht5(place: Path) -> None:
    import transformers as t

    config = t.SpeechT5Config(
        vocab_size=60, hidden_size=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_layers=1, decoder_ffn_dim=16, decoder_attention_heads=2, num_mel_bins=8, reduction_factor=2,
        speech_decoder_prenet_units=8, speech_decoder_postnet_units=8, speech_decoder_postnet_layers=1,
        speaker_embedding_dim=4, max_length=64,
    )  # fmt: skip
    t.SpeechT5ForTextToSpeech(config).save_pretrained(place)
    letters(place)
    hifigan = t.SpeechT5HifiGanConfig(
        model_in_dim=8, upsample_initial_channel=8, upsample_rates=[4, 4], upsample_kernel_sizes=[8, 8],
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]], initializer_range=0.5,
    )  # fmt: skip
    t.SpeechT5HifiGan(hifigan).save_pretrained(place / "vocoder")
    np.save(place / "voice.npy", np.ones(4, np.float32))


def bark(place: Path) -> None:
    import transformers as t

    part = {"hidden_size": 8, "num_layers": 1, "num_heads": 2}
    codec = t.EncodecConfig(
        hidden_size=8, codebook_dim=8, num_filters=4, num_lstm_layers=1, upsampling_ratios=[8, 5, 4, 2]
    )
    config = t.BarkConfig(
        # vocabularies as published: the signs of the ways between them are built in
        semantic_config=part | {"input_vocab_size": 129_600, "output_vocab_size": 10_048},
        coarse_acoustics_config=part | {"input_vocab_size": 12_096, "output_vocab_size": 12_096},
        fine_acoustics_config=part | {"input_vocab_size": 1056, "output_vocab_size": 1056},
        codec_config=codec.to_dict(),
    )
    t.BarkModel(config).save_pretrained(place)
    # as the published file has it: transformers reads it, but cannot write it
    steps = {"semantic_config": {"max_new_tokens": 6, "eos_token_id": 10_000}, "sample_rate": 24_000}
    steps |= {"coarse_acoustics_config": {}, "fine_acoustics_config": {}, "codebook_size": 1024}
    (place / "generation_config.json").write_text(json.dumps(steps))
    letters(place)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds and saves a tiny random model of a kind; its folder."""
    torch = need_module("torch", "torch")
    need_module("transformers", "hub")
    done: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in done:
            place = tmp_path_factory.mktemp(kind)
            torch.manual_seed(0)
            {"vits": vits, "speecht5": speecht5, "bark": bark}[kind](place)
            done[kind] = place
        return done[kind]

    return make


def prepared(model: str | Path, *, voice: float = 0.0, vocoder: str = "", speaker: str = "") -> Speech:
    plugin, d = Speech(), Speech.descriptor
    words = {"model": str(model), "vocoder": vocoder, "speaker": speaker}
    plugin.prepare(Context({p.identifier: p.default for p in d.parameters} | {"voice": voice}, texts=words))
    return plugin


def spoken(plugin: Speech, text: str = TEXT, seed: int = 1) -> np.ndarray:
    found = plugin.run({"text": text, "seed": seed}, NOTHING, 5.0, Desk())
    assert found is not None
    told, sound = found
    x = np.asarray(sound.value)
    assert (told.output, told.label, told.value) == ("spoken", text, len(x) / RATE)
    assert x.ndim == 1
    assert x.dtype == np.float32
    assert 0.0 < np.abs(x).max() <= 1.0
    return x


@pytest.mark.parametrize("kind", ["vits", "speecht5", "bark"])
def test_each_kind_speaks(made: Callable[[str], Path], kind: str) -> None:
    place = made(kind)
    vocoder, speaker = (str(place / "vocoder"), str(place / "voice.npy")) if kind == "speecht5" else ("", "")
    assert len(spoken(prepared(place, vocoder=vocoder, speaker=speaker))) > 0.1 * RATE


def test_vits_says_what_transformers_says(made: Callable[[str], Path]) -> None:
    import torch
    import transformers as t

    place = made("vits")
    plugin = prepared(place, voice=1.0)
    plugin.parameter("speed", 1.25)
    model = t.VitsModel.from_pretrained(place).eval()
    torch.manual_seed(4)
    given = t.AutoTokenizer.from_pretrained(place)("hello", return_tensors="pt")
    with torch.no_grad():
        expected = model(**given, speaker_id=1, speaking_rate=model.config.speaking_rate * 1.25).waveform[0]
    x = spoken(plugin, "hello", seed=4)
    assert len(x) == 3 * len(expected)  # 16 kHz and 48 kHz
    y = expected.numpy() / max(1.0, float(np.abs(x).max()))
    assert np.corrcoef(x[::3], y)[0, 1] > 0.9  # but for what lies near half the rate


def test_sentence_by_sentence_and_stopped_between_two(made: Callable[[str], Path]) -> None:
    plugin, desk = prepared(made("vits")), Desk()
    assert plugin.run({"text": TEXT}, NOTHING, 1.0, desk) is not None
    assert desk.said == [(0.0, "Hello you."), (0.5, "And you!")]
    assert plugin.run({"text": TEXT}, NOTHING, 1.0, Desk(words=2)) is None


def test_a_model_that_takes_steps_stops_in_the_middle(made: Callable[[str], Path]) -> None:
    desk = Desk(words=4)
    assert prepared(made("bark")).run({"text": "Hello."}, NOTHING, 1.0, desk) is None
    assert len(desk.said) == 4


def test_sentences_of_any_text() -> None:
    assert sentences("One. Two; three?  Four") == ["One.", "Two;", "three?", "Four"]
    long = sentences("word " * 200 + "x" * 900)
    assert max(map(len, long)) <= 250
    assert " ".join(long).split()[:200] == ["word"] * 200


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "'text' is missing"), ("x" * 1001, "longer than 1000"), ("12 34", "no sign for anything")],
)
def test_wrong_texts(made: Callable[[str], Path], text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepared(made("vits")).run({"text": text}, NOTHING, 1.0, Desk())


def test_wrong_voices(made: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'voice' must be between 0 and 1"):
        prepared(made("vits"), voice=2.0)
    place = made("speecht5")
    with pytest.raises(UserError, match=r"vocoder .* and speaker"):
        prepared(place)
    np.save(tmp_path / "short.npy", np.ones(3, np.float32))
    np.save(tmp_path / "objects.npy", np.array([{}] * 4), allow_pickle=True)
    for name in ("short.npy", "objects.npy", "none.npy"):
        with pytest.raises(UserError, match=r"no \.npy file with 4 numbers"):
            prepared(place, vocoder=str(place / "vocoder"), speaker=str(tmp_path / name))


def test_phonemes_need_a_package(
    made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in made("vits").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    page = tmp_path / "tokenizer_config.json"
    page.write_text(json.dumps(json.loads(page.read_text()) | {"phonemize": True}))
    monkeypatch.setitem(sys.modules, "phonemizer", None)
    with pytest.raises(UserError, match="pip install phonemizer"):
        prepared(tmp_path)


def test_other_kinds_and_no_kind(made: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match=r"\[plugins.speech\] model"):
        prepared("")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="is of kind bert; hosted are vits, speecht5, bark"):
        prepared(tmp_path)


def test_the_host_runs_it(made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_JOBS", str(tmp_path))
    settings = {"speech": {"model": str(made("vits"))}}
    with slow_host(Speech, settings=settings) as host:
        host.call("job.start", plugin="speech", request={"text": TEXT, "seed": 1})
        sound = host.wait_for("speech.speech", seconds=250.0)
        host.wait_for("host.job", "speech done")
        assert host.wait_for("speech.spoken").label == TEXT
    y, rate = soundfile.read(str(sound.label))
    assert rate == RATE
    assert sound.value == len(y) / RATE > 0.1


def test_listing_it_loads_no_torch() -> None:
    code = "import sys, models.speech.plugin; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
