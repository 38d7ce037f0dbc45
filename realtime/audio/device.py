"""Sound from a device, through PortAudio."""

from __future__ import annotations

import threading
import time

import numpy as np

from realtime.audio.arrival import DropDetector
from realtime.audio.capture import Capture, open_capture
from realtime.audio.devices import Device, describe, find_device
from realtime.audio.portaudio import abandon, started
from realtime.audio.source import Block, Source
from realtime.errors import DeviceLost, UserError

_SILENT, _SILENT_AT_FIRST = 1.5, 5.0
"""Seconds without a single frame after which the device counts as lost: while it runs, and when it has just been
opened (an idle sink of PulseAudio wakes every two seconds)."""
_BACK_OFF = (0.25, 0.5, 1.0, 2.0, 4.0)
_CLOSING = 2.0


class DeviceSource(Source):
    """A sound card, a sound server's source, or another program's JACK output.

    A callback in C writes into a ring of about two seconds, :meth:`read` drains it. A device that goes away
    is reported in ``status`` and opened again, always the same one, as soon as it is back; what was missed
    meanwhile is reported as lost.

    Parameters
    ----------
    name : str
        As for :func:`realtime.audio.devices.find_device`; empty = the system's default.
    channels : int
        Channels to open, from the first; 0 = all (2 of a virtual device with more than 8).
    sample_rate : int
        Hz; 0 = the device's own.
    block : int
        Frames per callback.
    python_callback : bool
        Do without the C callback; for comparison, and where rtmixer cannot be used.
    """

    def __init__(
        self,
        name: str = "",
        channels: int = 0,
        sample_rate: int = 0,
        block: int = 128,
        python_callback: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self._wanted = name
        self._ask_channels = channels
        self._ask_rate = sample_rate
        self._block = block
        self._python_callback = python_callback
        self._capture: Capture | None = None
        self._closing = threading.Event()
        self._recovery: threading.Thread | None = None
        self._recovered: Capture | None = None
        self._hopeless = False

    def open(self) -> None:
        """Find the device and start to record. Raises ``UserError``: unknown, busy, wrong rate or channels."""
        self.close()
        self._closing.clear()
        self.sample_rate, self.channels = self._ask_rate, self._ask_channels
        self._capture, self.device = self._start()
        self.name = self._wanted = self.device.name
        self._frames = 0
        self._seen = self._heard = time.monotonic()
        self._running = False
        self._drops = DropDetector(self.sample_rate)
        self._overflows = 0
        self._reopening = False
        self._hopeless = False
        self.latency = self._stated_latency(self._capture)
        self.status.connected = True
        self.status.message = self._remark(self._capture)

    def read(self, most: int) -> Block | None:
        """What has arrived, at most `most` frames; a block of 0 frames if nothing. Never None.

        Raises
        ------
        DeviceLost
            Only where a new process is needed (a JACK server that has ended).
        """
        capture = self._capture
        if capture is None:
            return self._without_device()
        samples, lost, waiting = capture.take(most)
        now = time.monotonic()
        n = len(samples)
        if n == 0:
            if now - self._heard > (_SILENT if self._running else _SILENT_AT_FIRST):
                self._lose(capture)
            return Block(samples, self._frames, 0, now)
        if self._reopening:
            self._reopening = False
            lost += max(0, round((now - self._seen) * self.sample_rate) - n - waiting)
        self._seen = self._heard = now
        self._running = True
        if lost:
            self.status.overruns += 1
        self._frames += lost
        missing = self._drops.observe(self._frames + n + waiting, now)
        overflows = capture.overflows
        if missing or overflows != self._overflows:
            self.status.overruns += 1
            self._overflows = overflows
            self._frames += missing
            lost += missing
        first = self._frames
        self._frames += n
        self.status.frames = self._frames
        self.status.lost += lost
        # The newest frame has just come; what a driver states as latency is the age of the oldest.
        return Block(samples, first, lost, now - waiting / self.sample_rate)

    def wait(self, timeout: float) -> None:
        """Sleep a millisecond, or less."""
        time.sleep(min(timeout, 0.001))

    def close(self) -> None:
        """Stop recording, and trying to."""
        self._closing.set()
        if self._recovery is not None:
            self._recovery.join()
            self._recovery = None
        for capture in (self._capture, self._recovered):
            if capture is not None and not _closed_in_time(capture):
                abandon()
        self._capture = self._recovered = None
        self.status.connected = False

    def _start(self) -> tuple[Capture, Device]:
        with started() as sounddevice:
            device = find_device(self._wanted, describe(sounddevice))
            self.channels = self.channels or device.usual_channels
            self.sample_rate = self.sample_rate or round(device.sample_rate)
            if self.channels > device.channels:
                raise UserError(f"input '{device.name}' has {device.channels} channels, not {self.channels}")
            try:
                capture = open_capture(
                    sounddevice,
                    device.index,
                    self.channels,
                    self.sample_rate,
                    self._block,
                    device.pulse_source,
                    self._python_callback,
                )
            except UserError as e:
                raise UserError(f"input '{device.name}' cannot be opened: {e}") from e
            return capture, device

    def _remark(self, capture: Capture) -> str:
        """What the user should know about how it is recorded."""
        if capture.kind != "C callback" and not self._python_callback:
            return (
                "recording with a Python callback (rtmixer is missing); sound may be lost when the program is busy"
            )
        if self.channels < self.device.channels and not self._ask_channels:
            return (
                f"using channels 1 to {self.channels} of {self.device.channels}; [input] channels chooses others"
            )
        return ""

    def _stated_latency(self, capture: Capture) -> float:
        """PortAudio's figure if it can be true (JACK says 0), else one block."""
        least = self._block / self.sample_rate
        return capture.latency if least <= capture.latency < 0.5 else least

    def _lose(self, capture: Capture) -> None:
        """No frame for a second: the device is gone, or stands still."""
        if self.device.loopback and self.device.api == "WASAPI" and capture.active:
            return  # it gives nothing while nothing plays; what is missed is found when it goes on
        self._capture = None
        self.status.connected = False
        self.status.message = f"input '{self._wanted}' has gone; waiting for it to come back"
        self._recovery = threading.Thread(
            target=self._recover, args=(capture,), name="device-recovery", daemon=True
        )
        self._recovery.start()

    def _recover(self, gone: Capture) -> None:
        """Open the same device again, by name, with growing pauses; its own thread, for it may take long."""
        if not _closed_in_time(gone):
            abandon()
            self._hopeless = True
            return
        attempt = 0
        while not self._closing.wait(_BACK_OFF[min(attempt, len(_BACK_OFF) - 1)]):
            attempt += 1
            try:
                self._recovered, self.device = self._start()
                return
            except UserError as e:
                self.status.message = f"waiting for input '{self._wanted}' to come back ({e})"

    def _without_device(self) -> Block:
        if self._hopeless:
            self.status.message = (
                f"input '{self._wanted}' has gone and PortAudio with it; the engine must start anew"
            )
            raise DeviceLost(self.status.message)
        if self._recovered is not None:
            self._capture, self._recovered = self._recovered, None
            self._recovery = None
            self._reopening = True
            self._running = False
            self._heard = time.monotonic()
            self._drops.restart()
            self._overflows = 0
            self.status.reopened += 1
            self.status.connected = True
            self.status.message = f"input '{self._wanted}' is back"
        return Block(np.zeros((0, self.channels), np.float32), self._frames, 0, time.monotonic())


def _closed_in_time(capture: Capture) -> bool:
    """Close; False if PortAudio hangs in it (as it does for minutes when a JACK server has ended)."""
    closer = threading.Thread(target=capture.close, name="device-close", daemon=True)
    closer.start()
    closer.join(_CLOSING)
    return not closer.is_alive()
