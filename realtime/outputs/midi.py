"""MIDI out: clock, notes, controllers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from realtime.bus import Value
from realtime.errors import UserError
from realtime.outputs import midi_ports, midi_words
from realtime.outputs.midi_clock import TICK, MidiClock, StartMode
from realtime.outputs.midi_ports import MidiWire
from realtime.outputs.midi_words import MidiAddress
from realtime.outputs.output import GridPoint, Host, Message, OutputPort, OutputSettings

if TYPE_CHECKING:
    from realtime.outputs.midi_jack import JackWire

BEAT = Fraction(1)
TEST_NOTE = MidiAddress("note", 36, 9)


class MidiSettings(OutputSettings):
    """Settings of a MIDI port to send to."""

    kind: Literal["midi"] = "midi"
    port: str = Field("", description="name or a part of it; empty = the first; with virtual: the name to make")
    api: str = Field("", description="alsa, jack, coremidi, winmm; empty = the first that works")
    virtual: bool = Field(False, description="make a port that other programs connect to")
    frames: bool = Field(False, description="JACK only: place messages on the exact sample")
    clock: bool = Field(True, description="send MIDI clock")
    start: StartMode = Field("start", description="start, position (song position and continue) or none")
    beat: str = Field("", description="note on every beat but the downbeat, e.g. note:37@10")
    downbeat: str = Field("", description="note on every downbeat, e.g. note:36@10")
    note_ms: float = Field(100.0, ge=0.0, le=60_000.0, description="length of notes; 0 = until their value is 0")
    cc_rate: float = Field(100.0, gt=0.0, le=1000.0, description="most messages a second for each controller")

    @field_validator("beat", "downbeat")
    @classmethod
    def _is_address(cls, text: str) -> str:
        if text:
            try:
                midi_words.parse(text)
            except UserError as e:
                raise ValueError(str(e)) from e
        return text


class MidiOutput(OutputPort):
    """One MIDI port. Route addresses: see :func:`realtime.outputs.midi_words.parse`."""

    Settings: ClassVar[type[OutputSettings]] = MidiSettings
    values_rate = 200.0

    MOST_ADDRESSES = 2048
    """Different addresses a preset may use on one port; more are dropped and counted."""

    def __init__(self, settings: OutputSettings, host: Host) -> None:
        super().__init__(settings, host)
        assert isinstance(settings, MidiSettings)
        self._settings = settings
        self._clock = MidiClock(settings.start)
        self._beat = midi_words.parse(settings.beat) if settings.beat else None
        self._downbeat = midi_words.parse(settings.downbeat) if settings.downbeat else None
        self._wire: MidiWire | None = None
        self._timed: JackWire | None = None
        self._held: dict[MidiAddress, float] = {}
        self._known: dict[str, MidiAddress] = {}
        self._newest: dict[MidiAddress, float] = {}
        self._sent_bytes: dict[MidiAddress, tuple[int, ...]] = {}
        self._sent_at: dict[MidiAddress, float] = {}
        self.counted = (TICK,)
        self.grids = ((TICK,) if settings.clock else ()) + ((BEAT,) if self._beat or self._downbeat else ())

    def open(self) -> None:
        """Open the port. Raises ``UserError`` if there is no MIDI or no such port."""
        s = self._settings
        if s.frames:
            from realtime.outputs.midi_jack import JackWire

            self._wire = self._timed = JackWire(s.port)
            self.lead = self._timed.lead
        else:
            self._wire = midi_ports.open_output(s.port, s.api, s.virtual)
        self.status.message = self._wire.name

    def on_grid(self, point: GridPoint) -> None:
        """Clock ticks and notes on beats."""
        if self._wire is None:
            return
        when = point.due + self.lead
        self._at(when)
        if point.step == TICK:
            for message in self._clock.point(point):
                self._wire.send(message)
            self.status.sent += 1
            if point.position.denominator == 1:
                self.sent(f"clock {point.tempo:.1f}", 0)
            return
        address = self._downbeat if point.beat_in_bar == 1 else self._beat
        if address is not None:
            self._note(address, 1.0 if point.beat_in_bar == 1 else 0.8, when)

    def on_test(self, point: GridPoint) -> None:
        """One note, that of the downbeat; the receiver's clock is left alone."""
        self._at(point.due)
        self._note(self._downbeat or self._beat or TEST_NOTE, 0.8, point.due)

    def send(self, message: Message) -> None:
        """Send a route's message: the first number, 0–1; controllers that come too fast wait for their turn."""
        address = self._address(message.address)
        value = next((float(v) for v in message.values if not isinstance(v, str)), None)
        if address is None or value is None:
            self.status.dropped += 1
            return
        now = time.monotonic()
        self._at(now)
        if address.kind == "note":
            self._note(address, value, now)
        else:
            self._newest[address] = value
            self._flush(now)

    def on_values(self, values: Mapping[str, Value]) -> None:
        """End notes whose time is up and send controllers that have waited."""
        now = time.monotonic()
        self._at(now)
        for address in [a for a, end in self._held.items() if end <= now]:
            self._note(address, 0.0, now)
        self._flush(now)

    def on_stop(self) -> None:
        """Stop the clock, let go of all held notes."""
        if self._wire is None:
            return
        if self._timed is not None:
            self._timed.clear()
        self._at(time.monotonic())
        for message in self._clock.stop():
            self._wire.send(message)
        for address in list(self._held):
            self._note(address, 0.0, 0.0)
        self._newest.clear()

    def close(self) -> None:
        """Release the port."""
        wire, self._wire = self._wire, None
        if wire is not None:
            with contextlib.suppress(Exception):
                wire.close()

    def _at(self, when: float) -> None:
        """Tell a wire that places messages in time when the next ones are meant."""
        if self._timed is not None:
            self._timed.when = when

    def _note(self, address: MidiAddress, value: float, now: float) -> None:
        if self._wire is None:
            return
        if self._held.pop(address, None) is not None:
            self._wire.send(midi_words.encode(address, 0.0))
        if value > 0.0:
            self._wire.send(midi_words.encode(address, value))
            length = self._settings.note_ms / 1000.0
            self._held[address] = now + length if length > 0.0 else float("inf")
            self.sent(str(address))

    def _flush(self, now: float) -> None:
        """Send each controller's newest value if it differs and its rate allows."""
        if self._wire is None:
            return
        pause = 1.0 / self._settings.cc_rate
        for address in [a for a in self._newest if now - self._sent_at.get(a, 0.0) >= pause]:
            message = midi_words.encode(address, self._newest.pop(address))
            if self._sent_bytes.get(address) != message:
                self._sent_bytes[address] = message
                self._sent_at[address] = now
                self._wire.send(message)
                self.sent(str(address))

    def _address(self, text: str) -> MidiAddress | None:
        known = self._known.get(text)
        if known is None and len(self._known) < self.MOST_ADDRESSES:
            try:
                known = self._known[text] = midi_words.parse(text)
            except UserError as e:
                self.status.message = str(e)
        return known
