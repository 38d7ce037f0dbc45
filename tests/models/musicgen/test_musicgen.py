"""Music by a tiny random MusicGen, saved and loaded as published ones are, offline."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.musicgen.plugin import AGREED, RATE, MusicGen
from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Context
from tests.fixtures.jobs import Desk, said
from tests.fixtures.programs import need_module
from tests.fixtures.tinymodels import letters

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.timeout(300),  # on a busy machine the import of transformers alone takes a minute
]
NOTHING = np.zeros(160, np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model."""
    torch, t = need_module("torch", "torch"), need_module("transformers", "hub")
    place = tmp_path_factory.mktemp("musicgen")
    torch.manual_seed(0)
    words = t.T5Config(vocab_size=60, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    coder = t.EncodecConfig(
        sampling_rate=32_000, target_bandwidths=[2.2], hidden_size=8, codebook_size=16, codebook_dim=8,
        num_filters=4, num_lstm_layers=1, upsampling_ratios=[8, 5, 4, 4], normalize=False,
    )  # fmt: skip
    decoder = t.MusicgenDecoderConfig(
        vocab_size=16, hidden_size=16, ffn_dim=16, num_hidden_layers=1, num_attention_heads=2, num_codebooks=4,
        max_position_embeddings=64, pad_token_id=16, bos_token_id=16,
    )  # fmt: skip
    model = t.MusicgenForConditionalGeneration(
        t.MusicgenConfig(text_encoder=words, audio_encoder=coder, decoder=decoder)
    )
    for layer in model.audio_encoder.quantizer.layers:
        layer.codebook.embed.normal_()  # else every token sounds the same
    for name in ("decoder_start_token_id", "pad_token_id", "bos_token_id"):
        setattr(model.generation_config, name, 16)
    model.save_pretrained(place)
    letters(place)
    return place


def prepared(model: str | Path, licence: str = AGREED) -> MusicGen:
    plugin, d = MusicGen(), MusicGen.descriptor
    texts = {t.identifier: t.default for t in d.texts} | {"model": str(model), "licence": licence}
    plugin.prepare(Context({p.identifier: p.default for p in d.parameters}, texts=texts))
    return plugin


@pytest.fixture(scope="module")
def plugin(folder: Path) -> MusicGen:
    return prepared(folder)


def test_music_at_the_tempo_and_in_the_key_of_the_moment(plugin: MusicGen) -> None:
    desk = Desk({"tags.instrument": said("guitar")})
    request: dict[str, str | float] = {
        "text": "bass",
        "bars": 1,
        "beats": 2,
        "bpm": 120.0,
        "key": "A minor",
        "seed": 7,
    }
    found = plugin.run(request, NOTHING, 5.0, desk)
    assert found is not None
    told, music = found
    assert (told.output, told.value, told.label) == ("prompt", 1.0, "bass, guitar, 120 bpm, in A minor")
    sound = np.asarray(music.value)
    assert (sound.shape, sound.dtype) == ((RATE,), np.float32)
    assert sound[:-200].std() > 1e-4
    assert sound[-1] == 0.0
    shares = [share for share, _ in desk.said]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    again = plugin.run(request, NOTHING, 5.0, Desk())
    other = plugin.run(request | {"seed": 8}, NOTHING, 5.0, Desk())
    assert again is not None
    assert other is not None
    assert np.array_equal(np.asarray(again[1].value), sound)
    assert not np.array_equal(np.asarray(other[1].value), sound)


def test_the_same_seed_gives_what_transformers_gives(plugin: MusicGen, folder: Path) -> None:
    import torch
    import transformers as t

    found = plugin.run({"text": "bass", "tags": "", "seconds": 1.0, "seed": 3}, NOTHING, 5.0, Desk())
    assert found is not None
    model = t.MusicgenForConditionalGeneration.from_pretrained(folder).eval()
    torch.manual_seed(3)
    given = t.AutoTokenizer.from_pretrained(folder)(["bass"], return_tensors="pt")
    with torch.no_grad():
        expected = model.generate(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"], do_sample=True,
            guidance_scale=3.0, max_new_tokens=54,
        )[0, 0].numpy()  # fmt: skip
    fade = round(0.005 * RATE)
    np.testing.assert_allclose(np.asarray(found[1].value)[:-fade], expected[: RATE - fade], atol=1e-5)


def test_it_stops_when_nobody_wants_it(plugin: MusicGen) -> None:
    desk = Desk(words=4)
    assert plugin.run({"seconds": 1.0}, NOTHING, 5.0, desk) is None
    assert len(desk.said) == 4


def test_a_wrong_request_is_one_line(plugin: MusicGen) -> None:
    with pytest.raises(UserError, match="musicgen: 'bars' needs a tempo"):
        plugin.run({"bars": 4}, NOTHING, 5.0, Desk())


def test_nothing_is_loaded_before_the_licence_is_agreed_to(folder: Path) -> None:
    with pytest.raises(NotFetched, match=r'\[plugins.musicgen\] licence = "non-commercial"'):
        prepared(folder, "")


def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match="pickled weights are not read"):
        prepared(tmp_path)


def test_what_is_not_here_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(tmp_path))
    with pytest.raises(NotFetched, match="sidechain models get musicgen-small"):
        prepared("musicgen-small")


def test_listing_it_loads_no_torch() -> None:
    code = "import sys, models.musicgen.plugin; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
