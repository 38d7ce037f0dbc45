"""MIDI out through JACK with every message on its exact sample. Needs ``JACK-Client``.

RtMidi hands messages to JACK at the beginning of the next block. Here they are handed over ahead of time, to
:mod:`realtime.outputs.jack_process`, which writes each at its own frame: the jitter of Python and of the block
vanishes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from realtime.errors import UserError
from realtime.outputs.jack_process import RECORD
from realtime.outputs.midi_ports import CLIENT

_STARTS_WITHIN = 10.0


class JackWire:
    """An output port of a JACK client of its own.

    Parameters
    ----------
    port : str
        Where to connect: name or a part of it; empty = connect nothing, the user does.

    Attributes
    ----------
    when : float
        ``time.monotonic()`` seconds at which the messages sent next are meant.
    lead : float
        Seconds ahead of that at which they must be handed over.
    lost : int
        Messages for which there was no room, because the JACK process hangs.

    Raises
    ------
    UserError
        No JACK server, no JACK-Client, or no such port.
    """

    def __init__(self, port: str) -> None:
        if importlib.util.find_spec("jack") is None:
            raise UserError("'frames' needs JACK and its Python module: pip install JACK-Client")
        self.when = 0.0
        self.lost = 0
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "realtime.outputs.jack_process", CLIENT, port],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _STARTS_WITHIN)
        word, _, rest = self._process.stdout.readline().decode().strip().partition(" ") if ready else ("", "", "")
        if word != "ready":
            self.close()
            raise UserError(f"'frames' needs a running JACK server and the port: {rest or 'JACK does not answer'}")
        lead, _, self.name = rest.partition(" ")
        self.lead = float(lead)
        self._pipe = self._process.stdin.fileno()
        os.set_blocking(self._pipe, False)

    def send(self, message: Sequence[int]) -> None:
        """Hand over one message, meant at `when`."""
        self._write(RECORD.pack(self.when, len(message)) + bytes(message))

    def clear(self) -> None:
        """Take back what has not gone out yet."""
        self._write(RECORD.pack(0.0, 0))

    def close(self) -> None:
        """Let what was handed over go out, then end the process."""
        process = self._process
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _write(self, record: bytes) -> None:
        # a record is far shorter than PIPE_BUF, so it is written whole or not at all
        try:
            os.write(self._pipe, record)
        except BlockingIOError:
            self.lost += 1
