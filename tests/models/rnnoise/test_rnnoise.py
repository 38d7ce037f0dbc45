"""RNNoise: with its real library where it can be had, and what is said where it cannot."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.rnnoise.library import DELAY, FRAME, RATE, Denoiser
from models.rnnoise.plugin import MODEL, RNNoise
from realtime.audio.demo import FOLDER
from realtime.errors import UserError
from realtime.hosting.plugin import Context
from realtime.store.store import Store

DEMO = FOLDER / "demo.ogg"
LINUX = pytest.mark.skipif(
    f"{platform.system()}-{platform.machine()}" != "Linux-x86_64", reason="the library is for Linux on x86-64"
)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the real library; left out, also in the gate, where no package index can be reached."""
    folder = tmp_path_factory.mktemp("models")
    try:
        Store(folder).get(MODEL)
    except UserError as e:
        pytest.skip(f"needs the package index: {e}")
    return folder


@pytest.fixture
def plugin(real: Path, monkeypatch: pytest.MonkeyPatch) -> RNNoise:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(real))
    made = RNNoise()
    made.prepare(Context({"amount": 1.0}))
    return made


def through(plugin: RNNoise, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    frames = x.astype(np.float32).reshape(-1, FRAME)
    found = [plugin.render(frame, (k + 1) * FRAME / RATE) for k, frame in enumerate(frames)]
    return np.concatenate([sound for sound, _ in found]), np.array([f[0].value for _, f in found])


def buzz(seconds: float) -> np.ndarray:
    """A crude voice: a buzz of 120 Hz through moving formants, in syllables."""
    t = np.arange(int(seconds * RATE)) / RATE
    formant = 600 + 300 * np.sin(2 * np.pi * 2 * t)
    tone = sum(np.exp(-(((h * 120 - formant) / 350) ** 2)) * np.sin(2 * np.pi * h * 120 * t) for h in range(1, 30))
    return 0.1 * tone * np.sin(2 * np.pi * 2.5 * t).clip(0)


def decibels(x: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(x)) + 1e-12))


@LINUX
def test_noise_goes_by_ten_decibels(plugin: RNNoise) -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(4 * RATE)
    clean, voice = through(plugin, noise)
    assert decibels(clean[2 * RATE :]) < decibels(noise) - 10
    assert ((voice >= 0) & (voice <= 1)).all()


@LINUX
def test_the_sound_is_as_late_as_declared(plugin: RNNoise) -> None:
    x, rate = soundfile.read(DEMO, stop=4 * RATE, dtype="float32", always_2d=True)
    assert rate == RATE
    x = x.mean(axis=1)
    clean, _ = through(plugin, x)
    n = 2 * len(x)
    match = np.fft.irfft(np.fft.rfft(clean, n) * np.conj(np.fft.rfft(x, n)), n)
    assert abs(int(np.argmax(match[:4800])) - DELAY) <= 24
    assert RNNoise.descriptor.latency == DELAY / RATE


@LINUX
def test_with_no_amount_the_sound_comes_back_as_it_was(plugin: RNNoise) -> None:
    plugin.parameter("amount", 0.0)
    x = buzz(1.0).astype(np.float32)
    clean, _ = through(plugin, x)
    assert np.array_equal(clean[DELAY:], x[:-DELAY])
    assert not clean[:DELAY].any()


@LINUX
def test_reset_forgets_all_and_hostile_sound_passes(plugin: RNNoise) -> None:
    first = through(plugin, buzz(1.0))
    through(plugin, 1e6 * np.sign(np.random.default_rng(1).standard_normal(RATE)))
    through(plugin, np.full(RATE, 1e-40))
    plugin.reset()
    again = through(plugin, buzz(1.0))
    assert np.array_equal(first[0], again[0])
    assert np.isfinite(first[0]).all()
    plugin.close()
    plugin.close()


def test_without_the_library_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(tmp_path))
    with pytest.raises(UserError, match=r"sidechain models get rnnoise|Linux on x86-64 only"):
        RNNoise().prepare(Context({"amount": 1.0}))


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(b"not a library")
    with pytest.raises(UserError, match="no RNNoise library"):
        Denoiser(tmp_path / "x.so")
