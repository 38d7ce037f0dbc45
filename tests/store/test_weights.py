"""What the list of plugins says of the weights that each needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.hosting.plugin import AudioInput, Descriptor, Output, Text
from realtime.store.store import Store
from realtime.store.weights import weights


def described(identifier: str = "some", model: str | None = None) -> Descriptor:
    texts = () if model is None else (Text("model", "Model", model),)
    output = Output("y", "value")
    return Descriptor(identifier, "", "", "", "", "", AudioInput(), (output,), texts=texts)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "weights.bin").write_bytes(b"12345")
    (tmp_path / "models.toml").write_text(
        f"[[model]]\nname = 'small'\ntitle = 'x'\nfor = 'plugin some, other; a key'\nlicense = 'MIT'\n"
        f"source = 'local'\npath = '{(tmp_path / 'weights.bin').as_posix()}'\n"
        "[[model.files]]\nname = 'weights.bin'\nsize = 5\n"
    )
    return Store(tmp_path)


def test_the_stores_entry_for_a_plugin(store: Store) -> None:
    assert weights(described("some"), store) == weights(described("other"), store) == "small: not fetched"
    assert weights(described("key"), store) == weights(described("nobody"), store) == ""
    store.get("small", trust=True)
    assert weights(described("some"), store) == "small: here"
    (store.folder / "small" / "weights.bin").write_bytes(b"1")
    assert weights(described("some"), store) == "small: damaged"


def test_its_own_model_counts_before_that(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert weights(described("x", "small"), store) == "small: not fetched"
    assert weights(described("some", "me/mine"), store) == "me/mine: not fetched"
    (tmp_path / "models--me--mine" / "snapshots" / "abc").mkdir(parents=True)
    assert weights(described("some", "me/mine"), store) == "me/mine: here"
    assert weights(described("x", "numpy"), store) == "numpy: here"
    assert weights(described("x", "no_such_package"), store) == "no_such_package: not fetched"
    assert weights(described("x", ""), store) == ""
