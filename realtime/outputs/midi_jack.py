"""MIDI out through JACK with every message on its exact sample.

RtMidi hands messages to JACK at the beginning of the next block. Here messages are handed over ahead of time and
written at their own frame offset, so that the jitter of Python and of the block vanishes. Needs ``JACK-Client``.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from realtime.errors import UserError
from realtime.outputs.midi_ports import CLIENT, DRAIN, quiet

MARGIN = 0.005
"""Seconds beyond two blocks by which messages are handed over ahead of time."""
MOST = 4096


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
    late : int
        Messages that came too late for their frame and went out at the start of a block.
    lost : int
        Messages for which there was no room.
    """

    def __init__(self, port: str) -> None:
        try:
            import jack
        except (ImportError, OSError) as e:
            raise UserError(f"'frames' needs JACK and the package JACK-Client ({e})") from e
        try:
            with quiet():
                self._client: Any = jack.Client(CLIENT, no_start_server=True)
        except jack.JackError as e:
            raise UserError(f"'frames' needs a running JACK server ({e})") from e
        self._port = self._client.midi_outports.register("midi")
        self._rate = float(self._client.samplerate)
        self._queue: list[tuple[float, int, bytes]] = []
        self._inbox: deque[tuple[float, int, bytes]] = deque(maxlen=MOST)
        self._order = itertools.count()
        self._offsets: deque[float] = deque(maxlen=64)
        self._forget = False
        self.when = 0.0
        self.lead = 2.0 * self._client.blocksize / self._rate + MARGIN
        self.late = 0
        self.lost = 0
        self.name = self._port.name
        self._client.set_process_callback(self._process)
        self._client.activate()
        if port:
            self._connect(port)

    def send(self, message: Sequence[int]) -> None:
        """Hand over one message, meant at `when`."""
        if len(self._inbox) == MOST:
            self.lost += 1
        self._inbox.append((self.when, next(self._order), bytes(message)))

    def clear(self) -> None:
        """Forget what has not gone out yet."""
        self._inbox.clear()
        self._forget = True

    def close(self) -> None:
        """Leave JACK once everything handed over has gone out (at most for the lead)."""
        end = time.monotonic() + self.lead
        while (self._inbox or self._queue) and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(DRAIN)
        self._client.deactivate()
        self._client.close()

    def _connect(self, port: str) -> None:
        there = [p.name for p in self._client.get_ports(is_midi=True, is_input=True)]
        fits = [n for n in there if n == port] or [n for n in there if port.lower() in n.lower()]
        if len(fits) != 1:
            self._client.close()
            what = "fits several" if fits else "does not exist"
            raise UserError(f"JACK MIDI port '{port}' {what}; there are: {', '.join(there) or 'none'}")
        self._client.connect(self._port, fits[0])

    def _process(self, frames: int) -> None:
        """JACK's thread, once a block: write what falls into it."""
        client = self._client
        # frame and host time are read one after the other; the least delayed pair of many is taken as true
        self._offsets.append(client.frame_time - time.monotonic() * self._rate)
        offset = max(self._offsets)
        if self._forget:
            self._forget = False
            self._queue.clear()
        while self._inbox:
            heapq.heappush(self._queue, self._inbox.popleft())
        port, begin = self._port, client.last_frame_time
        port.clear_buffer()
        while self._queue:
            frame = round(self._queue[0][0] * self._rate + offset) - begin
            if frame >= frames:
                return
            _, _, message = heapq.heappop(self._queue)
            self.late += frame < 0
            port.write_midi_event(max(0, frame), message)
