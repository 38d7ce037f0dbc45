"""MIDI in: keys and knobs act on the host; what does what is bound in the preset or learned by touching it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from realtime.errors import UserError
from realtime.outputs import midi_ports, midi_words
from realtime.outputs.binding import Binding
from realtime.outputs.midi_words import MidiAddress
from realtime.outputs.output import Host, OutputPort, OutputSettings

WAITING = 128
"""Actions that may wait to be carried out; more are dropped and counted, so that a flood cannot pile up."""


class MidiInSettings(OutputSettings):
    """Settings of a MIDI port to listen to."""

    kind: Literal["midi-in"] = "midi-in"
    port: str = Field("", description="name or a part of it; empty = the first; with virtual: the name to make")
    api: str = Field("", description="alsa, jack, coremidi, winmm; empty = the first that works")
    virtual: bool = Field(False, description="make a port that other programs connect to")
    bind: dict[str, str] = Field(default_factory=dict, description='"note:60@1" = "transport.tap"')

    @field_validator("bind")
    @classmethod
    def _readable(cls, bind: dict[str, str]) -> dict[str, str]:
        for address, action in bind.items():
            try:
                midi_words.parse(address)
                Binding.parse(action)
            except UserError as e:
                raise ValueError(str(e)) from e
        return bind


class MidiInput(OutputPort):
    """Listens on one MIDI port; sends nothing. What no binding takes becomes an event, ``input.note-60-1``.

    RtMidi's thread only files what arrives; a thread of its own carries it out, so that neither the port nor the
    outputs ever wait for the host.
    """

    Settings: ClassVar[type[OutputSettings]] = MidiInSettings

    def __init__(self, settings: OutputSettings, host: Host) -> None:
        super().__init__(settings, host)
        assert isinstance(settings, MidiInSettings)
        self._settings = settings
        self._bindings = {midi_words.parse(a): Binding.parse(text) for a, text in settings.bind.items()}
        self._pressed: set[MidiAddress] = set()
        self._learning = ""
        self._waiting: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue(WAITING)
        self._wire: midi_ports.RtmidiWire | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Open the port. Raises ``UserError`` if there is no MIDI or no such port."""
        s = self._settings
        self._wire = midi_ports.open_input(s.port, s.api, s.virtual, self.received)
        self.status.message = self._wire.name
        self._thread = threading.Thread(target=self._work, name="midi-in")
        self._thread.start()

    def learn(self, action: str) -> None:
        """Bind `action` to the next key or knob that is touched; an empty one gives up waiting. Any thread."""
        if action.split():
            Binding.parse(action)
        self._learning = action.strip()

    def received(self, message: Sequence[int]) -> None:
        """Take a message as it comes from the port; what is malformed is counted. RtMidi's thread."""
        found = midi_words.decode(list(message))
        if found is None:
            self.status.dropped += 1
            return
        address, value = found
        if self._learning and value > 0.0:
            self._bind(address, self._learning)
            self._learning = ""
            return
        binding = self._bindings.get(address)
        if binding is not None and not binding.takes and not self._press(address, value):
            return
        try:
            self._waiting.put_nowait(binding.call(value) if binding is not None else _event(address, value))
        except queue.Full:
            self.status.dropped += 1

    def close(self) -> None:
        """Release the port and end the thread."""
        wire, self._wire = self._wire, None
        if wire is not None:
            with contextlib.suppress(Exception):
                wire.close()
        thread, self._thread = self._thread, None
        if thread is not None:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._waiting.get_nowait()
            self._waiting.put(None)
            if thread is not threading.current_thread():
                thread.join(3.0)

    def _press(self, address: MidiAddress, value: float) -> bool:
        """Whether this is the moment at which a key or button goes down."""
        down, was = value >= (0.5 if address.kind == "cc" else 1e-6), address in self._pressed
        (self._pressed.add if down else self._pressed.discard)(address)
        return down and (not was or address.kind == "note")

    def _bind(self, address: MidiAddress, action: str) -> None:
        self._bindings[address] = Binding.parse(action)
        bind = {**self._settings.bind, str(address): action}
        self._settings = self._settings.model_copy(update={"bind": bind})
        self.settings = self.settings.model_copy(update={"bind": bind})
        self.status.message = f"{address} = {action}"

    def _work(self) -> None:
        while (order := self._waiting.get()) is not None:
            method, params = order
            try:
                self.host.call(method, params)
                self.sent(_shown(method, params))
            except UserError as e:
                self.status.errors += 1
                self.status.message = str(e)
            except Exception as e:  # a command that fails must not end the listening
                self.status.errors += 1
                self.status.message = f"{e.__class__.__name__}: {e}"


def _event(address: MidiAddress, value: float) -> tuple[str, dict[str, Any]]:
    """What is bound to nothing becomes an event for routes, e.g. ``input.note-60-1``."""
    number = f"-{address.number}" if address.kind in ("note", "cc") else ""
    return "input.event", {"name": f"{address.kind}{number}-{address.channel + 1}", "value": value}


def _shown(method: str, params: Mapping[str, Any]) -> str:
    return " ".join([method, *(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in params.items())])
