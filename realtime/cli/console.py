"""The live console view: tempo, bar lamps, level, voice, pitch, load, drops, outputs, last events.

A client like any other: it polls an :class:`~realtime.client.EngineClient` in the front process and never
touches the engine. On a terminal it redraws 12 times a second; in a pipe it writes a line a second.
"""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from realtime.bus import Event, Value
from realtime.cli.keys import keyboard
from realtime.client import EngineClient
from realtime.errors import UserError

FRAMES_PER_SECOND = 12
EVENTS_SHOWN = 6
MOST_LAMPS = 16
NUDGE_MS = 10.0

KEYS: dict[str, tuple[str, dict[str, Any]]] = {
    " ": ("transport.tap", {}),
    "left": ("transport.nudge", {"ms": -NUDGE_MS}),
    "right": ("transport.nudge", {"ms": NUDGE_MS}),
    "x": ("transport.double", {}),
    "h": ("transport.halve", {}),
    "o": ("transport.one", {}),
}
HINT = "space tap · ←/→ nudge · x double · h half · l lock tempo · o the one is now · q quit"
_LAMP_COLOURS = ("bold bright_white on red", "bold black on green")
_STATE_COLOURS = {"locked": "green", "coasting": "yellow", "held": "cyan"}


@dataclass(slots=True)
class Snapshot:
    """All that one picture shows."""

    values: Mapping[str, Value] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    seconds: float = 0.0
    notice: str = ""

    def number(self, name: str, default: float = math.nan) -> float:
        """The newest value of ``plugin.output`` as a finite number, or `default`."""
        value = self.values.get(name)
        number = value.value if value is not None else None
        return float(number) if isinstance(number, (int, float)) and math.isfinite(number) else default

    def label(self, name: str) -> str:
        """The newest label of ``plugin.output``, or an empty string."""
        value = self.values.get(name)
        return (value.label or "") if value is not None else ""

    @property
    def state(self) -> str:
        """State of the musical clock."""
        return self.label("transport.state") or "no clock"


class ConsoleView:
    """Shows a running host until told to stop.

    Parameters
    ----------
    client : EngineClient
    console : rich.console.Console, optional
        Where to; standard output by default.
    """

    def __init__(self, client: EngineClient, console: Console | None = None) -> None:
        self._client = client
        self._console = console or Console()
        self._events: deque[Event] = deque(maxlen=EVENTS_SHOWN)
        self._subscription = client.subscribe()
        self._tempo_locked = False
        self._notice = ""
        self._started = time.monotonic()

    def run(self, running: Callable[[], bool]) -> None:
        """Show until `running` says no or the user presses ``q``. Called on the main thread."""
        if self._console.is_terminal:
            self._run_screen(running)
        else:
            self._run_lines(running)

    def _run_screen(self, running: Callable[[], bool]) -> None:
        with keyboard() as keys, Live(console=self._console, auto_refresh=False, transient=True) as live:
            while running():
                for key in keys.read():
                    if key == "q":
                        return
                    self.press(key)
                live.update(render(self.snapshot()), refresh=True)
                time.sleep(1.0 / FRAMES_PER_SECOND)

    def _run_lines(self, running: Callable[[], bool]) -> None:
        due = time.monotonic() + 1.0
        while running():
            time.sleep(0.05)
            if time.monotonic() >= due:
                due += 1.0
                print(plain_line(self.snapshot()), file=self._console.file, flush=True)

    def press(self, key: str) -> None:
        """Do what a key stands for; a refusal is shown, not raised."""
        if key == "l":
            self._tempo_locked = not self._tempo_locked
            action: tuple[str, dict[str, Any]] | None = ("transport.lock", {"on": self._tempo_locked})
        else:
            action = KEYS.get(key)
        if action is None:
            return
        try:
            self._client.call(*action)
            self._notice = action[0].removeprefix("transport.")
        except UserError as e:
            self._notice = str(e)

    def snapshot(self) -> Snapshot:
        """What is so now."""
        for event in self._subscription.poll():
            if event.output not in ("heartbeat", "beat"):  # the lamps show these
                self._events.append(event)
        seconds = time.monotonic() - self._started
        return Snapshot(self._client.values(), self._client.status(), tuple(self._events), seconds, self._notice)


def render(s: Snapshot) -> RenderableType:
    """One picture."""
    return Group(_clock(s), _sound(s), _outputs(s), _events(s), Text(_foot(s), style="dim"))


def plain_line(s: Snapshot) -> str:
    """One picture as a line of text."""
    parts = [f"{s.seconds:6.1f} s", _tempo(s), s.state, _bar(s), f"level {_decibels(s)}"]
    if "voice.probability" in s.values:
        parts.append(f"voice {s.number('voice.probability'):.2f}")
    if s.number("pitch.hz", 0.0) > 0:
        parts.append(f"pitch {s.number('pitch.hz'):.1f} Hz")
    parts.append(f"load {s.number('host.load', 0.0) * 100:.1f} %")
    parts.append(f"lost {s.number('host.lost', 0.0):.0f}")
    return "  ".join(p for p in parts if p)


def _clock(s: Snapshot) -> RenderableType:
    line = Text(f" {_tempo(s)} ", style="bold")
    beat, beats = s.number("transport.beat_in_bar", 0.0), s.number("transport.beats_per_bar", 0.0)
    fresh = s.number("transport.beat_phase", 1.0) < 0.35
    for number in range(1, min(int(beats), MOST_LAMPS) + 1):
        lit = number == int(beat)
        style = _LAMP_COLOURS[0 if number == 1 else 1] if lit and fresh else ("reverse" if lit else "dim")
        line.append(f" {number} ", style=style)
        line.append(" ")
    line.append(f" {_bar(s)}  ")
    line.append(s.state, style=_STATE_COLOURS.get(s.state, "dim"))
    confidence = s.number("transport.confidence")
    if not math.isnan(confidence):
        line.append(f"  sure {confidence * 100:.0f} %", style="dim")
    return line


def _sound(s: Snapshot) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    row: list[RenderableType] = [Text(f" level {_decibels(s)} {_meter(_level(s))}")]
    row += [
        Text(f"{n} {_meter(s.number(f'bands.{n}', 0.0), 6)}")
        for n in ("low", "mid", "high")
        if f"bands.{n}" in s.values
    ]
    if "voice.probability" in s.values:
        voice = s.number("voice.probability", 0.0)
        row.append(
            Text(f"voice {_meter(voice, 6)}", style="bold" if s.number("voice.active", voice) > 0.5 else "dim")
        )
    if "pitch.hz" in s.values:
        row.append(Text(note_name(s.number("pitch.hz", 0.0))))
    table.add_row(*row)
    return table


def _outputs(s: Snapshot) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for output in s.status.get("outputs", []):
        name = str(output.get("name") or output.get("kind", "?"))
        bad = output.get("errors") or output.get("message")
        table.add_row(
            Text(f" → {name}", style="red" if bad else "green"),
            Text(f"{output.get('sent', 0)} sent"),
            Text(
                str(output.get("message") or output.get("last") or ""),
                style="dim",
                overflow="ellipsis",
                no_wrap=True,
            ),
        )
    return table


def _events(s: Snapshot) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for event in s.events:
        value = f"{event.value:g}" if isinstance(event.value, (int, float)) else ""
        text = " ".join(t for t in (value, event.label or "") if t)
        style = "red" if event.plugin == "host" else "dim"
        table.add_row(
            Text(f" {event.time:9.3f} s", style=style), Text(event.name, style=style), Text(text, style=style)
        )
    return table


def _foot(s: Snapshot) -> str:
    source = s.status.get("input") or {}
    told = source.get("name", "") if isinstance(source, Mapping) else str(source)
    load = f"load {s.number('host.load', 0.0) * 100:.1f} %"
    drops = f"lost {s.number('host.lost', 0.0):.0f} frames, late {s.number('host.late', 0.0):.0f}"
    latency = s.number("host.latency_ms")
    shown = [f" {told}", load, drops, "" if math.isnan(latency) else f"latency {latency:.0f} ms", s.notice]
    return " · ".join(t for t in shown if t.strip()) + f"\n {HINT}"


def _tempo(s: Snapshot) -> str:
    bpm = s.number("transport.bpm", 0.0)
    return f"{bpm:6.1f} BPM" if bpm > 0 else "   --- BPM"


def _bar(s: Snapshot) -> str:
    bar, beat = s.number("transport.bar", 0.0), s.number("transport.beat_in_bar", 0.0)
    return f"bar {bar:.0f} beat {beat:.0f}" if bar > 0 else ""


def _level(s: Snapshot) -> float:
    """Level as 0 to 1 of a meter that begins at -60 dB."""
    rms = s.number("level.rms", -math.inf)
    return min(1.0, max(0.0, (rms + 60.0) / 60.0)) if math.isfinite(rms) else 0.0


def _decibels(s: Snapshot) -> str:
    rms = s.number("level.rms", -math.inf)
    return f"{rms:6.1f} dB" if math.isfinite(rms) else "   --- dB"


def _meter(value: float, width: int = 12) -> str:
    filled = round(min(1.0, max(0.0, value)) * width)
    return "▮" * filled + "▯" * (width - filled)


def note_name(hz: float) -> str:
    """``A4 +3 c 440.8 Hz``, or an empty field for no pitch."""
    if not hz > 0:
        return "–"
    midi = 69.0 + 12.0 * math.log2(hz / 440.0)
    nearest = round(midi)
    name = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")[nearest % 12]
    return f"{name}{nearest // 12 - 1} {(midi - nearest) * 100:+.0f} c {hz:.1f} Hz"


def console_for_stdout() -> Console:
    """The console to show the view on; plain lines where standard output is no terminal."""
    return Console(file=sys.stdout)
