"""Checkpoints of torch are read without torch, and nothing in them is run."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.dsp.checkpoint import Opaque, read
from realtime.errors import UserError


def archive(path: Path, pickled: bytes, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("archive/data.pkl", pickled)
        for name, data in members.items():
            z.writestr(f"archive/data/{name}", data)
    return path


def test_tensors_are_those_that_torch_saved(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    saved = {
        "plain": base,
        "view": base.t()[1:3],
        "half": torch.randn(3).half(),
        "whole": torch.tensor([1, -2]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
        "more": {"list": [1, -70000, 2.5, None, True, "text", (1, 2, 3, 4)], "big": 1 << 40},
    }
    torch.save(saved, tmp_path / "a.pth")
    found = read(tmp_path / "a.pth")
    assert found["more"] == saved["more"]
    for name, tensor in saved.items():
        if isinstance(tensor, torch.Tensor):
            wanted = tensor.detach().numpy()
            assert found[name].dtype == wanted.dtype
            assert found[name].shape == wanted.shape
            assert np.array_equal(found[name], wanted)


def test_a_module_s_state_is_read(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    torch.save(net.state_dict(), tmp_path / "a.pth")
    found = read(tmp_path / "a.pth")
    assert list(found) == list(net.state_dict())
    assert np.array_equal(found["0.weight"], net[0].weight.detach().numpy())


class Bad:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.write_text, (self.path, "run"))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_is_run(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    bad = archive(tmp_path / "a.pth", pickle.dumps({"x": Bad(trace)}, protocol))
    with pytest.raises(UserError):
        read(bad)
    assert not trace.exists()


def test_objects_of_named_foreign_classes_are_left_as_they_are(tmp_path: Path) -> None:
    saved = {"settings": UserError("a"), "x": torch.ones(2)}
    torch.save(saved, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"calls 'realtime\.errors UserError'"):
        read(tmp_path / "a.pth")
    found = read(tmp_path / "a.pth", foreign=["realtime.errors "])
    assert found["settings"] == Opaque("realtime.errors UserError")
    assert found["x"].tolist() == [1, 1]
    trace = tmp_path / "trace"
    bad = archive(tmp_path / "b.pth", pickle.dumps({"x": Bad(trace)}, 2))
    with pytest.raises(UserError):
        read(bad, foreign=["omegaconf."])
    assert not trace.exists()


def shape_of(tmp_path: Path, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Path:
    """A checkpoint whose one tensor claims this view of four numbers."""

    class Claim:
        def __reduce__(self) -> Any:
            return (torch._utils._rebuild_tensor_v2, (Storage(), offset, size, stride, False, {}))

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", 4) if isinstance(thing, Storage) else None

    out = io.BytesIO()
    Pickler(out, 2).dump({"x": Claim()})
    return archive(tmp_path / "a.pth", out.getvalue(), **{"0": np.arange(4, dtype="<f4").tobytes()})


def test_a_tensor_stays_within_its_bytes(tmp_path: Path) -> None:
    assert read(shape_of(tmp_path, 0, (2, 2), (2, 1)))["x"].tolist() == [[0, 1], [2, 3]]
    for offset, size, stride in ((0, (5,), (1,)), (1, (2, 2), (2, 1)), (-1, (2,), (1,)), (0, (2,), (-1,))):
        with pytest.raises(UserError):
            read(shape_of(tmp_path, offset, size, stride))


@pytest.mark.parametrize("data", [b"", b"\x80\x02", b"not a pickle", b"\x80\x02]."])
def test_damaged_ones_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UserError):
        read(archive(tmp_path / "a.pth", data))
    (tmp_path / "b.pth").write_bytes(data)
    with pytest.raises(UserError):
        read(tmp_path / "b.pth")
