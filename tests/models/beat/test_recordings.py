from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.beat import bench
from models.beat.features import SAMPLE_RATE
from models.beat.recordings import Cropped, Following, Recordings
from tests.models.beat.test_silence import drums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "truth").mkdir()
    (tmp_path / "audio").mkdir()
    for name, bpm in (("slow", 100.0), ("fast", 140.0)):
        soundfile.write(tmp_path / f"audio/{name}.wav", drums(60.0, bpm, 0.0), SAMPLE_RATE)
        beats = np.arange(0, 60, 60 / bpm)
        rows = [f"{t:.4f}\t{k % 4 + 1}\n" for k, t in enumerate(beats)]
        (tmp_path / f"truth/{name}.beats").write_text("".join(rows))
    return tmp_path


def test_each_recording_follows_another_and_its_silence(folder: Path):
    recordings = Following(folder, 3.0)
    heard, silence = np.split(recordings.before("slow"), [30 * SAMPLE_RATE])
    assert heard == pytest.approx(Recordings(folder).sound("fast")[20 * SAMPLE_RATE : 50 * SAMPLE_RATE])
    assert len(silence) == 3 * SAMPLE_RATE
    assert not silence.any()
    assert recordings.beats("slow")[0, 0] == 0.0


def test_a_cropped_recording_keeps_sound_and_truth_together(folder: Path):
    recordings = Cropped(folder, 1)
    start = recordings.start("slow")
    assert 0.0 < start < 30.0
    assert len(recordings.sound("slow")) == pytest.approx((60.0 - start) * SAMPLE_RATE, rel=1e-3)
    on = (recordings.beats("slow")[:, 0] + start) / 0.6
    assert on == pytest.approx(np.round(on), abs=1e-3)


@pytest.mark.parametrize("options", [[], ["--crop", "1"], ["--after-silence", "4"]])
def test_a_plain_beat_is_found_in_every_way(folder: Path, options: list[str], capsys: pytest.CaptureFixture[str]):
    assert bench.main([str(folder), *options]) == 0
    row = next(
        line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("ALL (2) sidechain")
    )
    assert float(row[4]) > 0.95  # F70e
