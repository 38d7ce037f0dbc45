"""A tiny random Whisper in the format of CTranslate2, made by its own converter; nothing is fetched."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_lowercase

import pytest

from tests.fixtures.programs import need_module

SPECIAL = ["endoftext", "startoftranscript", "en", "de", "translate", "transcribe", "startoflm", "startofprev"]
SPECIAL = [f"<|{name}|>" for name in [*SPECIAL, "nospeech", "notimestamps"]]
SPACE = "Ġ"


def whisper(folder: Path) -> Path:
    """It knows two languages, and says letters and spaces only."""
    ctranslate2 = pytest.importorskip("ctranslate2", reason="needs pip install 'sidechain[whisper]'")
    torch, t = need_module("torch", "torch"), need_module("transformers", "hub")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    # The empty token tells a model of several languages from an English one.
    letters = {c: i for i, c in enumerate([*sorted(pre_tokenizers.ByteLevel.alphabet()), ""])}
    reader = Tokenizer(models.BPE(vocab=letters, merges=[]))
    reader.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    reader.decoder = decoders.ByteLevel()
    reader.add_special_tokens(SPECIAL)
    end = SPECIAL[0]
    source = folder / "source"
    t.PreTrainedTokenizerFast(tokenizer_object=reader, eos_token=end, bos_token=end).save_pretrained(source)
    at = {name: len(letters) + i for i, name in enumerate(SPECIAL)}
    small = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    small |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_start_token_id": at[SPECIAL[1]]}
    small |= {"vocab_size": len(letters) + len(SPECIAL) + 1501}
    torch.manual_seed(0)
    config = t.WhisperConfig(pad_token_id=at[end], bos_token_id=at[end], eos_token_id=at[end], **small)
    model = t.WhisperForConditionalGeneration(config)
    with torch.no_grad():
        words = model.model.decoder.embed_tokens.weight
        words[: len(letters)] = 0.0
        for letter in (*ascii_lowercase, SPACE):
            words[letters[letter]] = torch.randn(16)
    model.generation_config.suppress_tokens = []
    model.generation_config.begin_suppress_tokens = [at[end]]
    model.save_pretrained(source)
    made = folder / "model"
    ctranslate2.converters.TransformersConverter(str(source), copy_files=["tokenizer.json"]).convert(str(made))
    settings = json.loads((made / "config.json").read_text())
    settings |= {"lang_ids": [at["<|en|>"], at["<|de|>"]], "alignment_heads": [[0, 0], [0, 1]]}
    (made / "config.json").write_text(json.dumps(settings))
    return made
