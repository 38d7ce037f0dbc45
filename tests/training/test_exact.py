"""Labels stay on the sound through the whole chain: mixing, room, clipping, resampling, wow."""

from __future__ import annotations

import numpy as np
import pytest

from models.training.labels import labels_of
from models.training.mix import RATE, Stage, mix
from models.training.render import finish
from models.training.rng import stream
from models.training.room import Hearing
from models.training.score import Hit, Piece, tempo_map


def click_piece(bpm: float = 97.3, beats: int = 24) -> Piece:
    """Hi-hats and rim shots on every beat, a slight ramp, machine timing."""
    tempo = np.linspace(bpm, bpm * 1.1, beats)
    piece = Piece(
        "clicks", "composer", tempo_map(tempo, 0.3), [(b, 4) for b in range(0, beats, 4)], electronic=1.0
    )
    piece.hits = [Hit(float(b), voice, 0.9) for b in range(beats) for voice in ("hat", "rim")]
    piece.valid = [(0.0, float(beats))]
    return piece


def attacks(audio: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Seconds of the steepest rise of energy (2 ms frames, 0.25 ms steps) within 25 ms of each instant."""
    step, frame = RATE // 4000, RATE // 500
    energy = np.convolve(np.diff(audio.astype(float)) ** 2, np.ones(frame), "full")[frame - 1 :]
    level = np.log(energy[::step] + 1e-4 * np.max(energy))
    found = []
    for t in expected:
        a = max(0, round((t - 0.025) * RATE / step))
        # `level[i]` covers the 2 ms after step i: the rise ends where the frame begins at the attack.
        window = level[a : a + round(0.05 * RATE / step)]
        rise = window[8:] - window[:-8]
        found.append((a + np.argmax(rise) + 8) * step / RATE)
    return np.array(found)


CONDITIONS = {
    "dry": Hearing(),
    "faster": Hearing(resample=1.21),
    "slower": Hearing(resample=0.83),
    "wow": Hearing(wow=0.01),
    "room": Hearing(room_rt60=0.6, room_direct_db=3.0, speaker="laptop", agc=True),
    "all": Hearing(
        room_rt60=0.4,
        room_direct_db=6.0,
        speaker="small",
        clip_db=6,
        noise_db=30,
        low_pass=6000,
        resample=0.91,
        wow=0.004,
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_attacks_lie_on_labels(name: str, seed: int) -> None:
    piece = click_piece()
    seconds = piece.duration
    start = 0.1
    dry = mix(piece, seed, Stage(None), start, seconds)
    out = finish(stream(seed, "t"), dry.audio, labels_of(piece, dry, start, seconds), {}, CONDITIONS[name], None)
    beats = np.array([row[0] for row in out.labels["beats"]])  # type: ignore[attr-defined]
    inside = beats[(beats > 0.05) & (beats < len(out.audio) / RATE - 0.1)]
    error = attacks(out.audio, inside) - inside
    assert len(inside) > 15
    assert abs(np.median(error)) < 0.002
    assert np.percentile(np.abs(error), 95) < 0.005
