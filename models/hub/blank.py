"""Models of published size with random weights, to measure what they cost where the published ones are not.

usage: python -m models.hub.blank KIND NEW-FOLDER     KIND: ast, clap, hubert, wav2vec2, wavlm-speaker, whisper

A network of the same shape costs the same, whatever it has learnt:
    python -m models.hub.blank clap /tmp/clap
    python -m realtime.bench.cost hub-clap '{"model": "/tmp/clap"}' 24
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from models.hub.loading import packages
from realtime.errors import UserError

KINDS = {
    "ast": ("AST", "ASTForAudioClassification", "ASTFeatureExtractor"),
    "clap": ("Clap", "ClapModel", "ClapFeatureExtractor"),
    "hubert": ("Hubert", "HubertForSequenceClassification", "Wav2Vec2FeatureExtractor"),
    "wav2vec2": ("Wav2Vec2", "Wav2Vec2ForSequenceClassification", "Wav2Vec2FeatureExtractor"),
    "wavlm-speaker": ("WavLM", "WavLMForXVector", "Wav2Vec2FeatureExtractor"),
    "whisper": ("Whisper", "WhisperModel", "WhisperFeatureExtractor"),
}
"""Prefix of the configuration's class, class of the model, class of its front end, of each kind. Defaults of the
configurations are published sizes: AST, wav2vec2, HuBERT, WavLM base, CLAP with the small HTSAT, Whisper tiny."""

_FRONT = {"clap": {"truncation": "rand_trunc"}}


def blank(
    kind: str, target: Path, config: dict[str, Any] | None = None, front: dict[str, Any] | None = None
) -> Path:
    """Write a model with random weights, as ``save_pretrained`` does; its folder.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    target : Path
        New or empty.
    config, front : dict, optional
        Changes to the defaults of the network and of its front end.

    Raises
    ------
    UserError
        Unknown kind, a folder that is not empty, or torch or transformers is not here.
    """
    if kind not in KINDS:
        raise UserError(f"unknown kind '{kind}'; one of {', '.join(KINDS)}")
    if target.exists() and any(target.iterdir()):
        raise UserError(f"{target} is not empty")
    torch, t = packages()
    torch.manual_seed(0)
    prefix, network, extractor = KINDS[kind]
    made = getattr(t, f"{prefix}Config")(**(config or {}))
    getattr(t, network)(made).save_pretrained(target)
    getattr(t, extractor)(**{**_FRONT.get(kind, {}), **(front or {})}).save_pretrained(target)
    if kind == "clap":
        tokenizer(t).save_pretrained(target)
    return target


def tokenizer(t: Any) -> Any:
    """A byte-level tokenizer without merges: it reads every text, a letter at a time."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = {c: i for i, c in enumerate([*marks, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    reader = Tokenizer(models.BPE(vocab=letters, merges=[], unk_token="<unk>"))
    reader.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    named = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return t.PreTrainedTokenizerFast(tokenizer_object=reader, **named)


def main(arguments: list[str]) -> int:
    """The exit status."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(blank(arguments[0], Path(arguments[1]).expanduser()))
    except (UserError, OSError) as e:
        print(e, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
