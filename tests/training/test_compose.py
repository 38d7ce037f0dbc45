"""Every style composes a sound piece: labels in order, notes in range, tempo in the convention of the style."""

from __future__ import annotations

import numpy as np
import pytest

from models.training.compose.composer import STYLES, compose
from models.training.compose.structure import ACTIVITY, PLANS
from models.training.compose.style import Style
from models.training.rng import is_val, stream
from models.training.score import DRUM_CLASS, Piece, tempo_map


@pytest.mark.parametrize("style", STYLES.values(), ids=lambda s: s.name)
def test_style_composes(style: Style) -> None:
    piece = compose(stream(11, style.name), style, 40)
    assert piece.duration >= 30
    assert np.all(np.diff(piece.beat_times) > 0.15)
    bpm = 60 / np.median(np.diff(piece.beat_times))
    assert style.tempo[0] * 0.7 < bpm < style.tempo[1] * 1.4
    at = 0
    for start, length in piece.bars:
        assert start == at
        at += length
    assert at == piece.beats
    assert piece.hits or piece.tracks
    assert all(hit.voice in DRUM_CLASS and 0 < hit.velocity <= 1 for hit in piece.hits)
    assert all(20 < note.pitch < 115 and note.length > 0 for track in piece.tracks for note in track.notes)
    assert all(a < z for a, z, _ in piece.chords)
    assert all(a[1] == b[0] for a, b in zip(piece.chords, piece.chords[1:], strict=False))


def test_patterns_fill_their_bars() -> None:
    for style in STYLES.values():
        steps = style.metre * (3 if style.compound else 4)
        for drums in style.drums:
            for voice, text in drums.items():
                assert voice in DRUM_CLASS
                for part in filter(None, text.split("|")):
                    assert len(part) % steps == 0 or steps % len(part) == 0, (style.name, voice)
        assert style.plan == "layers" or style.plan in PLANS
    assert all(kind in ACTIVITY for plans in PLANS.values() for form in plans for kind in form)


def test_same_seed_same_piece() -> None:
    one, two = (compose(stream(5, "x"), STYLES["dnb"], 30) for _ in range(2))
    assert np.array_equal(one.beat_times, two.beat_times)
    assert one.hits == two.hits
    assert [t.notes for t in one.tracks] == [t.notes for t in two.tracks]


def test_form_is_kept_and_breakdown_has_no_drums() -> None:
    form = (("drop", 4), ("breakdown", 8), ("drop", 4))
    piece = compose(stream(3, "f"), STYLES["house"], 0, 120, steady=True, form=form)
    assert len(piece.bars) == 16
    assert np.allclose(np.diff(piece.beat_times), 0.5)
    inside = [h for h in piece.hits if 16 < h.beat < 46]
    assert not [h for h in inside if h.voice in ("kick", "snare", "clap", "hat", "open_hat")]
    assert [h for h in piece.hits if h.beat < 14]


def test_speed_is_made_up_for() -> None:
    style = STYLES["techno"]
    slow, fast = (compose(stream(8, "s"), style, 30, speed=s) for s in (1.0, 1.25))
    ratio = np.median(np.diff(fast.beat_times)) / np.median(np.diff(slow.beat_times))
    assert ratio == pytest.approx(1.25, abs=0.01)


def test_time_and_beat_are_inverse() -> None:
    piece = Piece("x", "composer", tempo_map(np.linspace(90, 180, 20), 1.5), [(0, 4)])
    beats = np.linspace(-3, 25, 101)
    assert np.allclose(piece.beat(piece.time(beats)), beats)
    assert piece.numbering()[0] == (1.5, 1, 4)
    assert piece.numbering()[5][1:] == (0, 0)


def test_validation_rule() -> None:
    assert is_val(7)
    assert is_val(2_000_057)
    assert not is_val(8)
