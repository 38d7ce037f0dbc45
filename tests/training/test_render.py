"""The data set on disk: format, determinism, resuming; symbolic readers on small files written here."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from models.training import render, symbolic
from models.training.compose.composer import STYLES, compose
from models.training.dj import crossfade
from models.training.mix import RATE, Stage, mix_drums
from models.training.rng import stream
from models.training.room import Hearing, warp
from models.training.stress import CONDITIONS, seed_of, write
from realtime.errors import UserError


def test_folder_has_the_agreed_format(tmp_path: Path) -> None:
    args = ["--out", str(tmp_path), "--hours", "0.02", "--seed", "41"]
    assert render.main(args) == 0
    names = json.loads((tmp_path / "index.json").read_text())["pieces"]
    assert names == sorted(p.stem for p in tmp_path.glob("*.flac"))
    for name in names:
        labels = json.loads((tmp_path / f"{name}.json").read_text())
        info = soundfile.info(tmp_path / f"{name}.flac")
        assert (info.samplerate, info.channels, info.subtype) == (24000, 1, "PCM_16")
        assert labels["duration"] == pytest.approx(info.duration, abs=1e-4)
        beats = np.array(labels["beats"])
        assert np.all(np.diff(beats[:, 0]) > 0)
        assert np.all(beats[:, 1] <= beats[:, 2])
        assert all(0 <= a < z <= info.duration + 0.01 for a, z in labels["valid"])
        assert {c for _, c, _ in labels["drums"]} <= {"kick", "snare", "hihat", "tom", "cymbal", "perc"}
        assert {
            "seed",
            "style",
            "source",
            "chords",
            "key",
            "sections",
            "vocals",
            "instruments",
            "licences",
        } <= set(labels)
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("*.flac")}
    assert render.main(args) == 0  # nothing left to do but one piece at most
    assert all((tmp_path / name).stat().st_mtime_ns == t for name, t in before.items())


def test_held_out_pieces_alone(tmp_path: Path) -> None:
    assert render.main(["--out", str(tmp_path), "--hours", "0.001", "--seed", "41", "--held-out"]) == 0
    assert [p.name for p in tmp_path.glob("*.flac")] == ["00000057.flac"]


def test_same_seed_same_bytes() -> None:
    stage = Stage(None)
    one, two = (render.render_seed(123, "composer", stage) for _ in range(2))
    assert np.array_equal(one.audio, two.audio)
    assert one.labels == two.labels


def test_a_hit_that_rounds_to_past_the_end_is_no_hit() -> None:
    piece = compose(stream(5, "hits"), STYLES["house"], 10.0, 120.0)
    hits = [(0.5, "kick", 1.0), ((RATE + 0.8) / RATE, "kick", 1.0)]
    drums = mix_drums(stream(5, "drums"), piece, hits, RATE, Stage(None), set())
    assert drums.shape == (RATE,)
    assert np.abs(drums[RATE // 2 :]).max() > 0


def test_crossfade_keeps_one_grid() -> None:
    audio, labels, info = crossfade(stream(9, "dj"), 9, Stage(None), fade_beats=16)
    beats = np.array([row[0] for row in labels["beats"]], dtype=float)
    assert np.ptp(np.diff(beats)) < 0.02 * np.median(np.diff(beats))
    assert beats[-1] < len(audio) / RATE + 0.001
    assert str(info["style"]).startswith("fade:")


def test_warp_moves_instants_with_the_sound() -> None:
    x = np.zeros(4 * RATE, np.float32)
    at = np.array([0.5, 1.7, 3.1])
    x[np.round(at * RATE).astype(int)] = 1
    for factor, wow in ((1.25, 0.0), (0.8, 0.0), (1.0, 0.01), (0.9, 0.008)):
        y, moved = warp(x, at, RATE, factor, wow)
        peaks = [
            np.argmax(np.abs(y[int((t - 0.02) * RATE) : int((t + 0.02) * RATE)])) / RATE - 0.02 for t in moved
        ]
        assert np.max(np.abs(peaks)) < 0.0005


def test_stress_seeds_are_apart_and_held_out() -> None:
    seeds = {seed_of(c, n) for c in range(len(CONDITIONS)) for n in range(50)}
    assert len(seeds) == 50 * len(CONDITIONS)
    assert min(seeds) >= 3_000_000_000
    assert all(s % 50 == 7 for s in seeds)


def write_song(folder: Path, every: int) -> None:
    """A POP909-like song: 40 beats of half a second from 0.25 s, one note a beat."""
    folder.mkdir(parents=True)
    flags = [(int(i % every == 0), int(i % (2 * every) == 0)) for i in range(40)]
    rows = [f"{0.25 + 0.5 * i} {float(a)} {float(b)}" for i, (a, b) in enumerate(flags)]
    (folder / "beat_midi.txt").write_text("\n".join(rows))
    (folder / "chord_midi.txt").write_text("0.25\t4.25\tBb:maj7/5\n4.25\t20.25\tN\n")
    midi, track = mido.MidiFile(), mido.MidiTrack()
    track.name = "MELODY"
    track.append(mido.MetaMessage("set_tempo", tempo=500000, time=0))
    for i in range(40):
        track.append(mido.Message("note_on", note=60 + i % 12, velocity=90, time=240 if i == 0 else 120))
        track.append(mido.Message("note_off", note=60 + i % 12, time=360))
    midi.tracks.append(track)
    midi.save(folder / f"{folder.name}.mid")


@pytest.mark.parametrize(("every", "metre"), [(2, 4), (3, 3)])
def test_pop909_bars(tmp_path: Path, every: int, metre: int) -> None:
    write_song(tmp_path / "001", every)
    piece = symbolic.pop909(tmp_path / "001")
    assert [length for _, length in piece.bars[:-1]] == [metre] * (len(piece.bars) - 1)
    assert [row[1] for row in piece.numbering()[:metre]] == list(range(1, metre + 1))
    assert piece.chords[0][2] == "A#:maj7"
    notes = piece.tracks[0].notes
    assert np.allclose([n.beat for n in notes], np.arange(40), atol=0.01)
    symbolic.transpose(piece, 3)
    assert piece.chords[0][2] == "C#:maj7"
    assert piece.tracks[0].notes[0].pitch == 63


def test_missing_data_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pop909"):
        symbolic.pop909_songs(tmp_path, False)


def test_hearing_never_clips_or_vanishes() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(RATE).astype(np.float32) * 0.01
    from models.training.room import hear

    for kind in ("pink", "hum", "crowd", "esc"):
        y = hear(rng, x, RATE, Hearing(noise_db=0, noise_kind=kind, clip_db=10, level_db=-3), None)
        assert np.all(np.isfinite(y))
        assert 0.01 < np.max(np.abs(y)) <= 1


def test_styles_cover_the_asked_families() -> None:
    assert {"house", "techno", "dnb", "dubstep", "samba", "waltz", "six_eight", "jcore", "ambient"} <= set(STYLES)


def test_groove_beats_follow_the_drummer(tmp_path: Path) -> None:
    midi, track = mido.MidiFile(), mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=500000, time=0))
    early = 19  # ticks of 480: about 20 ms ahead of the metronome
    for i in range(32):
        note = 36 if i % 2 == 0 else 38
        track.append(
            mido.Message("note_on", channel=9, note=note, velocity=100, time=480 - early if i == 0 else 430)
        )
        track.append(mido.Message("note_off", channel=9, note=note, time=50))
    midi.tracks.append(track)
    midi.save(tmp_path / "beat.mid")
    piece = symbolic.groove(symbolic.Performance(tmp_path / "beat.mid", "rock", 120.0, 4, 16.5), 16.5, 1.0)
    times = piece.time(np.array([hit.beat for hit in piece.hits]))
    nearest = np.min(np.abs(times[:, None] - piece.beat_times[None]), axis=1)
    assert np.median(nearest) < 0.002
    assert piece.time(4.0) == pytest.approx(2.0 - 0.0198, abs=0.003)


@pytest.mark.parametrize("condition", ["halftime", "cut", "six"])
def test_stress_pieces_have_their_truth(tmp_path: Path, condition: str) -> None:
    write(tmp_path, f"{condition}__00", CONDITIONS[condition](seed_of(1, 1), 1, Stage(None)))
    rows = np.loadtxt(tmp_path / "truth" / f"{condition}__00.beats")
    info = soundfile.info(tmp_path / "audio" / f"{condition}__00.ogg")
    assert 30 < info.duration < 130
    assert np.all(np.diff(rows[:, 0]) > 0)
    assert rows[-1, 0] < info.duration
    assert (tmp_path / "truth" / f"{condition}__00.cuts").exists() == (condition == "cut")
