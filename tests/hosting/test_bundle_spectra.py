"""Front ends of bundles give what the libraries give whose conventions they name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from realtime.hosting.bundles.intake import Intake
from realtime.hosting.bundles.manifest import InputSection
from realtime.hosting.bundles.spectra import FrameMaker
from realtime.hosting.plugin import AudioInput
from realtime.hosting.spectral import LogMelSpec, StftSpec, frames

REFERENCES = Path(__file__).with_name("spectra_references.npz")
RATE, HOP, WINDOW, BANDS, FRAMES = 16_000, 160, 400, 40, 20
COMMON = {"kind": "log-mel", "sample_rate": RATE, "hop": HOP, "window": WINDOW, "bands": BANDS, "frames": FRAMES}


def sound(samples: int) -> np.ndarray:
    """As scripts/spectra_references.py makes it."""
    t = np.arange(samples) / RATE
    glide = 0.3 * np.sin(2 * np.pi * (300 * t + 2000 * t**2)) + 0.1 * np.sin(2 * np.pi * 3100 * t)
    return (glide + 0.01 * np.random.default_rng(5).standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "keys", "within"),
    [
        ("librosa", {"convention": "librosa"}, 1e-2),
        ("torchaudio", {"convention": "torchaudio"}, 1e-2),
        ("whisper", {"convention": "whisper", "samples": FRAMES * HOP, "mean": -4.0, "scale": 4.0}, 1e-3),
        ("kaldi", {"convention": "kaldi", "fmin": 20.0}, 1e-2),
        ("magnitude", {"convention": "librosa", "kind": "mel", "power": 1, "fmin": 50.0, "fmax": 7000.0}, 1e-4),
    ],
)
def test_spectra_are_those_of_the_library(name: str, keys: dict[str, object], within: float) -> None:
    section = InputSection.model_validate(COMMON | keys)
    found = Intake(section, made=False).take(sound(section.block), 1.0)
    with np.load(REFERENCES) as stored:
        assert found.shape == stored[name].shape
        np.testing.assert_allclose(found, stored[name], atol=within)


@pytest.mark.parametrize("kind", ["stft", "log-mel"])
def test_the_hosts_own_convention_is_its_shared_feature(kind: str) -> None:
    one = InputSection.model_validate(
        {"kind": kind, "sample_rate": 24_000, "hop": 240, "window": 1024, "bands": 64}
    )
    spec = one.spec("fast")
    assert isinstance(spec, StftSpec | LogMelSpec)
    x = sound(240 * 100)
    several = one.model_copy(update={"frames": 12})
    assert several.spec("fast") == AudioInput(24_000, 1, 240, 11 * 240 + 1024)
    made = FrameMaker(several).frames(x[-several.block :])
    np.testing.assert_allclose(made, frames(x, spec)[-12:], atol=1e-6)


@pytest.mark.parametrize("convention", ["sidechain", "kaldi"])
def test_frames_that_were_made_serve_again(convention: str) -> None:
    section = InputSection.model_validate(COMMON | {"convention": convention, "frames": 8, "every": 2})
    x = sound(RATE)
    step, reused, alone = section.every * HOP, Intake(section, made=False), Intake(section, made=False)
    for end in range(section.block, len(x), step):
        block = x[end - section.block : end]
        alone.reset()
        np.testing.assert_allclose(reused.take(block, end / RATE), alone.take(block, 0.0), atol=1e-4)


def test_a_window_that_was_left_out_is_noticed() -> None:
    section = InputSection.model_validate(COMMON | {"frames": 8})
    x = sound(RATE)
    late, fresh = Intake(section, made=False), Intake(section, made=False)
    late.take(x[: section.block], section.block / RATE)
    end = section.block + 5 * HOP
    found = late.take(x[end - section.block : end], end / RATE)
    np.testing.assert_array_equal(found, fresh.take(x[end - section.block : end], end / RATE))


def test_normalisation_and_layout() -> None:
    keys = COMMON | {"layout": "band-time", "normalise": "band", "convention": "kaldi", "fmin": 20.0}
    section = InputSection.model_validate(keys)
    found = Intake(section, made=False).take(sound(section.block), 1.0)
    assert found.shape == (BANDS, FRAMES)
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=1), 1, atol=1e-3)
    raw = InputSection.model_validate({"kind": "audio", "hop": 240, "window": 2400, "normalise": "window"})
    wave = Intake(raw, made=False).take(5 + 3 * sound(2400), 1.0)
    assert abs(float(wave.mean())) < 1e-4
    assert abs(float(wave.std()) - 1) < 1e-3
    peak = raw.model_copy(update={"normalise": "peak"})
    assert float(np.abs(Intake(peak, made=False).take(7 * sound(2400), 1.0)).max()) == pytest.approx(1)
    assert np.isfinite(Intake(peak, made=False).take(np.zeros(2400, np.float32), 1.0)).all()


def test_a_centred_frame_is_late_by_half_a_window() -> None:
    keys = COMMON | {"convention": "torchaudio", "frames": 1}
    assert InputSection.model_validate(keys).delay == WINDOW / 2 / RATE
    assert InputSection.model_validate(COMMON | {"convention": "torchaudio"}).delay == 0


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"mel": "slaney"}, "'mel' belongs to another convention"),
        ({"kind": "audio", "frames": 3, "bands": 80}, "frames and every count spectra"),
        ({"fmin": 5000.0, "fmax": 100.0}, "must lie in order"),
        ({"fmax": 9000.0}, "below 8000 Hz"),
        ({"mean": [0.0] * 39}, "mean has 39 numbers for 40 bands"),
        ({"scale": 0.0}, "scale must not be 0"),
        ({"channels": 2}, "made of one channel"),
        ({"convention": "kaldi", "fft": 256}, "fft 256 is shorter"),
        ({"convention": "whisper", "samples": 800}, "too short for 20 frames"),
        ({"frames": 20_000}, "at most 120 s"),
        ({"hop": 100}, "whole number of 5 ms ticks"),
        ({"frames": 1, "normalise": "band"}, "needs several frames"),
    ],
)
def test_what_cannot_be_is_refused(keys: dict[str, object], wanted: str) -> None:
    with pytest.raises(ValidationError, match=wanted):
        InputSection.model_validate(COMMON | keys)
