"""Finding and opening MIDI ports, on whatever MIDI system this computer has.

python-rtmidi is built for one or two systems (ALSA sequencer, JACK, CoreMIDI, WinMM); whether one of them works is
only known by trying. A system that is missing is left out; it never ends the program.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from realtime.errors import UserError

Direction = Literal["in", "out"]

CLIENT = "Sidechain"
DRAIN = 0.05
"""Seconds that a port is left open after its last message."""
API_NAMES = {1: "coremidi", 2: "alsa", 3: "jack", 4: "winmm"}
"""RtMidi's numbers of MIDI systems, and what they are called in presets."""


class PortName(NamedTuple):
    """A port that can be opened: the system it belongs to and its name there."""

    api: str
    name: str


class MidiWire(Protocol):
    """An open way out: bytes of one message at a time."""

    name: str

    def send(self, message: Sequence[int]) -> None: ...

    def close(self) -> None: ...


class RtmidiWire:
    """An open output port of RtMidi."""

    def __init__(self, device: Any, name: str) -> None:
        self._device = device
        self.name = name

    def send(self, message: Sequence[int]) -> None:
        """Send one message now."""
        self._device.send_message(message)

    def close(self) -> None:
        """Release the port, once the system has taken what was sent last (JACK does so block by block)."""
        time.sleep(DRAIN)
        self._device.close_port()
        self._device.delete()


def systems() -> list[str]:
    """MIDI systems that work on this computer right now, e.g. ``["jack"]``."""
    found = []
    for number, name in _compiled().items():
        device = _try_device("out", number)
        if device is not None:
            found.append(name)
            device.delete()
    return found


def ports(direction: Direction, api: str = "") -> list[PortName]:
    """All ports one could connect to, of one system or of all that work."""
    found = []
    for number, name in _compiled().items():
        if api and name != api:
            continue
        device = _try_device(direction, number)
        if device is not None:
            found += [PortName(name, port) for port in device.get_ports()]
            device.delete()
    return found


def open_output(port: str, api: str = "", virtual: bool = False) -> RtmidiWire:
    """Open a port to send to.

    Parameters
    ----------
    port : str
        Name or a part of it (client numbers may be left out); empty = the first there is. With `virtual` the
        name of the port to make, which other programs then connect to.
    api : str
        ``alsa``, ``jack``, ``coremidi``, ``winmm``; empty = the first that has the port.

    Raises
    ------
    UserError
        No MIDI system, no such port (the names there are), or several fit.
    """
    device, name = _open("out", port, api, virtual)
    return RtmidiWire(device, name)


def open_input(port: str, api: str, virtual: bool, callback: Callable[[Sequence[int]], None]) -> RtmidiWire:
    """Open a port to listen to; as :func:`open_output`. `callback` is called on RtMidi's thread."""
    device, name = _open("in", port, api, virtual)
    device.ignore_types(sysex=True, timing=True, active_sense=True)
    device.set_callback(lambda message, _: callback(message[0]))
    return RtmidiWire(device, name)


def match(wanted: str, names: Sequence[PortName]) -> PortName:
    """The port meant by `wanted`: the same name, then the same but for client numbers, then a part of it."""
    if not wanted:
        return names[0]
    for same in (
        [p for p in names if p.name == wanted],
        [p for p in names if _plain(p.name) == _plain(wanted)],
        [p for p in names if wanted.lower() in p.name.lower()],
    ):
        if len({p.name for p in same}) == 1:
            return same[0]
        if same:
            several = ", ".join(p.name for p in same)
            raise UserError(f"MIDI port '{wanted}' fits several: {several}; say more of it")
    raise UserError(f"there is no MIDI port '{wanted}'; there are: {', '.join(p.name for p in names) or 'none'}")


def _open(direction: Direction, port: str, api: str, virtual: bool) -> tuple[Any, str]:
    if api and api not in API_NAMES.values():
        raise UserError(f"unknown MIDI system '{api}'; there are {', '.join(API_NAMES.values())}")
    working = [name for name in systems() if not api or name == api]
    if not working:
        raise UserError(_why_none(api))
    try:
        if virtual:
            chosen = PortName(working[0], port or CLIENT)
            device = _device(direction, _number(chosen.api))
            device.open_virtual_port(chosen.name)
            return device, chosen.name
        there = [p for name in working for p in ports(direction, name)]
        if not there:
            way = "receives" if direction == "out" else "sends"
            raise UserError(
                f"no MIDI port {way} on this computer ({', '.join(working)}); connect one, or set virtual = true"
            )
        chosen = match(port, there)
        device = _device(direction, _number(chosen.api))
        device.open_port([p.name for p in there if p.api == chosen.api].index(chosen.name), CLIENT)
        return device, chosen.name
    except UserError:
        raise
    except Exception as e:  # RtMidi has its own families of errors
        raise UserError(f"MIDI port '{port}' cannot be opened: {e}") from e


def _why_none(api: str) -> str:
    which = f"MIDI system '{api}'" if api else "MIDI"
    hint = (
        "load snd-seq ('modprobe snd-seq') or start a JACK server" if sys.platform == "linux" else "check drivers"
    )
    return f"{which} is not available on this computer; {hint}"


def _compiled() -> dict[int, str]:
    try:
        import rtmidi
    except ImportError:
        return {}
    return {int(n): API_NAMES[int(n)] for n in rtmidi.get_compiled_api() if int(n) in API_NAMES}


def _number(api: str) -> int:
    return next(n for n, name in API_NAMES.items() if name == api)


def _device(direction: Direction, number: int) -> Any:
    import rtmidi

    kind = rtmidi.MidiOut if direction == "out" else rtmidi.MidiIn
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    return kind(number, name=CLIENT)


def _try_device(direction: Direction, number: int) -> Any:
    """A device object of a MIDI system, or None if that system does not work here."""
    with quiet():
        try:
            return _device(direction, number)
        except Exception:  # its absence is the answer
            return None


def _plain(name: str) -> str:
    return re.sub(r"\s*\d+:\d+$", "", name).strip().lower()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """ALSA and JACK write to the error stream of the process when they are absent; nobody needs to see that."""
    try:
        saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:
        yield
        return
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
