"""Programs of torch.export and TorchScript: hosted with their states, never unpickled; and how they are made."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.errors import UserError
from realtime.hosting.bundle import load_bundle
from realtime.hosting.check import check_plugin
from realtime.hosting.plugin import Context, Plugin
from tests.hosting.bundles import TRAP, Bomb, tensors

torch = pytest.importorskip("torch")
nn = torch.nn


class Net(nn.Module):  # type: ignore[misc, name-defined]
    """A recurrent cell, a convolution and arithmetic: what small causal networks are made of."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Linear(240, 16)
        self.cell = nn.GRUCell(16, 16)
        self.conv = nn.Conv1d(1, 4, 3, padding=1)
        self.register_buffer("scale", torch.full((16,), 0.5))

    def forward(self, x: Any, h: Any) -> Any:
        after = self.cell(torch.tanh(self.first(x)), h)
        wide = self.conv((after * self.scale)[:, None])
        level, _ = wide.flatten(1).split([32, 32], dim=1)
        return level.mean(-1, keepdim=True).sigmoid(), torch.cat([after, level[:, :2]], -1).softmax(-1), after


class Remembers(nn.Module):  # type: ignore[misc, name-defined]
    """Keeps its state itself, in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 1))

    def forward(self, x: Any) -> Any:
        self.mean.add_(0.1 * (x.abs().mean() - self.mean))
        return self.mean * 1.0


MANIFEST = """
[plugin]
identifier = "net"
name = "Net"
license = "MIT"
maker = "me"
description = "A net"

[input]
sample_rate = 24000
hop = 240

[model]
file = "FILE"
input = "x"
outputs = ["y", "kinds", "h_next"]

[[model.states]]
input = "h"
output = "h_next"
shape = [1, 16]
initial = 0.25

[[outputs]]
identifier = "y"
from = "y"

[[outputs]]
identifier = "kinds"
kind = "vector"
from = "kinds"
size = 18
"""

FILES = ("model.pt2", "model.pt", "model.onnx")


def save(net: Any, path: Path, *examples: Any) -> None:
    """Write a module in the format of the ending."""
    net.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if path.suffix == ".pt2":
            torch.export.save(torch.export.export(net, examples), path)
        else:
            torch.jit.trace(net, examples).save(path)


def bundle(folder: Path, file: str = "model.pt2") -> Path:
    """A bundle with :class:`Net`."""
    save(Net(), folder / file, torch.zeros(1, 240), torch.zeros(1, 16))
    (folder / "plugin.toml").write_text(MANIFEST.replace("FILE", file))
    return folder


def prepared(folder: Path) -> Plugin:
    plugin = load_bundle(folder)()
    plugin.prepare(Context())
    return plugin


def said(plugin: Plugin, x: np.ndarray) -> list[Any]:
    return [f.value for k, block in enumerate(x) for f in plugin.process(block, 0.01 * k) or ()]


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        prepared(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def noise(blocks: int = 20) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((blocks, 240)).astype(np.float32)


@pytest.mark.parametrize("file", FILES[:2])
def test_it_says_what_torch_says(tmp_path: Path, file: str) -> None:
    x, net, h = noise(), Net().eval(), torch.full((1, 16), 0.25)
    expected: list[Any] = []
    with torch.no_grad():
        for block in x:
            y, kinds, h = net(torch.tensor(block)[None], h)
            expected += [float(y), kinds[0].tolist()]
    plugin = prepared(bundle(tmp_path, file))
    first = said(plugin, x)
    for wanted, found in zip(expected, first, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    plugin.reset()
    assert said(plugin, x) == first
    assert said(prepared(tmp_path), x) == first


def test_it_keeps_to_the_contract(tmp_path: Path) -> None:
    report = check_plugin(load_bundle(bundle(tmp_path)), seconds=1.0)
    assert report.ok, report.failures


@pytest.mark.parametrize("file", FILES[:2])
def test_a_state_of_its_own_is_reset_and_not_shared(tmp_path: Path, file: str) -> None:
    save(Remembers(), tmp_path / file, torch.zeros(1, 240))
    lines = MANIFEST.replace("FILE", file).replace('outputs = ["y", "kinds", "h_next"]', 'outputs = ["y"]')
    head, _, rest = lines.partition("[[model.states]]")
    (tmp_path / "plugin.toml").write_text(
        head + rest[rest.index("[[outputs]]") :].split('[[outputs]]\nidentifier = "kinds')[0]
    )
    one, other = prepared(tmp_path), prepared(tmp_path)
    x = noise(5)
    first = said(one, x)
    assert first[0] != first[-1]
    assert said(other, x) == first
    one.reset()
    assert said(one, x) == first


def test_weights_of_the_bundle_replace_those_of_the_program(tmp_path: Path) -> None:
    bundle(tmp_path)
    text = (tmp_path / "plugin.toml").read_text()
    (tmp_path / "plugin.toml").write_text(text.replace('input = "x"', 'weights = "w.safetensors"\ninput = "x"'))
    entry = {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}
    tensors(tmp_path / "w.safetensors", {"scale": entry}, np.zeros(16, np.float32).tobytes())
    values = said(prepared(tmp_path), noise(2))
    net = Net().eval()
    net.scale.zero_()
    with torch.no_grad():
        np.testing.assert_allclose(
            values[0], float(net(torch.tensor(noise(1)), torch.full((1, 16), 0.25))[0]), atol=1e-6
        )
    tensors(tmp_path / "w.safetensors", {"scale": entry | {"shape": [4, 4]}}, bytes(64))
    assert "weights 'scale' have shape [4, 4]" in refusal(tmp_path)
    tensors(tmp_path / "w.safetensors", {"scales": entry}, bytes(64))
    assert "no weights 'scales'; did you mean 'scale'" in refusal(tmp_path)


@pytest.mark.parametrize("file", FILES[:2])
@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('input = "x"', 'input = "sound"', "no input 'sound'"),
        ('"kinds", "h_next"]', '"h_next"]', "model.outputs"),
        ("size = 18", "size = 17", "has size 17, but the model's 'kinds' gives 18 values"),
        ("shape = [1, 16]", "shape = [1, 15]", "the model fails on silence"),
        ("hop = 240", "hop = 480", "480"),
    ],
)
def test_a_manifest_that_does_not_fit(tmp_path: Path, file: str, old: str, new: str, wanted: str) -> None:
    bundle(tmp_path, file)
    text = (tmp_path / "plugin.toml").read_text()
    (tmp_path / "plugin.toml").write_text(text.replace(old, new, 1).replace('from = "kinds"', 'from = "kinds"'))
    assert wanted in refusal(tmp_path)


# -- harm -----------------------------------------------------------------------------------------------------


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], **more: bytes) -> None:
    """The archive with each file changed (None: left out), and more files."""
    with zipfile.ZipFile(path) as z:
        members = {n: z.read(n) for n in z.namelist()}
    with zipfile.ZipFile(path, "w") as z:
        for name, data in members.items():
            if (found := change(name, data)) is not None:
                z.writestr(name, found)
        for name, data in more.items():
            z.writestr(name.replace("__", "/").replace("DOT", "."), data)


def changed_json(path: Path, ending: str, edit: Callable[[Any], None]) -> None:
    """The archive with one JSON file changed."""

    def change(name: str, data: bytes) -> bytes:
        if not name.endswith(ending):
            return data
        document = json.loads(data)
        edit(document)
        return json.dumps(document).encode()

    rewritten(path, change)


def operator(name: str) -> Callable[[Any], None]:
    def edit(document: Any) -> None:
        document["graph_module"]["graph"]["nodes"][0]["target"] = name

    return edit


@pytest.mark.parametrize(
    "name",
    [
        "torch.os.system",
        "torch.ops.aten.from_file.default",
        "_operator.attrgetter",
        "torch.hub.load",
        "torch.ops.evil.run.default",
    ],
)
def test_operators_that_are_not_arithmetic(tmp_path: Path, name: str) -> None:
    bundle(tmp_path)
    changed_json(tmp_path / "model.pt2", "models/model.json", operator(name))
    assert f"needs the operator '{name}', which is not hosted" in refusal(tmp_path)


def test_an_operator_that_this_torch_lacks(tmp_path: Path) -> None:
    bundle(tmp_path)
    changed_json(tmp_path / "model.pt2", "models/model.json", operator("torch.ops.aten.no_such_thing.default"))
    assert "does not have; install the torch it was exported with" in refusal(tmp_path)


def test_weights_that_are_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle(tmp_path)

    def edit(document: Any) -> None:
        document["config"]["scale"]["use_pickle"] = True

    changed_json(tmp_path / "model.pt2", "weights_config.json", edit)
    rewritten(tmp_path / "model.pt2", lambda n, d: pickle.dumps(Bomb()) if "data/weights/weight_" in n else d)
    assert "is a pickle, and pickles are never read" in refusal(tmp_path)
    assert not (tmp_path / TRAP).exists()


def test_a_pickle_that_nobody_needs_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle(tmp_path)
    rewritten(
        tmp_path / "model.pt2",
        lambda n, d: pickle.dumps(Bomb()) if "sample_inputs" in n else d,
        model__data__constants__custom_obj_0=pickle.dumps(Bomb()),
    )
    prepared(tmp_path)
    assert not (tmp_path / TRAP).exists()


def test_compiled_programs_in_an_archive(tmp_path: Path) -> None:
    bundle(tmp_path)
    rewritten(tmp_path / "model.pt2", lambda n, d: d, model__data__aotinductor__model__xDOTso=b"\x7fELF")
    assert "holds the program" in refusal(tmp_path)


def test_strings_that_torch_would_evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle(tmp_path)
    evil = f"__import__('os').system('touch {TRAP}')"

    def edit(document: Any) -> None:
        document["guards_code"] = [evil]
        document["range_constraints"] = {evil: {"min_val": 0, "max_val": 9}}
        for meta in document["graph_module"]["graph"]["tensor_values"].values():
            meta["sizes"] = [{"as_expr": {"expr_str": evil, "hint": None}} for _ in meta["sizes"]]

    changed_json(tmp_path / "model.pt2", "models/model.json", edit)
    prepared(tmp_path)  # sizes that are not numbers count as free, the rest is not read
    assert not (tmp_path / TRAP).exists()


def test_free_sizes_of_weights(tmp_path: Path) -> None:
    bundle(tmp_path)

    def edit(document: Any) -> None:
        document["config"]["scale"]["tensor_meta"]["sizes"] = [{"as_expr": {"expr_str": "s0", "hint": None}}]

    changed_json(tmp_path / "model.pt2", "weights_config.json", edit)
    assert "has free sizes; export it without dynamic_shapes" in refusal(tmp_path)


def test_weights_that_are_cut_off_or_elsewhere(tmp_path: Path) -> None:
    bundle(tmp_path)
    original = (tmp_path / "model.pt2").read_bytes()
    rewritten(tmp_path / "model.pt2", lambda n, d: d[:-4] if "data/weights/weight_" in n else d)
    assert "does not fit" in refusal(tmp_path)
    (tmp_path / "model.pt2").write_bytes(original)

    def edit(document: Any) -> None:
        document["config"]["scale"]["path_name"] = "../../../../etc/hostname"

    changed_json(tmp_path / "model.pt2", "weights_config.json", edit)
    assert "keeps its values in" in refusal(tmp_path)


def test_weights_that_grow_by_repeating_themselves(tmp_path: Path) -> None:
    bundle(tmp_path)

    def edit(document: Any) -> None:
        meta = document["config"]["scale"]["tensor_meta"]
        meta["sizes"], meta["strides"] = [{"as_int": 1 << 40}], [{"as_int": 0}]

    changed_json(tmp_path / "model.pt2", "weights_config.json", edit)
    assert "'scale' of shape [1099511627776] is too large" in refusal(tmp_path)


def test_another_format(tmp_path: Path) -> None:
    bundle(tmp_path)

    def edit(document: Any) -> None:
        document["schema_version"]["major"] = 99

    changed_json(tmp_path / "model.pt2", "models/model.json", edit)
    assert "has format 99" in refusal(tmp_path)
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as z:
        z.writestr("serialized_exported_program.json", b"{}")
    assert "was written by a torch before 2.9" in refusal(tmp_path)
    save(Net(), tmp_path / "other.pt", torch.zeros(1, 240), torch.zeros(1, 16))
    (tmp_path / "other.pt").replace(tmp_path / "model.pt2")
    assert "is TorchScript; name it .pt" in refusal(tmp_path)


def test_a_checkpoint_is_no_model(tmp_path: Path) -> None:
    bundle(tmp_path, "model.pt")
    torch.save(Net().state_dict(), tmp_path / "model.pt")
    assert "is a checkpoint, and its pickle is never read" in refusal(tmp_path)


def test_torch_is_an_extra(tmp_path: Path) -> None:
    bundle(tmp_path)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from realtime.hosting.bundle import load_bundle\n"
        "from realtime.hosting.plugin import Context\n"
        f"load_bundle(Path({str(tmp_path)!r}))().prepare(Context())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "needs torch: pip install 'sidechain[torch]'" in ended.stderr
