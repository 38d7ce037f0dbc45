"""From a torch module to a bundle: three formats, parity, and what cannot be exported."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from realtime.errors import UserError
from realtime.hosting.bundles.export import export
from tests.hosting.bundles import TRAP, Bomb

torch = pytest.importorskip("torch")
nn = torch.nn

from tests.hosting.test_bundle_torch import FILES, MANIFEST, Net, noise, prepared, said  # noqa: E402


@pytest.mark.parametrize("file", FILES)
def test_export_and_parity(tmp_path: Path, file: str) -> None:
    (tmp_path / "plugin.toml").write_text(MANIFEST.replace("FILE", file))
    done = export(f"{__name__}:Net", tmp_path)
    assert done.model == tmp_path / file
    assert done.difference <= 1e-5
    values = said(prepared(tmp_path), noise(3))
    net = Net().eval()
    with torch.no_grad():
        np.testing.assert_allclose(
            values[0], float(net(torch.tensor(noise(1)), torch.full((1, 16), 0.25))[0]), atol=1e-5
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([file, "plugin.toml"])


class WithManifest(nn.Module):  # type: ignore[misc, name-defined]
    """Brings its own manifest."""

    manifest: ClassVar[dict[str, Any]] = {
        "plugin": {"identifier": "own", "name": 'With "quotes"', "license": "MIT"},
        "input": {"kind": "log-mel", "bands": 8, "hop": 240},
        "model": {"file": "m.onnx", "input": "x", "outputs": ["y"]},
        "outputs": [{"identifier": "y", "from": "y", "maximum": 10.0}],
    }

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x: Any) -> Any:
        return (x * self.gain).mean(-1, keepdim=True)


def test_a_module_brings_its_manifest_and_weights_come_from_a_file(tmp_path: Path) -> None:
    torch.save({"gain": torch.tensor([3.0])}, tmp_path / "w.pt")
    done = export(f"{__name__}:WithManifest", tmp_path / "out", tmp_path / "w.pt")
    plugin = prepared(done.model.parent)
    assert plugin.descriptor.name == 'With "quotes"'
    assert said(plugin, np.ones((1, 8), np.float32)) == [3.0]


class Random(WithManifest):
    def forward(self, x: Any) -> Any:
        return x.mean(-1, keepdim=True) + torch.rand(1)


class Mute(WithManifest):
    manifest: ClassVar[Any] = None


class TwoResults(WithManifest):
    def forward(self, x: Any) -> Any:
        return x, x


class Fails(WithManifest):
    def forward(self, x: Any) -> Any:
        return x.reshape(3, 3)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Random", "differs from torch by"),
        ("Mute", "has no 'manifest'; write one of the two"),
        ("TwoResults", "returns 2 values, model.outputs names 1"),
        ("Fails", "fails on an input of shape [1, 8]"),
        ("Nothing", "cannot be made: AttributeError"),
        ("not a class", "is not MODULE:CLASS"),
    ],
)
def test_what_cannot_be_exported(tmp_path: Path, name: str, wanted: str) -> None:
    with pytest.raises(UserError) as caught:
        export(f"{__name__}:{name}", tmp_path / "out")
    assert wanted in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out/*"))


def test_weights_that_cannot_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match="its weights cannot be taken"):
        export(f"{__name__}:WithManifest", tmp_path / "out", tmp_path / "w.pt")
    assert not (tmp_path / TRAP).exists()
    torch.save({"loss": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(UserError, match="Unexpected key"):
        export(f"{__name__}:WithManifest", tmp_path / "out", tmp_path / "w.pt")
