"""docs/bundles.md: each recipe as it stands on the page, beside a small network of the same names and sizes, over
sound through the whole host."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
from onnx import TensorProto, checker, helper, save

from realtime.audio.demo import FOLDER
from realtime.cli.main import main
from realtime.hosting.bundle import load_bundle, read_manifest
from realtime.hosting.bundles.intake import Intake
from realtime.hosting.plugin import AudioInput, Context

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "bundles.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^```toml\n# (\S+)/plugin\.toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


class Shape(NamedTuple):
    """Of the published network: what it takes, what it gives, how many labels are in a file beside it."""

    input: tuple[str, list[object]]
    outputs: dict[str, tuple[int, ...]]
    labels: int = 0


PUBLISHED = {
    "yamnet": Shape(("waveform", ["n"]), {"output_0": (1, 521), "output_1": (1, 1024), "output_2": (96, 64)}, 521),
    "openl3": Shape(("audio", [1, 1, 48_000]), {"embedding": (1, 512)}),
    "beats": Shape(("fbank", [1, 998, 128]), {"patches": (1, 496, 768)}),
    "effnet": Shape(
        ("melspectrogram", ["batch", 128, 96]), {"activations": (1, 400), "embeddings": (1, 1280)}, 400
    ),
    "emotion2vec": Shape(("input", [1, 48_000]), {"logits": (1, 9), "output": (1, 149, 768)}),
    "gtzan": Shape(("sound", [1, 661_500]), {"logits": (1, 10)}),
    "beast": Shape(("sound", [1, 352_800]), {"activations": (1, 345, 2)}),
}


def stand_in(path: Path, shape: Shape) -> None:
    """Each output is sigmoid(random × mean |input|): it says something, and it depends on the sound."""
    f, rng = TensorProto.FLOAT, np.random.default_rng(0)
    name, dims = shape.input
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Abs", [name], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["m"], keepdims=0),
    ]
    constants = []
    for output, sizes in shape.outputs.items():
        values = rng.normal(0.0, 3.0, sizes).astype(np.float32)
        constants.append(helper.make_tensor(f"w_{output}", f, sizes, values.tobytes(), raw=True))
        nodes.append(helper.make_node("Mul", ["m", f"w_{output}"], [f"z_{output}"]))
        nodes.append(helper.make_node("Sigmoid", [f"z_{output}"], [output]))
    graph = helper.make_graph(
        nodes, "stand-in", [info(name, f, dims)], [info(o, f, s) for o, s in shape.outputs.items()], constants
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    save(model, str(path))


def bundle(folder: Path, recipe: str) -> Path:
    """The recipe's folder, as the page says."""
    made = folder / recipe
    made.mkdir()
    (made / "plugin.toml").write_text(RECIPES[recipe], encoding="utf-8")
    shape = PUBLISHED[recipe]
    if shape.labels:
        (made / "labels.txt").write_text("\n".join(f"label {i}" for i in range(shape.labels)), encoding="utf-8")
    stand_in(made / "model.onnx", shape)
    return made


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("song") / "song.flac"
    samples, rate = soundfile.read(FOLDER / "demo.ogg", dtype="float32", stop=12 * 48_000)
    soundfile.write(path, samples, rate)
    return path


def test_there_is_a_recipe_for_each_and_no_other() -> None:
    assert RECIPES.keys() == PUBLISHED.keys()


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_the_recipe_runs_over_sound(recipe: str, song: Path, tmp_path: Path) -> None:
    folder, out = bundle(tmp_path, recipe), tmp_path / "out.jsonl"
    assert main(["analyze", str(song), "--only", str(folder), "--values", "-o", str(out), "--quiet"]) == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row.get("plugin") == recipe]
    manifest, descriptor = read_manifest(folder), load_bundle(folder).descriptor
    assert descriptor.kind == "window"
    assert isinstance(descriptor.input, AudioInput)
    hops = int(12.0 * descriptor.input.sample_rate / descriptor.input.hop)
    for output in manifest.outputs:
        said = [row for row in rows if row["output"] == output.identifier]
        assert abs(len(said) - hops) <= 1, output.identifier
        if output.kind == "vector":
            assert {len(row["value"]) for row in said} == {output.size}
            assert np.ptp([row["value"] for row in said], axis=0).max() > 0
        else:
            assert all(row["label"] is not None for row in said)
        late = [row["emitted"] - row["time"] for row in said]
        assert max(late) == pytest.approx(descriptor.latency, abs=0.05)


def test_effnets_front_end_is_log10_of_one_and_ten_thousand_times_mel(tmp_path: Path) -> None:
    folder = bundle(tmp_path, "effnet")
    section = read_manifest(folder).input
    plain = section.model_copy(update={"log": "none", "gain": 1.0, "scale": 1.0})
    sound = np.random.default_rng(1).normal(0, 0.1, section.block).astype(np.float32)
    mel = Intake(plain, made=False).take(sound, 1.0)
    assert mel.shape == (128, 96)
    expected = np.log10(1.0 + 10_000.0 * mel.astype(np.float64))
    assert np.allclose(Intake(section, made=False).take(sound, 1.0), expected, atol=2e-4)


def test_a_file_with_other_names_is_told_which(tmp_path: Path) -> None:
    folder = bundle(tmp_path, "openl3")
    stand_in(folder / "model.onnx", Shape(("input_1", [1, 1, 48_000]), {"embedding": (1, 512)}))
    with pytest.raises(Exception, match=r"no input 'audio'.*input_1"):
        load_bundle(folder)().prepare(Context())
