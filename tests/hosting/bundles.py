"""What the tests of bundles share: a good bundle to spoil, and what spoils it."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from onnx import TensorProto, load

from realtime.errors import UserError
from realtime.hosting.bundle import load_bundle
from realtime.hosting.plugin import Context
from tests.fixtures.onnxmodels import running_mean
from tests.hosting.test_bundle import MANIFEST

TRAP = "hostile-was-here"


class Bomb:
    """A pickle that writes a file when it is read."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch {TRAP}",)


def make_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good bundle, in a working folder in which nothing may appear."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    running_mean(folder / "model.onnx")
    (folder / "plugin.toml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    return folder


def refusal(folder: Path) -> str:
    """What is said when a bundle is loaded and prepared."""
    with pytest.raises(UserError) as caught:
        load_bundle(folder)().prepare(Context())
    message = str(caught.value)
    assert "\n" not in message
    assert not (folder.parent / TRAP).exists()
    return message


def change(folder: Path, old: str, new: str) -> None:
    """Change the manifest."""
    text = (folder / "plugin.toml").read_text()
    assert old in text
    (folder / "plugin.toml").write_text(text.replace(old, new, 1))


def external(folder: Path, location: str, offset: int = 0, length: int = 4, name: str = "one") -> None:
    """Have the initialiser ``one`` keep its value in another file."""
    running_mean(folder / "model.onnx")
    model = load(folder / "model.onnx")
    tensor = next(t for t in model.graph.initializer if t.name == name)
    for field in ("float_data", "raw_data"):
        tensor.ClearField(field)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    (folder / "model.onnx").write_bytes(model.SerializeToString())


FUZZ = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def damaged(data: st.DataObject, good: bytes) -> bytes:
    """Bytes with a few of them changed, or cut off."""
    found = bytearray(good)
    for _ in range(data.draw(st.integers(1, 6))):
        found[data.draw(st.integers(0, len(found) - 1))] = data.draw(st.integers(0, 255))
    return bytes(found[: data.draw(st.integers(1, len(found)))]) if data.draw(st.booleans()) else bytes(found)


def tensors(path: Path, header: dict[str, Any] | bytes, body: bytes = b"", length: int | None = None) -> None:
    """A safetensors file with that header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)
