"""The process that holds a JACK MIDI port and writes every message at its own frame.

A process of its own, because JACK's callback in Python needs the interpreter within a block (2.7 ms), which the
host's other threads do not grant. Started by :mod:`realtime.outputs.midi_jack`.

On standard input: records of ``RECORD`` (meant at ``time.monotonic()``, length) and that many bytes; length 0
takes back what has not gone out. On standard output: one line, ``ready NAME LEAD`` or ``error TEXT``; at the end
``late N``. Ends with its input, once all has gone out.
"""

from __future__ import annotations

import struct
import sys
import time
from collections import deque
from typing import Any, BinaryIO

from realtime.outputs.jack_frames import FrameTime, Placement, read_clock
from realtime.outputs.precise import ask_for_priority

RECORD = struct.Struct("<dB")
MARGIN = 0.010
"""Seconds beyond two blocks by which messages are to be handed over ahead of time."""
MOST = 4096
_LAST = 0.05


class Port:
    """A JACK client with one MIDI output."""

    def __init__(self, name: str) -> None:
        import jack

        self._client: Any = jack.Client(name, no_start_server=True)
        self._port = self._client.midi_outports.register("midi")
        rate = float(self._client.samplerate)
        self._clock = FrameTime(rate)
        self._waiting = Placement(rate)
        self._inbox: deque[tuple[float, bytes]] = deque(maxlen=MOST)
        self.lead = 2.0 * self._client.blocksize / rate + MARGIN
        self.name = str(self._port.name)
        self._client.set_process_callback(self._process)
        self._client.set_xrun_callback(lambda _: self._clock.jumped())
        self._client.activate()

    def connect(self, port: str) -> None:
        """Connect to the one port whose name is or contains `port`; raises ``ValueError``."""
        there = [p.name for p in self._client.get_ports(is_midi=True, is_input=True)]
        fits = [n for n in there if n == port] or [n for n in there if port.lower() in n.lower()]
        if len(fits) != 1:
            what = "fits several" if fits else "does not exist"
            raise ValueError(f"JACK MIDI port '{port}' {what}; there are: {', '.join(there) or 'none'}")
        self._client.connect(self._port, fits[0])

    def put(self, when: float, message: bytes) -> None:
        """File one message; an empty one takes back what has not gone out."""
        self._inbox.append((when, message))

    def close(self) -> None:
        """Leave JACK once everything has gone out."""
        while self._inbox or ((first := self._waiting.first) is not None and first < time.monotonic() + 1.0):
            time.sleep(0.002)
        time.sleep(_LAST)
        self._client.deactivate()
        self._client.close()

    def _process(self, frames: int) -> None:
        """JACK's thread, once a block: write what falls into it."""
        client, clock, waiting = self._client, self._clock, self._waiting
        clock.cycle(client.last_frame_time, *read_clock(client))
        inbox = self._inbox
        while inbox:
            when, message = inbox.popleft()
            if message:
                waiting.put(when, message)
            else:
                waiting.clear()
        port = self._port
        port.clear_buffer()
        written = 0
        while (due := waiting.next(clock, frames)) is not None:
            frame, message = due
            try:
                port.write_midi_event(frame, message)
            except Exception:
                if written:  # there is no more room in this block: it goes out in the next
                    return
            written += 1
            waiting.sent(clock, frame)

    @property
    def late(self) -> int:
        """Messages that went out after their frame."""
        return self._waiting.late


def read(stream: BinaryIO, port: Port) -> None:
    """Hand on records until the input ends."""
    while True:
        head = stream.read(RECORD.size)
        if len(head) < RECORD.size:
            return
        when, length = RECORD.unpack(head)
        message = stream.read(length) if length else b""
        if len(message) < length:
            return
        port.put(when, message)


def main(name: str, connect: str) -> int:
    """Open the port, say so, work until the input ends."""
    try:
        port = Port(name)
        if connect:
            port.connect(connect)
    except Exception as e:  # whatever it is, the parent tells the user
        print(f"error {e}", flush=True)
        return 2
    ask_for_priority()  # as the thread that hands over: what waits in the pipe would be late
    print(f"ready {port.lead!r} {port.name}", flush=True)
    read(sys.stdin.buffer, port)
    port.close()
    print(f"late {port.late}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
