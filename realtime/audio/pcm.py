"""Sound from a pipe: WAV or raw samples on standard input."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from typing import BinaryIO

import numpy as np

from realtime.audio.ring import AudioRing
from realtime.audio.source import Block, Source
from realtime.audio.wav import PcmFormat, read_header
from realtime.errors import UserError

_CAPACITY = 1 << 16
_CHUNK_BYTES = 1 << 14
_HEADER_TIMEOUT = 10.0
_AHEAD = 0.5
"""Seconds that a pipe may run ahead of real time: what lay in it when we came is taken at once."""
_FASTER = 1.0005
"""A live pipe's clock may be a little faster than ours; nothing may pile up."""


class PcmSource(Source):
    """Samples from a pipe, e.g. ``arecord -f cd | sidechain live --input -``.

    A thread reads the pipe into a ring of about a second. When the ring is full the thread waits, so that
    the pipe fills and its writer waits in turn: nothing is lost here. A pipe that is faster than real time
    (``cat x.wav |``) is slowed down to it.

    Parameters
    ----------
    form : PcmFormat, optional
        Format of raw samples; None: there is a WAV header.
    stream : binary file, optional
        Default: standard input.
    paced : bool
        False: as fast as the pipe gives; ``read`` then waits for sound, and ``host_time`` is a virtual clock
        that starts at 0.
    """

    name = "standard input"

    def __init__(
        self,
        form: PcmFormat | None = None,
        stream: BinaryIO | None = None,
        paced: bool = True,
    ) -> None:
        super().__init__()
        self.live = paced
        self._given = form
        self._stream = stream
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._arrived = threading.Event()
        self._space = threading.Event()
        self._ready = threading.Event()
        self._problem: UserError | None = None

    def open(self) -> None:
        """Start to read and wait for the header. Raises ``UserError``: empty, not WAV, nothing for 10 s."""
        if self._stream is None:
            if sys.stdin is None or sys.stdin.isatty():
                raise UserError("standard input is a terminal; pipe sound into it: arecord -f cd | sidechain …")
            self._stream = sys.stdin.buffer
        self._closing.clear()
        self._ended = False
        self._arrival = 0.0
        self._released = 0
        self._start: float | None = None
        self._thread = threading.Thread(target=self._pump, name="pcm-reader", daemon=True)
        self._thread.start()
        if not self._ready.wait(_HEADER_TIMEOUT):
            self.close()
            raise UserError(f"standard input: no sound arrived within {_HEADER_TIMEOUT:.0f} s")
        if self._problem is not None:
            self.close()
            raise self._problem
        self.sample_rate = self._form.sample_rate
        self.channels = self._form.channels
        self.status.connected = True

    def read(self, most: int) -> Block | None:
        """What has arrived and is due, at most `most` frames; None at the end of the pipe."""
        if self._thread is None:
            return None
        # What the last read gave has been used by now.
        self._released = self._reader.position
        self._space.set()
        ended = self._ended  # before looking at the ring: what came before the end must not be missed
        while not self.live and not ended and self._reader.available == 0 and not self._closing.is_set():
            self.wait(0.1)
            ended = self._ended
        if ended and self._reader.available == 0:
            self.status.connected = False
            return None
        view = self._reader.read(self._due(most))
        self.status.frames = self._reader.position
        return Block(view.samples, view.first, 0, self._host_time())

    def wait(self, timeout: float) -> None:
        """Wait for more from the pipe, at most `timeout` seconds."""
        if self._reader.available and self.live:
            time.sleep(min(timeout, 0.002))
            return
        self._arrived.clear()
        if self._reader.available == 0 and not self._ended:
            self._arrived.wait(timeout)

    def close(self) -> None:
        """Stop reading. Standard input itself stays open."""
        self._closing.set()
        self._space.set()
        if self._thread is not None:
            # The thread looks up every tenth of a second, except where a pipe cannot be polled (Windows).
            self._thread.join(0.5)
            self._thread = None
        self.status.connected = False

    def _due(self, most: int) -> int:
        available = self._reader.available
        if not self.live or available == 0:
            return min(most, available)
        now = time.monotonic()
        rate = self.sample_rate * _FASTER
        if self._start is None:
            self._start = now - _AHEAD
        due = int((now - self._start) * rate) - self._reader.position
        if due > available + _AHEAD * rate:
            # The pipe is behind: it may not save up time to run ahead later.
            self._start = now - _AHEAD - (self._reader.position + available) / rate
        return max(0, min(most, available, due))

    def _host_time(self) -> float:
        if not self.live:
            return self._reader.position / self.sample_rate
        return time.monotonic() if self._reader.available else self._arrival

    def _pump(self) -> None:
        """The reading thread."""
        try:
            limit: int | None = None
            if self._given is None:
                self._form, limit = read_header(self._exactly)
            else:
                self._form = self._given
            self._ring = AudioRing(_CAPACITY, self._form.channels)
            self._reader = self._ring.reader()
            self._ready.set()
            self._samples(limit)
        except UserError as e:
            self._problem = e
        except (OSError, ValueError) as e:
            self._problem = UserError(f"standard input: cannot be read ({e})")
        finally:
            self._ended = True
            self._ready.set()
            self._arrived.set()

    def _samples(self, limit: int | None) -> None:
        size = self._form.frame_bytes
        rest = b""
        while limit is None or limit > 0:
            data = self._some(_CHUNK_BYTES if limit is None else min(_CHUNK_BYTES, limit))
            if not data:
                return
            if limit is not None:
                limit -= len(data)
            data = rest + data
            whole = len(data) - len(data) % size
            rest = data[whole:]
            samples = self._form.decode(data[:whole])
            while self._ring.written + len(samples) - self._released > self._ring.capacity:
                self._space.clear()
                if self._closing.is_set():
                    return
                self._space.wait(0.1)
            self._arrival = time.monotonic()
            self._ring.write(np.ascontiguousarray(samples))
            self._arrived.set()

    def _exactly(self, n: int) -> bytes:
        data = b""
        while len(data) < n and (more := self._some(n - len(data))):
            data += more
        return data

    def _some(self, n: int) -> bytes:
        """Up to `n` bytes as soon as there are any; none at the end or when closing."""
        assert self._stream is not None
        try:
            descriptor = self._stream.fileno()
        except (OSError, ValueError):
            return self._stream.read(n)
        while os.name != "nt" and not self._closing.is_set():
            if select.select([descriptor], [], [], 0.1)[0]:
                break
        return b"" if self._closing.is_set() else os.read(descriptor, n)
