"""Stems by a tiny random Demucs, saved as published ones are; what is refused, saved and stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from models.demucs.plugin import RATE, Demucs
from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Context
from tests.fixtures.jobs import Desk
from tests.fixtures.programs import need_module

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.timeout(300),  # on a busy machine the import of torch alone takes a minute
]
STEMS = ["drums", "bass", "other", "vocals"]
SIZE = {
    "channels": 8,
    "depth": 2,
    "nfft": 512,
    "t_layers": 1,
    "t_heads": 2,
    "bottom_channels": 8,
    "dconv_depth": 1,
}


def save(network: Any, path: Path, **more: str) -> None:
    """As the published files are: class and arguments in the metadata."""
    from safetensors.torch import save_file

    arguments, options = network._init_args_kwargs
    said = {"klass": f"{type(network).__module__}.{type(network).__name__}", "args": json.dumps(list(arguments))}
    said["kwargs"] = json.dumps(options | {"segment": {"_type": "fraction", "numerator": 1, "denominator": 2}})
    save_file({k: v.half().contiguous() for k, v in network.state_dict().items()}, path, metadata=said | more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny random networks and the page that binds them."""
    torch = need_module("torch", "torch")
    made = need_module("demucs.htdemucs", "demucs").HTDemucs
    place = tmp_path_factory.mktemp("tiny")
    for seed, name in enumerate(("aaaa1111", "bbbb2222")):
        torch.manual_seed(seed)
        save(made(sources=STEMS, **SIZE), place / f"{name}.safetensors")
    (place / "tiny.yaml").write_text("models: ['aaaa1111', 'bbbb2222']\nweights: [[1,1,1,0],[1,1,0,1]]\n")
    return place


def prepared(model: str | Path, folder: str | Path = "", **parameters: float) -> Demucs:
    plugin = Demucs()
    values = {p.identifier: p.default for p in Demucs.descriptor.parameters} | parameters
    plugin.prepare(Context(values, texts={"model": str(model), "stem": "vocals", "folder": str(folder)}))
    return plugin


def sound(seconds: float = 3.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(1).standard_normal((2, int(seconds * RATE))).astype(np.float32) + 0.01


def test_stems_are_those_of_the_package(folder: Path) -> None:
    import torch
    from demucs.apply import BagOfModels, apply_model
    from demucs.hf import load_safetensors_model

    x = torch.from_numpy(sound(1.4))
    bag = BagOfModels(
        [load_safetensors_model(folder / f"{n}.safetensors") for n in ("aaaa1111", "bbbb2222")],
        [[1, 1, 1, 0], [1, 1, 0, 1]],
    )
    ref = x.mean(0)
    with torch.no_grad():
        expected = apply_model(bag, ((x - ref.mean()) / (ref.std() + 1e-8))[None], shifts=0)[0]
    expected = expected * (ref.std() + 1e-8) + ref.mean()
    desk = Desk()
    found = prepared(folder).separate(x.numpy(), desk)
    assert np.stack(found) == pytest.approx(expected.numpy(), abs=1e-5)
    assert expected.std() > 1e-3  # there is something to compare
    shares = [share for share, _ in desk.said]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(set(shares)) == 9  # none, and four pieces of each of the two networks


def test_a_stem_is_played_and_all_are_saved(folder: Path, tmp_path: Path) -> None:
    plugin = prepared(folder, tmp_path)
    found = plugin.run({"text": "Bass", "seconds": 1, "save": 1}, sound(), 7.0, Desk())
    assert found is not None
    by = {f.output: f for f in found}
    stem = np.asarray(by["stem"].value)
    assert stem.shape == (2, RATE)
    assert by["stems"].value == 1.0
    assert [part.split()[0] for part in str(by["stems"].label).split(", ")] == STEMS
    place = Path(str(by["saved"].label))
    assert place.parent == tmp_path
    assert sorted(p.stem for p in place.iterdir()) == sorted(STEMS)
    y, rate = soundfile.read(place / "bass.flac", dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(y.T, np.clip(stem, -1, 1), atol=1e-6)


def test_only_what_was_asked_for(folder: Path, tmp_path: Path) -> None:
    plugin = prepared(folder, tmp_path / "no", seconds=1.0)
    assert [f.output for f in plugin.run({}, sound(), 7.0, Desk()) or ()] == ["stems", "stem"]
    assert [f.output for f in plugin.run({"stem": "none"}, sound(), 7.0, Desk()) or ()] == ["stems"]
    assert not (tmp_path / "no").exists()
    plugin.text("stem", "")
    assert [f.output for f in plugin.run({}, sound(), 7.0, Desk()) or ()] == ["stems"]


@pytest.mark.parametrize("words", [1, 3])
def test_it_stops_when_nobody_wants_it(folder: Path, words: int) -> None:
    desk = Desk(words=words)
    assert prepared(folder).run({}, sound(), 7.0, desk) is None
    assert len(desk.said) == words


@pytest.mark.parametrize(
    ("request_", "x", "said"),
    [
        ({"text": "kazoo"}, sound(), "no stem 'kazoo'; there are drums"),
        ({"seconds": 99}, sound(), "'seconds' must be between 1 and 30"),
        ({"seconds": "x"}, sound(), "'seconds' must be between"),
        ({}, np.zeros((2, RATE), np.float32), "silent"),
    ],
)
def test_wrong_requests(folder: Path, request_: dict[str, Any], x: np.ndarray, said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepared(folder).run(request_, x, 1.0, Desk())


def test_a_folder_that_cannot_be_written_is_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        prepared(folder, tmp_path / "file").run({"save": 1, "seconds": 1}, sound(), 1.0, Desk())


@pytest.mark.parametrize(
    ("klass", "more", "said"),
    [
        ("subprocess.Popen", {}, "of class 'subprocess.Popen'"),
        ("demucs.htdemucs.HTDemucs", {"kwargs": '{"sources": ["a"], "depth": 3}'}, "does not fit the package"),
        ("demucs.htdemucs.HTDemucs", {"structure": "{}"}, "quantised"),
    ],
)
def test_hostile_files_are_refused(
    folder: Path, tmp_path: Path, klass: str, more: dict[str, str], said: str
) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "aaaa1111.safetensors")
    written = tmp_path / "came-true"
    metadata = {"klass": klass, "args": json.dumps([["touch", str(written)]]), "kwargs": "{}"} | more
    save_file(state, tmp_path / "x.safetensors", metadata=metadata)
    with pytest.raises(UserError, match=said) as raised:
        prepared(tmp_path)
    assert "\n" not in str(raised.value)
    assert not written.exists()


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("models: ['../../etc/passwd']", "names networks"),
        ("models: ['cccc3333']", "lacks cccc3333.safetensors"),
        ("models: [", "is no list of networks"),
        ("models: ['aaaa1111', 'bbbb2222']\nweights: [[1]]", "do not go together"),
        ("models: ['aaaa1111']\nsegment: 1.0e+9", "names networks or lengths"),
    ],
)
def test_a_wrong_page_is_one_line(folder: Path, tmp_path: Path, page: str, said: str) -> None:
    for file in folder.glob("*.safetensors"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "tiny.yaml").write_text(page)
    with pytest.raises(UserError, match=said):
        prepared(tmp_path)


def test_pickles_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "955717e8.th").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match=r"pickled weights \(.th\) are not read"):
        prepared(tmp_path)


def test_what_is_not_here_says_how_to_get_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(tmp_path))
    with pytest.raises(NotFetched, match="sidechain models get htdemucs"):
        prepared("htdemucs")
    with pytest.raises(UserError, match="no entry of 'sidechain models'"):
        prepared("nothing-like-this")
    monkeypatch.setitem(sys.modules, "demucs.apply", None)
    with pytest.raises(NotFetched, match=r"sidechain\[demucs\]"):
        prepared(folder)


def test_listing_it_loads_no_torch() -> None:
    code = "import sys, models.demucs.plugin; assert not {'torch', 'demucs'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
