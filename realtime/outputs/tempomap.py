"""A MIDI file whose beats are where the music's are.

Each beat is a quarter note; a tempo event at each beat makes the next one fall on its time. Rounding to whole
microseconds is carried over, so the map does not drift.

Reference: Standard MIDI Files 1.0 (MMA, 1996).
"""

from __future__ import annotations

import bisect
import io
from collections.abc import Sequence

import mido

from realtime.errors import UserError
from realtime.outputs.eventfile import Entry

PPQ = 960
LONGEST = 16_000_000
"""Microseconds of the slowest tempo used; a tempo has 24 bits (16.7 s)."""
DRUMS = {"kick": 36, "snare": 38, "hihat": 42, "tom": 45, "cymbal": 49}
"""General MIDI percussion keys."""
_SHORT = PPQ // 8


def to_midi(entries: Sequence[Entry], clock: str) -> bytes:
    """Tempo map and metre from `clock`'s beats; drum hits, onsets and notes as notes; labels as markers.

    Raises
    ------
    UserError
        Fewer than two beats.
    """
    beats = sorted(((e.time, e.value) for e in entries if e.name == f"{clock}.beat" and e.time >= 0.0), key=_first)
    beats = [b for k, b in enumerate(beats) if k == 0 or b[0] - beats[k - 1][0] >= 0.02]
    if len(beats) < 2:
        raise UserError("export to MIDI: there are no beats to make a tempo map from (is the plugin 'beat' on?)")
    times = [t for t, _ in beats]
    grid, tempos = _grid(times)
    file = mido.MidiFile(type=1, ticks_per_beat=PPQ, charset="utf-8")
    file.tracks.append(
        _track([(t, mido.MetaMessage("set_tempo", tempo=v)) for t, v in tempos] + _metre(grid, beats))
    )
    file.tracks.append(_track(_markers(grid, entries), "markers"))
    file.tracks.append(_track(_hits(grid, entries), "hits"))
    file.tracks.append(_track(_notes(grid, entries), "notes"))
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


class _Grid:
    """Ticks of the moments that the tempo map fixes."""

    def __init__(self, seconds: list[float], ticks: list[int], first: int) -> None:
        self.seconds, self.ticks, self.first = seconds, ticks, first

    def tick(self, time: float) -> int:
        """Tick nearest to a time; beyond the last beat at its tempo."""
        k = min(max(bisect.bisect_right(self.seconds, time) - 1, 0), len(self.seconds) - 2)
        span = self.seconds[k + 1] - self.seconds[k]
        share = (time - self.seconds[k]) / span
        return max(0, self.ticks[k] + round(share * (self.ticks[k + 1] - self.ticks[k])))


def _grid(times: list[float]) -> tuple[_Grid, list[tuple[int, int]]]:
    """Fixed moments and (tick, microseconds a quarter): a lead-in to the first beat, then one a beat."""
    marks: list[float] = [0.0]
    lead = max(1, -(-int(times[0] * 1e6) // LONGEST)) if times[0] > 0.0 else 0
    marks += [times[0] * (k + 1) / lead for k in range(lead)]
    first = len(marks) - 1
    for time in times[1:]:
        parts = max(1, -(-int((time - marks[-1]) * 1e6) // LONGEST))  # a long gap is several quarters
        start = marks[-1]
        marks += [start + (time - start) * (k + 1) / parts for k in range(parts)]
    tempos: list[tuple[int, int]] = []
    reached = 0
    for k in range(len(marks) - 1):
        tempo = min(max(1, round(marks[k + 1] * 1e6) - reached), 0xFFFFFF)
        reached += tempo
        tempos.append((k * PPQ, tempo))
    return _Grid(marks, [k * PPQ for k in range(len(marks))], first), tempos


def _metre(
    grid: _Grid, beats: Sequence[tuple[float, float | tuple[float, ...] | None]]
) -> list[tuple[int, mido.MetaMessage]]:
    """Time signatures: from each downbeat to the next, where the number of beats changes."""
    ones = [grid.tick(t) // PPQ for t, v in beats if v == 1.0]
    found: list[tuple[int, mido.MetaMessage]] = []
    if ones and ones[0] > 0:
        found.append((0, mido.MetaMessage("time_signature", numerator=min(ones[0], 255), denominator=4)))
    last = 0
    for k, one in enumerate(ones):
        count = ones[k + 1] - one if k + 1 < len(ones) else last or 4
        if count != last and 1 <= count <= 255:
            found.append((one * PPQ, mido.MetaMessage("time_signature", numerator=count, denominator=4)))
            last = count
    return found


def _markers(grid: _Grid, entries: Sequence[Entry]) -> list[tuple[int, mido.MetaMessage]]:
    return [
        (grid.tick(e.time), mido.MetaMessage("marker", text=e.label[:100]))
        for e in entries
        if e.label and e.time >= 0.0 and e.name != "drums.hit" and e.plugin != "host"
    ]


def _hits(grid: _Grid, entries: Sequence[Entry]) -> list[tuple[int, mido.Message]]:
    found: list[tuple[int, mido.Message]] = []
    for e in entries:
        key = DRUMS.get(e.label or "") if e.name == "drums.hit" else 37 if e.name == "onset.onset" else None
        if key is not None and e.time >= 0.0:
            strength = e.value if isinstance(e.value, float) else 1.0
            velocity = min(127, max(1, round(127 * min(1.0, max(0.0, strength)))))
            tick = grid.tick(e.time)
            found.append((tick, mido.Message("note_on", channel=9, note=key, velocity=velocity)))
            found.append((tick + _SHORT, mido.Message("note_off", channel=9, note=key)))
    return found


def _notes(grid: _Grid, entries: Sequence[Entry]) -> list[tuple[int, mido.Message]]:
    """``pitch.note`` events: each note lasts until the next; 0 ends one."""
    found: list[tuple[int, mido.Message]] = []
    held: int | None = None
    heard = sorted((e for e in entries if e.name == "pitch.note" and e.time >= 0.0), key=lambda e: e.time)
    for e in heard:
        tick = grid.tick(e.time)
        if held is not None:
            found.append((tick, mido.Message("note_off", note=held)))
            held = None
        number = round(e.value) if isinstance(e.value, float) else 0
        if 1 <= number <= 127:
            found.append((tick, mido.Message("note_on", note=number, velocity=90)))
            held = number
    if held is not None:
        found.append((grid.tick(heard[-1].time) + PPQ, mido.Message("note_off", note=held)))
    return found


def _track(timed: Sequence[tuple[int, mido.Message | mido.MetaMessage]], name: str = "") -> mido.MidiTrack:
    track = mido.MidiTrack()
    if name:
        track.append(mido.MetaMessage("track_name", name=name))
    now = 0
    for tick, message in sorted(timed, key=lambda item: (item[0], item[1].type != "note_off")):
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def _first(beat: tuple[float, object]) -> float:
    return beat[0]
