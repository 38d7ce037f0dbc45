"""The bench compares fairly; its figures are another matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from gui.bench import compared, main, repeated, with_scope
from realtime import preset as presets
from realtime.audio.file import FileSource
from realtime.errors import UserError


def test_a_difference_within_the_noise_is_none_and_a_real_one_is_said() -> None:
    noisy = compared("late", [100.0, 140.0, 90.0, 120.0], [110.0, 125.0, 99.0, 121.0])
    assert noisy["verdict"] == "no difference"
    assert noisy["difference"] == pytest.approx(1.25)
    real = compared("late", [100.0, 140.0, 90.0, 120.0], [130.0, 172.0, 118.0, 151.0])
    assert real["verdict"] == "more with the window"
    assert compared("lost", [0.0, 0.0], [0.0, 0.0])["verdict"] == "no difference"
    assert compared("late", [100.0, 140.0], [50.0, 80.0])["verdict"] == "no difference"


def test_the_scope_runs_in_both_cases_and_the_sound_lasts(tmp_path: Path) -> None:
    path = with_scope("dj", str(tmp_path))
    assert {"scope", *presets.load("dj").plugins} == set(presets.load(path).plugins)
    sound = FileSource(repeated(str(tmp_path), 100.0))
    sound.open()
    assert sound.duration >= 100.0
    sound.close()


def test_wrong_use() -> None:
    with pytest.raises(UserError, match="turns"):
        main(["--turns", "1"])
