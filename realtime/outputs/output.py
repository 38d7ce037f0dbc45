"""The contract of a way out.

All outputs run on ONE thread of the engine process (``realtime.outputs.runner``), which keeps their deadlines.
An output touches one file and one line in :mod:`realtime.outputs.registry`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from realtime.bus import Event, Value


class OutputSettings(BaseModel):
    """Settings every output has; each kind adds its own fields in a subclass.

    ``offset_ms`` is signed: positive leaves later, negative really earlier (by prediction).
    """

    model_config = ConfigDict(extra="forbid")

    kind: str
    name: str = ""
    enabled: bool = True
    offset_ms: float = Field(0.0, ge=-1000.0, le=1000.0)


@dataclass(frozen=True, slots=True)
class Message:
    """A message made by a route or rule, in the terms of the kind of output it goes to.

    For OSC `address` is an OSC address; for MIDI ``note:36@10``, ``cc:21@1`` …; each output documents its own.
    """

    address: str
    values: tuple[float | str, ...]


@dataclass(frozen=True, slots=True)
class GridPoint:
    """A point of the musical grid whose deadline has come.

    Attributes
    ----------
    position : Fraction
        Beat position since the start, in beats (beat number n is at position n).
    step : Fraction
        Spacing of the grid it belongs to, in beats (1 = beats, 1/24 = MIDI clock).
    time : float
        Stream seconds of the point.
    beat_in_bar, beats_per_bar, bar, phrase : int
        Of the beat the point lies in; ``beat_in_bar == 1 and position.denominator == 1`` is a downbeat.
    tempo : float
        BPM.
    locked : bool
        Whether the transport was locked, coasting or held (False: searching).
    due : float
        ``time.monotonic()`` of the deadline, offset included.
    """

    position: Fraction
    step: Fraction
    time: float
    beat_in_bar: int
    beats_per_bar: int
    bar: int
    phrase: int
    tempo: float
    locked: bool
    due: float


class Host(Protocol):
    """What an output may ask of the engine."""

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Run a command (``transport.tap`` …; see docs/websocket.md). Thread-safe; raises UserError."""
        ...

    def value(self, name: str) -> Value | None:
        """Newest value of ``plugin.output`` or ``transport.…``."""
        ...


@dataclass(slots=True)
class OutputStatus:
    """What the user sees of an output."""

    sent: int = 0
    dropped: int = 0
    errors: int = 0
    last: str = ""
    last_time: float = 0.0
    message: str = ""


class OutputPort(ABC):
    """One open way out. All methods but ``__init__`` run on the outputs' thread and must not block.

    Parameters
    ----------
    settings : OutputSettings
        Of the subclass's own type (class attribute ``Settings``).
    host : Host
    """

    Settings: ClassVar[type[OutputSettings]]
    grids: Sequence[Fraction] = ()
    """Musical grids wanted, as spacings in beats; set before or in ``open``."""
    counted: Sequence[Fraction] = ()
    """Those of `grids` whose points the receiver counts, so that none may be lost: after a stall they come one by
    one, at twice the speed, and not the newest alone."""
    values_rate: float = 0.0
    """How often ``on_values`` is wanted, Hz; 0 = never."""
    lead: float = 0.0
    """Seconds by which ``on_grid`` is wanted before the deadline (``point.due`` is then the early instant, too):
    for messages that carry the time at which they are meant, such as OSC bundles."""

    def __init__(self, settings: OutputSettings, host: Host) -> None:
        self.settings = settings
        self.host = host
        self.status = OutputStatus()

    @abstractmethod
    def open(self) -> None:
        """Acquire ports. Raises ``UserError`` (e.g. the port is taken), which the user sees."""

    def on_grid(self, point: GridPoint) -> None:
        """A musical deadline has come. Called once per point, in order."""

    def on_test(self, point: GridPoint) -> None:
        """The user asks for one message now; a beat, unless that would disturb the receiver."""
        self.on_grid(point)

    def on_events(self, events: Sequence[Event]) -> None:
        """New events of the bus, in order. Musical ones (``beat``) come here too, at commit, early."""

    def on_values(self, values: Mapping[str, Value]) -> None:
        """The newest values."""

    def send(self, message: Message) -> None:
        """Send a message made by a route or rule, now."""

    def on_stop(self) -> None:
        """The clock stops or the host ends: let go of held notes, send stop."""

    def close(self) -> None:
        """Release everything; may be called twice."""

    def sent(self, text: str, count: int = 1) -> None:
        """Count a message that has left, for the activity lamps."""
        self.status.sent += count
        self.status.last = text
        self.status.last_time = time.monotonic()


Opener = Callable[[OutputSettings, Host], OutputPort]
