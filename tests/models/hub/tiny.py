"""Tiny random models of the published architectures, saved as published ones are; nothing is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.hub.blank import blank
from tests.fixtures.programs import need_module

CONV = {"conv_dim": (8, 8), "conv_kernel": (10, 8), "conv_stride": (20, 16), "num_feat_extract_layers": 2}
CONV |= {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 8}
BODY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def packages() -> tuple[Any, Any]:
    """torch, seeded, and transformers."""
    torch, t = need_module("torch", "torch"), need_module("transformers", "hub")
    torch.manual_seed(0)
    return torch, t


def speech(folder: Path, kind: str, head: str = "", labels: tuple[str, ...] = ()) -> Path:
    """wav2vec2, HuBERT or WavLM (`kind` as its configuration is named), with the head of that name or without."""
    _, t = packages()
    named = {"num_labels": len(labels), "id2label": dict(enumerate(labels))} if labels else {}
    if head == "XVector":
        named = {"tdnn_dim": (8, 8), "tdnn_kernel": (3, 1), "tdnn_dilation": (1, 1), "xvector_output_dim": 6}
    config = getattr(t, f"{kind}Config")(**CONV, **BODY, **named)
    getattr(t, f"{kind}{f'For{head}' if head else 'Model'}")(config).save_pretrained(folder)
    t.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    """Whisper without its language head; it hears 2 s at once."""
    packages()
    small = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    small |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "vocab_size": 40, "num_mel_bins": 16}
    small |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 3}
    small |= {"max_source_positions": 100, "max_target_positions": 16}
    return blank("whisper", folder, small, {"feature_size": 16, "chunk_length": 2})


def clap(folder: Path, fused: bool = False) -> Path:
    """CLAP with a tokenizer that reads every text; ten seconds make a hundred frames."""
    packages()
    words = {"vocab_size": 261, "max_position_embeddings": 90, "projection_dim": 512, **BODY}
    heard = {"num_mel_bins": 16, "window_size": 4, "spec_size": 64, "patch_size": 2, "patch_stride": [2, 2]}
    heard |= {"freq_ratio": 2, "hidden_size": 32, "patch_embeds_hidden_size": 16, "projection_dim": 512}
    heard |= {"depths": [1, 1], "num_hidden_layers": 2, "num_attention_heads": [2, 2], "intermediate_size": 16}
    heard["enable_fusion"] = fused
    config = {"text_config": words, "audio_config": heard, "projection_dim": 512}
    front = {"feature_size": 16, "hop_length": 4800, "truncation": "fusion" if fused else "rand_trunc"}
    return blank("clap", folder, config, front)
