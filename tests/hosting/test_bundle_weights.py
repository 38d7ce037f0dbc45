"""Weights from safetensors, in place of a model's own; what does not fit is refused."""

from __future__ import annotations

import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import UserError
from realtime.hosting.bundle import load_bundle
from realtime.hosting.bundles import safetensors
from realtime.hosting.plugin import Context
from tests.hosting.bundles import FUZZ, Bomb, change, damaged, external, make_bundle, refusal, tensors


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_bundle(tmp_path, monkeypatch)


def test_weights_of_the_bundle_replace_the_models(bundle: Path) -> None:
    change(bundle, 'file = "model.onnx"', 'file = "model.onnx"\nweights = "w.safetensors"')
    entry = {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}
    for make in (lambda: None, lambda: external(bundle, "not-there.bin")):
        make()
        tensors(bundle / "w.safetensors", {"one": entry, "__metadata__": {"by": "me"}}, np.float32(4).tobytes())
        plugin = load_bundle(bundle)()
        plugin.prepare(Context())
        said = {f.output: f.value for f in plugin.process(np.full(240, 0.5, np.float32), 0.01) or ()}
        assert said["slow"] == 0.125  # the count goes up by four


@pytest.mark.parametrize(
    ("header", "body", "wanted"),
    [
        ({"two": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}}, bytes(4), "no weights 'two'"),
        ({"one": {"dtype": "F32", "shape": [4, 1], "data_offsets": [0, 16]}}, bytes(16), "have shape [4, 1]"),
        ({"one": {"dtype": "F16", "shape": [1, 1], "data_offsets": [0, 2]}}, bytes(2), "are float16"),
        ({"one": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 8]}}, bytes(8), "does not fit its 8 bytes"),
        (
            {"one": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}},
            bytes(4),
            "does not fit its 4 bytes",
        ),
        ({"one": {"dtype": "F32", "shape": [1, 1], "data_offsets": [4, 8]}}, bytes(4), "outside of the file"),
        ({"one": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}, bytes(4), "has shape"),
        ({"one": {"dtype": "PY", "shape": [1], "data_offsets": [0, 4]}}, bytes(4), "has type 'PY'"),
        ({"one": 3}, b"", "has no description"),
        (b"[1, 2]", b"", "not a table"),
        (b"{broken", b"", "not JSON"),
        (
            {
                "one": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]},
                "two": {"dtype": "F32", "shape": [1], "data_offsets": [2, 6]},
            },
            bytes(6),
            "overlaps",
        ),
    ],
)
def test_weights_that_do_not_fit(bundle: Path, header: Any, body: bytes, wanted: str) -> None:
    change(bundle, 'file = "model.onnx"', 'file = "model.onnx"\nweights = "w.safetensors"')
    tensors(bundle / "w.safetensors", header, body)
    assert wanted in refusal(bundle)


def test_weights_that_are_no_safetensors(bundle: Path) -> None:
    change(bundle, 'file = "model.onnx"', 'file = "model.onnx"\nweights = "w.bin"')
    assert "not a .safetensors file" in refusal(bundle)
    change(bundle, "w.bin", "w.safetensors")
    (bundle / "w.safetensors").write_bytes(pickle.dumps(Bomb()))
    assert "not a safetensors file" in refusal(bundle)
    tensors(bundle / "w.safetensors", {}, length=1 << 60)
    assert "not a safetensors file" in refusal(bundle)


@FUZZ
@given(st.data())
def test_damaged_safetensors_are_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "w.safetensors"
    tensors(path, {"one": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}, bytes(16))
    path.write_bytes(damaged(data, path.read_bytes()))
    with suppress(UserError):
        safetensors.read(path)


def test_whole_safetensors_are_read(tmp_path: Path) -> None:
    tensors(tmp_path / "w.safetensors", {"a": {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]}}, bytes(16))
    assert safetensors.read(tmp_path / "w.safetensors")["a"].tolist() == [0, 0]
