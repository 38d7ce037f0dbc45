"""Captions by a tiny random model of Whisper's kind, saved and loaded as published ones are, offline."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.caption.plugin import LONGEST, RATE, Caption
from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Context
from tests.fixtures.jobs import Desk
from tests.fixtures.programs import need_module
from tests.fixtures.tinymodels import letters

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.timeout(300),  # on a busy machine the import of transformers alone takes a minute
]
PREFIX = "clotho > caption:"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model."""
    torch, t = need_module("torch", "torch"), need_module("transformers", "hub")
    place = tmp_path_factory.mktemp("captioner")
    torch.manual_seed(0)
    config = t.WhisperConfig(
        vocab_size=50, num_mel_bins=8, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_source_positions=1500,
        max_target_positions=64, pad_token_id=0, bos_token_id=1, eos_token_id=1, decoder_start_token_id=3,
        begin_suppress_tokens=None, suppress_tokens=None, init_std=1.0,
    )  # fmt: skip
    t.WhisperForConditionalGeneration(config).save_pretrained(place)
    t.WhisperFeatureExtractor(feature_size=8).save_pretrained(place)
    letters(place, "<s>")
    return place


def prepared(model: str | Path, **texts: str) -> Caption:
    plugin, d = Caption(), Caption.descriptor
    words = {t.identifier: t.default for t in d.texts} | {"model": str(model)} | texts
    plugin.prepare(Context({p.identifier: p.default for p in d.parameters} | {"words": 12}, texts=words))
    return plugin


def sound() -> np.ndarray:
    return 0.1 * np.random.default_rng(1).standard_normal(round(LONGEST * RATE)).astype(np.float32)


@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_the_caption_is_that_of_transformers(folder: Path, prefix: str) -> None:
    import torch
    import transformers as t

    x, tokenizer = sound(), t.AutoTokenizer.from_pretrained(folder)
    desk = Desk()
    found = prepared(folder, prefix=prefix).run({"seconds": 5}, x, 9.0, desk)
    assert found is not None
    model = t.WhisperForConditionalGeneration.from_pretrained(folder).eval()
    given = t.AutoFeatureExtractor.from_pretrained(folder)(x[-5 * RATE :], sampling_rate=RATE, return_tensors="pt")
    start = [3, *tokenizer(prefix)["input_ids"]]
    ids = list(start)
    with torch.no_grad():  # greedily, a token after the other
        while len(ids) < len(start) + 12 and (len(ids) == len(start) or ids[-1] != 1):
            step = torch.tensor([ids])
            ids.append(int(model(given["input_features"], decoder_input_ids=step).logits[0, -1].argmax()))
    expected = tokenizer.decode(ids[len(start) :], skip_special_tokens=True)
    assert [(f.output, f.value, f.label) for f in found] == [("caption", 5.0, expected)]
    assert len(expected) > 5
    assert desk.said[0] == (0.0, "listening")
    assert desk.said[-1][1] == "writing"
    assert len(desk.said) == 1 + len(ids) - len(start)


def test_it_stops_when_nobody_wants_it(folder: Path) -> None:
    desk = Desk(words=3)
    assert prepared(folder, prefix=PREFIX).run({}, sound(), 9.0, desk) is None
    assert len(desk.said) == 3


@pytest.mark.parametrize(
    ("request_", "x", "said"),
    [
        ({"seconds": 99}, sound(), "between 1 and 30"),
        ({"seconds": "x"}, sound(), "between 1 and 30"),
        ({}, np.zeros(480_000, np.float32), "the last 10 s are silent"),
    ],
)
def test_wrong_requests(folder: Path, request_: dict[str, Any], x: np.ndarray, said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepared(folder).run(request_, x, 1.0, Desk())


def test_a_prefix_beyond_the_model_is_one_line(folder: Path) -> None:
    plugin = prepared(folder)
    plugin.text("prefix", "word " * 50)
    with pytest.raises(UserError, match="'prefix' is longer"):
        plugin.run({}, sound(), 1.0, Desk())


def test_no_model_and_other_models(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match=r"\[plugins.caption\] model"):
        prepared("")
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:300])
    with pytest.raises(UserError) as raised:
        prepared(tmp_path)
    assert "\n" not in str(raised.value)


def test_listing_it_loads_no_torch() -> None:
    code = "import sys, models.caption.plugin; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
