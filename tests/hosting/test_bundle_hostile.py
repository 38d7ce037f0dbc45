"""Bundles that mean harm, or are merely broken: each is refused with one line that names file and remedy."""

from __future__ import annotations

import io
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, load, save

from realtime.errors import UserError
from realtime.hosting.bundle import load_bundle
from realtime.hosting.bundles import exportedfile, files, onnxfile, torchscript
from realtime.hosting.plugin import Context
from tests.fixtures.onnxmodels import running_mean
from tests.hosting.bundles import FUZZ, Bomb, change, damaged, external, make_bundle, refusal
from tests.hosting.test_bundle import MANIFEST


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_bundle(tmp_path, monkeypatch)


def test_the_good_one_is_good(bundle: Path) -> None:
    load_bundle(bundle)().prepare(Context())


# -- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../model.onnx", "sub/../../model.onnx", "/etc/model.onnx", "C:/model.onnx", "..\\\\model.onnx"],
)
@pytest.mark.parametrize("key", ["file", "weights", "labels_file"])
def test_names_that_lead_out_of_the_bundle(bundle: Path, name: str, key: str) -> None:
    (bundle.parent / "model.onnx").write_bytes((bundle / "model.onnx").read_bytes())
    if key == "labels_file":
        change(bundle, 'labels = ["only"]', f'labels_file = "{name}"')
    elif key == "weights":
        change(bundle, 'file = "model.onnx"', f'file = "model.onnx"\nweights = "{name}.safetensors"')
    else:
        change(bundle, 'file = "model.onnx"', f'file = "{name}"')
    message = refusal(bundle)
    assert "outside the bundle" in message or "not the name of a file" in message or "is not an .onnx" in message


def test_a_link_that_leads_out_of_the_bundle(bundle: Path) -> None:
    outside = bundle.parent / "secret.onnx"
    (bundle / "model.onnx").rename(outside)
    (bundle / "model.onnx").symlink_to(outside)
    assert "model.file 'model.onnx' lies outside the bundle" in refusal(bundle)


def test_a_link_to_itself_and_a_folder(bundle: Path) -> None:
    (bundle / "model.onnx").unlink()
    (bundle / "model.onnx").symlink_to(bundle / "model.onnx")
    assert "model.file 'model.onnx'" in refusal(bundle)
    (bundle / "model.onnx").unlink()
    (bundle / "model.onnx").mkdir()
    assert "is not a file" in refusal(bundle)


def test_a_manifest_that_is_a_link_out(bundle: Path) -> None:
    outside = bundle.parent / "plugin.toml"
    (bundle / "plugin.toml").rename(outside)
    (bundle / "plugin.toml").symlink_to(outside)
    assert "lies outside the bundle" in refusal(bundle)


# -- pickles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("model.pkl", "pickles can run any program"),
        ("model.pth", "checkpoints are pickles"),
        ("model.ckpt", "checkpoints are pickles"),
        ("model.joblib", "never read"),
        ("model.safetensors", "it holds weights but no network"),
        ("model.so", "programs are never loaded"),
        ("model.h5", "tf2onnx"),
        ("model.onnx", "is a pickle"),
        ("model.pt", "is a pickle"),
        ("model.pt2", "is a pickle"),
    ],
)
def test_a_pickle_under_any_name(bundle: Path, name: str, wanted: str) -> None:
    (bundle / name).write_bytes(pickle.dumps(Bomb()))
    change(bundle, '"model.onnx"', f'"{name}"')
    assert wanted in refusal(bundle)


def archive(path: Path, **members: bytes) -> None:
    """A zip file; ``__`` in a name stands for ``/``."""
    with zipfile.ZipFile(path, "w") as z:
        for name, data in members.items():
            z.writestr(name.replace("__", "/").replace("DOT", "."), data)


def test_a_checkpoint_that_calls_itself_a_model(bundle: Path) -> None:
    archive(bundle / "model.pt", archive__dataDOTpkl=pickle.dumps(Bomb()), archive__version=b"3")
    change(bundle, '"model.onnx"', '"model.pt"')
    assert "is a checkpoint, and its pickle is never read" in refusal(bundle)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (b"def forward(self, x):\n  torch.save(x, '/tmp/x')\n", "torch.save"),
        (b"def forward(self, x):\n  return torch.from_file('/etc/passwd')\n", "from_file"),
        (b"def forward(self, x):\n  return ops.evil.run(x)\n", "evil::run"),
        (b"def __setstate__(self, s: __torch__.torch.classes.evil.Thing):\n  pass\n", "torch.classes"),
    ],
)
def test_torchscript_that_reaches_beyond_the_model(tmp_path: Path, code: bytes, wanted: str) -> None:
    path = tmp_path / "model.pt"
    archive(path, m__code____torch__DOTpy=code, m__dataDOTpkl=b"")
    with zipfile.ZipFile(path) as z:
        assert any(n.endswith(".py") for n in z.namelist())
    with pytest.raises(UserError, match=wanted):
        torchscript.check(path)


# -- sizes ----------------------------------------------------------------------------------------------------


def test_a_file_that_is_too_large(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (bundle / "model.onnx").open("r+b") as f:
        f.truncate(files.MOST_BYTES + 1)  # sparse: takes no room
    assert "at most 1024 MB" in refusal(bundle)
    (bundle / "plugin.toml").write_text(MANIFEST + "#" * files.MOST_MANIFEST)
    assert "at most 1048576 are read" in refusal(bundle)


def test_a_zip_bomb(bundle: Path) -> None:
    change(bundle, '"model.onnx"', '"model.pt2"')
    with zipfile.ZipFile(bundle / "model.pt2", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        z.writestr("m/archive_format", b"pt2")
        with z.open("m/data/weights/weight_0", "w", force_zip64=True) as f:
            for _ in range(64):
                f.write(bytes(1 << 20))
    assert "archives like that are refused" in refusal(bundle)


def test_an_archive_of_too_many_or_wrong_names(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    archive(path, **{"..__evil": b"x"})
    with pytest.raises(UserError, match="leads outside"):
        files.open_archive(path)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(UserError, match="not a torch archive"):
        files.open_archive(path)


def onnx_with(path: Path, **changes: Any) -> None:
    """The running mean with something changed in its protobuf."""
    running_mean(path)
    model = load(path)
    changes["edit"](model)
    path.write_bytes(model.SerializeToString())


def test_a_tensor_that_says_it_is_enormous(bundle: Path) -> None:
    def enormous(model: Any) -> None:
        tensor = TensorProto(name="big", data_type=TensorProto.FLOAT, dims=[1 << 20, 1 << 20], raw_data=b"1234")
        model.graph.initializer.append(tensor)

    onnx_with(bundle / "model.onnx", edit=enormous)
    assert "tensor 'big' of shape [1048576, 1048576] has 4194304 MB" in refusal(bundle)


def test_a_tensor_whose_bytes_are_missing(bundle: Path) -> None:
    def cut(model: Any) -> None:
        model.graph.initializer.append(TensorProto(name="cut", data_type=1, dims=[100], raw_data=b"1234"))

    onnx_with(bundle / "model.onnx", edit=cut)
    assert "tensor 'cut' of shape [100] does not fit its 4 bytes" in refusal(bundle)


def test_a_state_that_is_enormous(bundle: Path) -> None:
    change(bundle, 'output = "total_next"', 'output = "total_next"\nshape = [1, 1000000000000]')
    assert "state 'total' of shape [1, 1000000000000] is too large" in refusal(bundle)


# -- external data --------------------------------------------------------------------------------------------


def test_external_data_within_the_bundle_is_fine(bundle: Path) -> None:
    external(bundle, "values.bin")
    (bundle / "values.bin").write_bytes(np.ones(1, np.float32).tobytes())
    plugin = load_bundle(bundle)()
    plugin.prepare(Context())
    assert next(iter(plugin.process(np.full(240, 0.5, np.float32), 0.01) or ())).value == 0.5


@pytest.mark.parametrize("name", ["../values.bin", "/etc/hostname", "a/../../values.bin"])
def test_external_data_that_lies_elsewhere(bundle: Path, name: str) -> None:
    (bundle.parent / "values.bin").write_bytes(np.ones(1, np.float32).tobytes())
    external(bundle, name)
    message = refusal(bundle)
    assert "tensor 'one' keeps its values in" in message
    assert "outside the bundle" in message


def test_external_data_through_a_link(bundle: Path) -> None:
    (bundle.parent / "values.bin").write_bytes(np.ones(1, np.float32).tobytes())
    (bundle / "values.bin").symlink_to(bundle.parent / "values.bin")
    external(bundle, "values.bin")
    assert "outside the bundle" in refusal(bundle)


def test_external_data_beyond_the_end(bundle: Path) -> None:
    (bundle / "values.bin").write_bytes(b"12345678")
    external(bundle, "values.bin", offset=6)
    assert "lies beyond the end of 'values.bin'" in refusal(bundle)
    external(bundle, "nothing.bin")
    assert "is missing" in refusal(bundle)


# -- what does not fit ----------------------------------------------------------------------------------------


def small(
    path: Path, nodes: list[Any], inputs: dict[str, tuple[int, list[int]]], outputs: list[str], **keys: Any
) -> None:
    """A model of these nodes."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "small",
        [info(n, kind, shape) for n, (kind, shape) in inputs.items()],
        [info(n, TensorProto.FLOAT, None) for n in outputs],
        keys.get("initialisers", []),
    )
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("com.example", 1)]
    save(helper.make_model(graph, opset_imports=imports, ir_version=9), str(path))


ONE = """
[plugin]
identifier = "one"
name = "One"
[input]
hop = 240
[model]
file = "model.onnx"
input = "x"
[[outputs]]
identifier = "y"
kind = "label"
from = "y"
labels = ["a", "b", "c"]
"""


@pytest.mark.parametrize(
    ("domain", "operator", "wanted"),
    [
        ("com.example", "Secret", "needs the operator 'Secret' of 'com.example'"),
        ("", "NoSuchThing", "NoSuchThing"),
    ],
)
def test_operators_that_are_missing(bundle: Path, domain: str, operator: str, wanted: str) -> None:
    (bundle / "plugin.toml").write_text(ONE)
    node = helper.make_node(operator, ["x"], ["y"], domain=domain)
    small(bundle / "model.onnx", [node], {"x": (TensorProto.FLOAT, [1, 240])}, ["y"])
    assert wanted in refusal(bundle)


def test_labels_that_do_not_count_up(bundle: Path) -> None:
    (bundle / "plugin.toml").write_text(ONE)
    small(bundle / "model.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": (1, [1, 240])}, ["y"])
    assert "output 'y' has 3 labels, but the model's 'y' gives 240 values" in refusal(bundle)
    change(bundle, 'kind = "label"', 'kind = "vector"\nsize = 7')
    assert "size is 7, but there are 3 labels" in refusal(bundle)
    change(bundle, 'labels = ["a", "b", "c"]', "")
    assert "has size 7, but the model's 'y' gives 240 values" in refusal(bundle)
    change(bundle, 'kind = "vector"\nsize = 7', "index = 240")
    assert "index 240, but the model's 'y' gives 240 values" in refusal(bundle)


def test_labels_from_a_file(bundle: Path) -> None:
    (bundle / "plugin.toml").write_text(ONE)
    small(bundle / "model.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": (1, [1, 240])}, ["y"])
    change(bundle, 'labels = ["a", "b", "c"]', 'labels_file = "labels.txt"')
    assert "labels_file 'labels.txt' is missing" in refusal(bundle)
    (bundle / "labels.txt").write_text("\n")
    assert "is empty" in refusal(bundle)
    (bundle / "labels.txt").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refusal(bundle)
    (bundle / "labels.txt").write_text("\n".join(f"l{k}" for k in range(240)))
    plugin = load_bundle(bundle)()
    plugin.prepare(Context())
    block = np.zeros(240, np.float32)
    block[17] = 1.0
    assert [f.label for f in plugin.process(block, 0.01) or ()] == ["l17"]


@pytest.mark.parametrize(
    ("kind", "shape", "wanted"),
    [
        (TensorProto.DOUBLE, [1, 240], "not tensor(float)"),
        (TensorProto.INT64, [1, 240], "not tensor(float)"),
        (TensorProto.FLOAT, [1, 241], "does not hold a block of 240 values"),
        (TensorProto.FLOAT, [2, 240], "does not hold a block of 240 values"),
    ],
)
def test_wrong_types_and_shapes(bundle: Path, kind: int, shape: list[int], wanted: str) -> None:
    (bundle / "plugin.toml").write_text(ONE)
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
    small(bundle / "model.onnx", nodes, {"x": (kind, shape)}, ["y"])
    assert wanted in refusal(bundle)


def test_a_state_that_changes_its_shape(bundle: Path) -> None:
    state = '[[model.states]]\ninput = "h"\noutput = "g"\n[[outputs]]'
    (bundle / "plugin.toml").write_text(ONE.replace("[[outputs]]", state))
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Concat", ["h", "h"], ["g"], axis=1)]
    small(bundle / "model.onnx", nodes, {"x": (1, [1, 240]), "h": (1, [1, "n"])}, ["y", "g"])  # type: ignore[list-item]
    assert "state 'h' has shape [1, 1], but comes back as [1, 2]" in refusal(bundle)


def test_initial_values_that_do_not_fit(bundle: Path) -> None:
    change(bundle, 'output = "total_next"', 'output = "total_next"\ninitial = [1.0, 2.0]')
    assert "state 'total' has 1 values, but 'initial' has 2 numbers" in refusal(bundle)


# -- anything at all ------------------------------------------------------------------------------------------


@FUZZ
@given(st.data())
def test_damaged_onnx_is_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "model.onnx"
    running_mean(path)
    path.write_bytes(damaged(data, path.read_bytes()))
    with suppress(UserError):
        onnxfile.inspect(tmp_path, path)


@FUZZ
@given(st.binary(max_size=300))
def test_any_bytes_are_no_program(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.pt2"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("m/archive_format", b"pt2")
        z.writestr("m/models/model.json", data)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(UserError):
        exportedfile.read(path)
