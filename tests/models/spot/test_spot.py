"""Spotting: own examples are found at their end, others are not; wrong folders are told."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.dsp.offline import drive
from models.spot import bench
from models.spot.examples import examples, trimmed
from models.spot.features import SIZE, SPEC, Shape
from models.spot.plugin import Spot
from models.spot.warping import Warping
from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Context, Feature
from realtime.hosting.spectral import frames

RATE = SPEC.sample_rate


def spoken(vowels: str, seconds: float = 0.6, hertz: float = 120.0, rate: int = RATE) -> np.ndarray:
    """A crude word: a buzz through the formants of one vowel after another."""
    formants = {"a": (750, 1200, 2500), "i": (280, 2250, 2900), "u": (310, 870, 2250), "o": (450, 800, 2600)}
    t = np.arange(int(seconds * rate)) / rate
    grid = np.linspace(0, seconds, len(vowels))
    tracks = [np.interp(t, grid, [formants[v][k] for v in vowels]) for k in range(3)]
    out = np.zeros(len(t))
    for h in range(1, int(5000 / hertz)):
        gain = sum(np.exp(-(((h * hertz - f) / 120) ** 2)) / (k + 1) for k, f in enumerate(tracks))
        out += gain * np.sin(2 * np.pi * h * hertz * t)
    return (0.1 * out * np.hanning(len(t)) ** 0.3).astype(np.float32)


def among(*sounds: np.ndarray, pause: float = 0.6) -> np.ndarray:
    """Sounds with pauses between them, in soft noise."""
    gap = np.zeros(int(pause * RATE), np.float32)
    whole = np.concatenate([gap, *itertools.chain(*((s, gap) for s in sounds))])
    return whole + np.float32(1e-3) * np.random.default_rng(0).standard_normal(len(whole)).astype(np.float32)


def prepared(folder: Path, **parameters: float) -> Spot:
    plugin = Spot()
    values = {p.identifier: p.default for p in Spot.descriptor.parameters}
    plugin.prepare(Context(values | parameters, "", {"folder": str(folder)}))
    return plugin


def spotted(plugin: Spot, sound: np.ndarray) -> list[Feature]:
    return [f for _, f in drive(plugin, sound) if f.output == "spotted"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, word in (("yes-1", "aiu"), ("yes-2", "aiu"), ("stop", "uoa")):
        sound = spoken(word, hertz=120 if name != "yes-2" else 150)
        soundfile.write(tmp_path / f"{name}.wav", np.concatenate([np.zeros(4000, np.float32), sound]), RATE)
    (tmp_path / "notes.txt").write_text("not a recording")
    return tmp_path


def test_words_are_told_by_name_at_their_end(folder: Path) -> None:
    found = spotted(prepared(folder), among(spoken("aiu"), spoken("uoa"), spoken("aiu")))
    assert [f.label for f in found] == ["yes", "stop", "yes"]
    for feature, end in zip(found, (1.2, 2.4, 3.6)):
        assert feature.time == pytest.approx(end, abs=0.15)
        assert feature.value > 0.8


def test_level_voice_and_speed_may_differ(folder: Path) -> None:
    others = (
        0.15 * spoken("aiu"),
        spoken("aiu", seconds=0.8),
        spoken("aiu", seconds=0.45),
        spoken("aiu", hertz=135),
    )
    assert [f.label for f in spotted(prepared(folder), among(*others))] == ["yes"] * 4


def test_other_sounds_are_not_told(folder: Path) -> None:
    rng = np.random.default_rng(1)
    noise = 0.1 * rng.standard_normal(RATE).astype(np.float32)
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    assert spotted(prepared(folder), among(spoken("iai"), noise, tone, spoken("oo"), np.zeros(RATE))) == []


def test_the_least_score_is_live(folder: Path) -> None:
    plugin, sound = prepared(folder, least=1.0), among(spoken("aiu", hertz=140, seconds=0.7))
    assert spotted(plugin, sound) == []
    plugin.reset()
    plugin.parameter("least", 0.7)
    assert [f.label for f in spotted(plugin, sound)] == ["yes"]


def test_two_events_keep_their_distance(folder: Path) -> None:
    sound = among(spoken("aiu"), spoken("aiu"), pause=0.1)
    assert len(spotted(prepared(folder), sound)) == 2
    assert len(spotted(prepared(folder, pause=2000.0), sound)) == 1


def test_scores_are_in_range_the_future_changes_nothing_and_reset_forgets(folder: Path) -> None:
    plugin, sound = prepared(folder), among(spoken("aiu"))
    first = drive(plugin, sound)
    assert all(0 <= f.value <= 1 for _, f in first)
    plugin.reset()
    assert drive(plugin, sound) == first
    half = len(sound) // 2 // SPEC.hop * SPEC.hop
    assert drive(prepared(folder), sound[:half]) == [f for f in first if f[0] <= half / RATE + 1e-9]


def test_hostile_sound(folder: Path) -> None:
    rng = np.random.default_rng(3)
    for x in (np.zeros(RATE), np.full(RATE, 1e-42), 16 * rng.choice([-1.0, 1.0], RATE)):
        assert all(np.isfinite(f.value) for _, f in drive(prepared(folder), x))


def test_another_rate_and_stereo_are_taken(tmp_path: Path) -> None:
    sound = spoken("aiu", rate=44_100)
    soundfile.write(tmp_path / "yes.wav", np.stack([sound, 0.5 * sound], axis=1), 44_100)
    assert [f.label for f in spotted(prepared(tmp_path), among(spoken("aiu")))] == ["yes"]


# -- parts -------------------------------------------------------------------------------------------------------


def test_warping_finds_a_stretched_template_and_keeps_templates_apart() -> None:
    rng = np.random.default_rng(0)

    def unit(n: int) -> np.ndarray:
        x = rng.standard_normal((n, 12)).astype(np.float32)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    one, two, other = unit(10), unit(6), unit(5)
    warping = Warping([one, two])
    stream = [*other, *np.repeat(one, 2, axis=0), *other, *two, *one[::2], one[-1]]
    found = np.array([warping.step(s) for s in stream])
    assert found[24, 0] < 0.1  # half as fast
    assert found[35, 1] < 1e-5
    assert found[-1, 0] < 0.7  # twice as fast costs what was left out
    assert found[:24, 1].min() > 0.3
    warping.reset()
    assert np.array_equal(np.array([warping.step(s) for s in stream]), found)


def test_a_template_of_one_frame_works() -> None:
    vector = np.eye(4, dtype=np.float32)
    warping = Warping([vector[:1], vector[1:3]])
    assert warping.step(vector[0])[0] == pytest.approx(0)
    assert warping.step(vector[1])[0] > 0.5
    assert warping.step(vector[2])[1] == pytest.approx(0)


def test_shapes_do_not_know_level_and_know_quiet() -> None:
    sound = spoken("aiu")
    loud, soft = (np.array([Shape().step(f).copy() for f in frames(g * sound, SPEC)]) for g in (1.0, 0.3))
    assert loud.shape[1] == SIZE
    assert np.mean(np.sum(loud * soft, axis=1)[5:-5]) > 0.9
    quiet = Shape().step(np.zeros(SPEC.bands, np.float32))
    assert quiet[-1] == 1


def test_trimming() -> None:
    sound = np.concatenate([np.zeros(RATE), np.ones(RATE), np.zeros(RATE)]).astype(np.float32)
    assert len(trimmed(sound)) == RATE
    assert len(trimmed(np.zeros(RATE, np.float32))) == 0
    assert len(trimmed(np.zeros(3, np.float32))) == 0


def test_wrong_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match=r"\[plugins.spot\] folder"):
        examples("")
    with pytest.raises(UserError, match="no such folder"):
        examples(str(tmp_path / "none"))
    with pytest.raises(UserError, match="no recordings"):
        examples(str(tmp_path))
    for name, sound, said in (
        ("silent", np.zeros(RATE), "nothing sounds in it"),
        ("long", 0.1 * np.random.default_rng(0).standard_normal(8 * RATE), "0.1 to 5 s"),
        ("short", np.ones(600) * 0.1, "0.1 to 5 s"),
    ):
        soundfile.write(tmp_path / "x.wav", sound, RATE)
        with pytest.raises(UserError, match=said):
            examples(str(tmp_path))
        assert name
    (tmp_path / "x.wav").write_bytes(b"RIFF")
    with pytest.raises(UserError, match=r"x\.wav"):
        examples(str(tmp_path))
    for k in range(65):
        (tmp_path / f"{k}.wav").write_bytes(b"")
    with pytest.raises(UserError, match="at most 64"):
        examples(str(tmp_path))


def test_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for word, vowels in (("yes", "aiu"), ("no", "uo")):
        for k in range(4):
            soundfile.write(tmp_path / f"{word}_me_{k}.wav", spoken(vowels, hertz=115 + 5 * k), RATE)
    assert bench.main([str(tmp_path), "--examples", "2", "--wanted", "1", "--json", "-"]) == 0
    assert '"wanted": 2.0' in capsys.readouterr().out
