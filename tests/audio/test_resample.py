"""The resampler: exact length, constant delay, clean bands, and the same bits however the sound is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.resample import StreamResampler

RATIOS = [
    (44_100, 48_000),
    (22_050, 48_000),
    (96_000, 48_000),
    (16_000, 48_000),
    (8_000, 48_000),
    (192_000, 48_000),
    (48_000, 24_000),
    (48_000, 16_000),
    (48_000, 22_050),
    (48_000, 44_100),
    (44_099, 48_000),
    (47_999, 48_001),
]


def decibels(x: float) -> float:
    return 20 * math.log10(max(x, 1e-12))


@pytest.mark.parametrize(("source", "target"), RATIOS)
def test_a_tone_comes_out_after_the_declared_delay(source: int, target: int) -> None:
    resampler = StreamResampler(source, target)
    for frequency in (100.0, 997.0, 0.35 * min(source, target)):
        resampler.reset()
        y = resampler.process(np.sin(2 * np.pi * frequency * np.arange(source // 2) / source).astype(np.float32))
        time = np.arange(len(y)) / target - resampler.delay
        settled = len(y) // 2
        error = (y - np.sin(2 * np.pi * frequency * time))[settled:]
        assert decibels(float(np.abs(error).max())) < -70


@pytest.mark.parametrize(("source", "target"), [r for r in RATIOS if r[0] > r[1] and r[0] - r[1] > 100])
def test_nothing_folds_over(source: int, target: int) -> None:
    resampler = StreamResampler(source, target)
    for frequency in np.linspace(target / 2, source / 2, 40, endpoint=False):
        resampler.reset()
        tone = np.sin(2 * np.pi * frequency * np.arange(8 * resampler.taps) / source).astype(np.float32)
        y = resampler.process(tone)
        assert decibels(float(np.abs(y[len(y) // 2 :]).max())) < -80


def test_no_images_when_going_up() -> None:
    resampler = StreamResampler(16_000, 48_000)
    y = resampler.process(np.sin(2 * np.pi * 6_000 * np.arange(16_000) / 16_000).astype(np.float32))
    spectrum = np.abs(np.fft.rfft(y[4800:28_800] * np.blackman(24_000)))
    images = spectrum[int(8_800 / 2) :].max()
    assert decibels(float(images / spectrum.max())) < -80


def test_equal_rates_change_nothing() -> None:
    resampler = StreamResampler(48_000, 48_000, 2)
    x = np.ones((7, 2), np.float32)
    assert resampler.process(x) is x
    assert resampler.delay == 0


@settings(max_examples=60, deadline=None)
@given(
    ratio=st.sampled_from(RATIOS),
    channels=st.integers(1, 3),
    cuts=st.lists(st.integers(0, 700), min_size=1, max_size=20),
    seed=st.integers(0, 1000),
)
def test_the_cut_of_the_input_does_not_matter(
    ratio: tuple[int, int], channels: int, cuts: list[int], seed: int
) -> None:
    x = np.random.default_rng(seed).standard_normal((sum(cuts), channels)).astype(np.float32)
    whole = StreamResampler(*ratio, channels).process(x)
    cut = StreamResampler(*ratio, channels)
    parts, at = [], 0
    for n in cuts:
        parts.append(cut.process(x[at : at + n]))
        at += n
    assert np.array_equal(np.concatenate(parts), whole)
    assert len(whole) == -(-len(x) * ratio[1] // ratio[0])
    for channel in range(channels):
        mono = StreamResampler(*ratio).process(x[:, channel])
        assert np.array_equal(mono, whole[:, channel])


@pytest.mark.parametrize("block", [1, 32, 441, 4096])
@pytest.mark.parametrize(("source", "target"), [(44_100, 48_000), (48_000, 16_000), (44_099, 48_000)])
def test_common_blocks_give_the_same_bits(source: int, target: int, block: int) -> None:
    x = np.random.default_rng(1).standard_normal(9000).astype(np.float32)
    whole = StreamResampler(source, target).process(x)
    cut = StreamResampler(source, target)
    parts = [cut.process(x[i : i + block]) for i in range(0, len(x), block)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_reset_equals_a_new_instance() -> None:
    x = np.random.default_rng(2).standard_normal(1234).astype(np.float32)
    resampler = StreamResampler(44_100, 48_000)
    first = resampler.process(x)
    resampler.process(x[:77])
    resampler.reset()
    assert np.array_equal(resampler.process(x), first)


def test_later_input_does_not_change_earlier_output() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(2000).astype(np.float32)
    other = np.concatenate([x[:1000], rng.standard_normal(1000).astype(np.float32)])
    a = StreamResampler(44_100, 48_000).process(x)
    b = StreamResampler(44_100, 48_000).process(other)
    same = -(-1000 * 48_000 // 44_100)
    assert np.array_equal(a[:same], b[:same])


def test_wrong_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 expected"):
        StreamResampler(44_100, 48_000, 2).process(np.zeros((10, 3), np.float32))


@pytest.mark.parametrize("target", [24_000, 16_000, 12_000, 8_000, 4_000])
def test_a_thinner_makes_piece_by_piece_what_the_resampler_makes(target: int) -> None:
    piece = 240
    resampler = StreamResampler(48_000, target)
    thinner = resampler.thinner(piece)
    assert thinner is not None
    x = np.random.default_rng(4).standard_normal(20 * piece).astype(np.float32)
    padded = np.concatenate([np.zeros(thinner.length - piece, np.float32), x])
    made = np.zeros((20, thinner.made), np.float32)
    for k, row in enumerate(made):
        thinner.process(padded[k * piece : k * piece + thinner.length], row)
    np.testing.assert_allclose(made.ravel(), resampler.process(x), atol=2e-6)


def test_only_whole_number_ratios_are_thinned() -> None:
    assert StreamResampler(44_100, 48_000).thinner(240) is None
    assert StreamResampler(48_000, 48_000).thinner(240) is None
    assert StreamResampler(48_000, 24_000).thinner(241) is None
