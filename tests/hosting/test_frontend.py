from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.hosting import fourier
from realtime.hosting.frontend import FrontEnd
from realtime.hosting.plugin import ENGINE_RATE, TICK, AudioInput, Beside
from realtime.hosting.ratestream import MOST_AHEAD
from realtime.hosting.spectral import FluxSpec, LogMelSpec, StftSpec, frames, levels_of, logarithm


def ticks(samples: np.ndarray) -> np.ndarray:
    n = len(samples) // TICK * TICK
    return samples[:n].reshape(-1, TICK, samples.shape[1] if samples.ndim == 2 else 1).astype(np.float32)


def noise(seconds: float, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (int(seconds * ENGINE_RATE), channels)).astype(np.float32)


@given(hop=st.integers(1, 8), extra=st.integers(0, 900))
@settings(max_examples=20, deadline=None)
def test_windows_are_right_aligned_and_complete(hop: int, extra: int) -> None:
    sound = noise(0.2)
    front = FrontEnd()
    spec = AudioInput(ENGINE_RATE, 1, hop * TICK, hop * TICK + extra)
    feed = front.feed(spec)
    padded = np.concatenate([np.zeros(spec.length, np.float32), sound[:, 0]])
    count = 0
    for tick in ticks(sound):
        front.push(tick)
        while (due := feed.next()) is not None:
            block, time = due
            count += 1
            end = count * spec.hop
            np.testing.assert_array_equal(block, padded[end : end + spec.length])
            assert time == pytest.approx(end / ENGINE_RATE)
    assert count == len(sound) // spec.hop


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100])
def test_times_account_for_the_resampler(rate: int) -> None:
    """A click comes out at its true stream time, whatever rate the plugin asked for."""
    sound = np.zeros((ENGINE_RATE // 2, 1), np.float32)
    click = 9_600
    sound[click - 20 : click + 21, 0] = np.hanning(41)
    front = FrontEnd()
    hop = rate // 50
    feed = front.feed(AudioInput(rate, 1, hop))
    best = (0.0, 0.0)
    for tick in ticks(sound):
        front.push(tick)
        while (due := feed.next()) is not None:
            block, time = due
            k = int(np.argmax(block))
            best = max(best, (float(block[k]), time - (len(block) - k) / rate))
    assert best[1] == pytest.approx(click / ENGINE_RATE, abs=1.0 / rate)


@given(cuts=st.lists(st.integers(1, MOST_AHEAD), min_size=1, max_size=12), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_ticks_taken_in_together_give_the_bits_of_one_by_one_and_nothing_early(cuts: list[int], seed: int) -> None:
    specs = [
        AudioInput(16_000, 1, 160, 1024),
        AudioInput(22_050, 1, 441),
        AudioInput(24_000, 2, 240),
        AudioInput(48_000, 2, 480, 976),
        StftSpec(24_000, 480, 4096),
        LogMelSpec(24_000, 120, 512, 60),
        FluxSpec(LogMelSpec(24_000, 120, 512, 60)),
    ]
    count = sum(cuts)
    sound = np.random.default_rng(seed).uniform(-1, 1, (count, TICK, 2)).astype(np.float32)
    one, many = FrontEnd(), FrontEnd()
    singly, together = [one.feed(s) for s in specs], [many.feed(s) for s in specs]
    at = 0
    for cut in cuts:
        many.append(sound[at : at + cut].reshape(-1, 2))
        for tick in sound[at : at + cut]:
            one.push(tick)
            many.step()
            for a, b in zip(singly, together, strict=True):
                assert a.due() == b.due()
                while (expected := a.next()) is not None:
                    block, time = b.next()  # type: ignore[misc]
                    np.testing.assert_array_equal(block, expected[0])
                    assert time == expected[1]
                assert b.next() is None
        at += cut


def test_equal_specs_share_one_computation() -> None:
    front = FrontEnd()
    a = front.feed(LogMelSpec())
    b = front.feed(LogMelSpec())
    c = front.feed(LogMelSpec().stft)
    for tick in ticks(noise(0.1)):
        front.push(tick)
        fa, fb, fc = a.next(), b.next(), c.next()
        assert (fa is None) == (fb is None) == (fc is None)
        if fa is not None and fb is not None:
            assert fa[0] is fb[0]
    assert a.node is b.node is c.node


@pytest.mark.parametrize(
    "spec", [StftSpec(), LogMelSpec(), LogMelSpec(16_000, 160, 400, 40, 50.0, 7600.0), FluxSpec()]
)
def test_live_spectra_equal_those_of_training(spec: StftSpec | LogMelSpec | FluxSpec) -> None:
    front = FrontEnd()
    feed, raw = front.feed(spec), front.feed(AudioInput(spec.sample_rate, 1, spec.hop))
    live, samples = [], []
    for tick in ticks(noise(0.4)):
        front.push(tick)
        while (due := feed.next()) is not None:
            live.append(due[0].copy())
        while (due := raw.next()) is not None:
            samples.append(due[0].copy())
    np.testing.assert_array_equal(np.array(live), frames(np.concatenate(samples), spec))


def test_stereo_from_mono_and_mono_from_many() -> None:
    front = FrontEnd()
    stereo, mono = front.feed(AudioInput(channels=2, hop=TICK)), front.feed(AudioInput(hop=TICK))
    one = noise(0.005)
    front.push(one)
    assert stereo.next()[0].shape == (2, TICK)  # type: ignore[index]
    four = noise(0.005, 4)
    front = FrontEnd()
    mono = front.feed(AudioInput(hop=TICK))
    front.push(four)
    np.testing.assert_allclose(mono.next()[0], four.mean(axis=1), rtol=1e-6)  # type: ignore[index]


def test_a_feed_that_starts_late_or_after_a_restart_is_right() -> None:
    front = FrontEnd()
    sound = ticks(noise(0.2))
    for tick in sound[:10]:
        front.push(tick)
    late = front.feed(AudioInput(24_000, 1, 120, 480))
    front.push(sound[10])
    block, time = late.next()  # type: ignore[misc]
    assert time == pytest.approx(11 * 0.005 - late.stream.delay)
    front.restart(5.0)
    late.rewind()
    front.push(sound[11])
    block, time = late.next()  # type: ignore[misc]
    assert time == pytest.approx(5.005 - late.stream.delay)
    assert not block[:360].any()


def test_blocks_are_read_only() -> None:
    front = FrontEnd()
    feed = front.feed(AudioInput(hop=TICK))
    front.push(noise(0.005))
    with pytest.raises(ValueError, match="read-only"):
        feed.next()[0][0] = 1.0  # type: ignore[index]


def test_flux_is_made_once_beside_log_mels_and_begins_anew_after_a_restart() -> None:
    spec = LogMelSpec(24_000, 120, 512, 60)
    front = FrontEnd()
    one, two, mel = front.feed(FluxSpec(spec)), front.feed(FluxSpec(spec)), front.feed(spec)
    sound = ticks(noise(0.3))
    first = []
    for tick in sound:
        front.push(tick)
        a, b, c = one.next(), two.next(), mel.next()
        assert a is not None
        assert b is not None
        assert c is not None
        assert a[0] is b[0]
        first.append(a[0].copy())
    assert max(f.max() for f in first) > 0.5
    front.restart(7.0)
    for feed in (one, two, mel):
        feed.rewind()
    for tick, expected in zip(sound, first, strict=True):
        front.push(tick)
        again, _ = one.next()  # type: ignore[misc]
        np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("inner", [True, False], ids=["past the wrapper", "numpy laid out otherwise"])
@pytest.mark.parametrize("shape", [(512,), (3, 400), (2, 33)])
def test_the_transform_is_numpys(shape: tuple[int, ...], inner: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not inner:
        monkeypatch.setattr(fourier, "rfft_n_even", None)
        monkeypatch.setattr(fourier, "rfft_n_odd", None)
    x = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    expected = np.fft.rfft(x).astype(np.complex64)
    np.testing.assert_allclose(fourier.rfft(x, np.zeros_like(expected)), expected, atol=1e-5)


@pytest.mark.parametrize("pushed", [1, 3, 32])
def test_levels_beside_sound_are_those_of_the_shared_spectrum(pushed: int) -> None:
    """Whoever asks first, however many ticks lie ready, and after a restart."""
    mel = LogMelSpec(24_000, 120, 512, 60)
    front = FrontEnd()
    beside = front.feed(AudioInput(24_000, 1, 480, 1024, Beside(mel, (2, 0))))
    shared = front.feed(mel)
    sound = noise(1.0)
    for _ in range(2):
        told, made = [], []
        for at in range(0, len(sound) // TICK, pushed):
            front.append(sound[at * TICK : (at + pushed) * TICK])
            for _ in range(len(sound[at * TICK : (at + pushed) * TICK]) // TICK):
                front.step()
                if beside.due():
                    beside.take()
                    assert beside.levels is not None
                    told.append(beside.levels(beside.taken).copy())
                if at % 2 and shared.due():  # not in every turn, so that frames of long ago are asked for as well
                    while (due := shared.next()) is not None:
                        made.append(due[0])
        while (due := shared.next()) is not None:
            made.append(due[0])
        wanted = np.array(made)
        for k, levels in enumerate(told):
            np.testing.assert_array_equal(logarithm(levels), wanted[[4 * k + 1, 4 * k + 3]])
        front.restart(0.0)
        beside.go_to(0)
        shared.go_to(0)


def test_a_spectrum_beside_sound_must_go_with_it() -> None:
    mel = LogMelSpec(24_000, 120, 512, 60)
    for wrong in ((48_000, 1, 480), (24_000, 2, 480), (24_000, 1, 900)):
        with pytest.raises(ValueError, match="beside"):
            AudioInput(*wrong, beside=Beside(mel))
    for ago in ((4,), (0, -1)):
        with pytest.raises(ValueError, match="within its hop"):
            AudioInput(24_000, 1, 480, beside=Beside(mel, ago))


def test_levels_come_back_from_their_logarithms():
    levels = np.geomspace(1e-3, 1e4, 50, dtype=np.float32)
    assert levels_of(logarithm(levels)) == pytest.approx(levels, rel=1e-4)
