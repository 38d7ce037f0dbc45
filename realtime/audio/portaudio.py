"""PortAudio, brought in late, started afresh for each use, and let go of after it.

Started afresh, because its list of devices is frozen from its start; let go of, because it ends the whole
process when a JACK server that it has found ends before it does. PortAudio is one per process, and so is the
count of its open streams here.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

from realtime.errors import UserError

_REMEDY = "Debian/Ubuntu: sudo apt-get install libportaudio2; files, 'demo' and '-' work without it"


class _Streams:
    """Streams open in this process: while there are any, PortAudio must not be started afresh."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.open = 0
        self.abandoned = False


_streams = _Streams()


def portaudio() -> ModuleType:
    """The ``sounddevice`` module, not started. Raises ``UserError`` where PortAudio is missing."""
    loaded = sys.modules.get("sounddevice")
    if loaded is not None:
        return loaded
    # A JACK server is used where one runs, never started by looking for one.
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    try:
        with muted():
            import sounddevice

            sounddevice._terminate()  # its import has started it
    except (ImportError, OSError) as e:
        reason = str(e).splitlines()[0] if str(e) else e.__class__.__name__
        raise UserError(f"no sound devices: PortAudio cannot be loaded ({reason}). {_REMEDY}") from e
    return sounddevice


@contextlib.contextmanager
def started() -> Iterator[ModuleType]:
    """PortAudio, started afresh unless one of its streams is open; stays so as long as one is.

    Yields the ``sounddevice`` module; holds off all other users of this function.
    """
    with _streams.lock:
        sounddevice = portaudio()
        if _streams.abandoned:
            raise UserError("PortAudio hangs since a JACK server ended; start the program again")
        if _streams.open == 0:
            with muted():
                sounddevice._initialize()
        try:
            yield sounddevice
        finally:
            if _streams.open == 0:
                _stop(sounddevice)


def stream_opened() -> None:
    """Count a stream that is open now."""
    with _streams.lock:
        _streams.open += 1


def stream_closed() -> None:
    """Count a stream that has been closed; the last one ends PortAudio."""
    with _streams.lock:
        _streams.open -= 1
        if _streams.open == 0 and not _streams.abandoned:
            _stop(portaudio())


def _stop(sounddevice: ModuleType) -> None:
    with muted():
        sounddevice._terminate()


def abandon() -> None:
    """Give PortAudio up for this process: a stream of it cannot be closed.

    PortAudio waits up to ten minutes for a JACK server that has gone, in closing a stream and at exit.
    """
    sounddevice = portaudio()
    with _streams.lock:
        _streams.abandoned = True
        vars(sounddevice)["_initialized"] = 0  # its handler at exit would wait as well


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """What ALSA and JACK write on stderr by themselves while they are probed goes nowhere."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):
        yield  # no stderr, nothing to mute
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
