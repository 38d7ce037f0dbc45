"""Sound out: where an insert's sound goes, and a sound that begins at a given instant.

A device is fed from C out of a ring, as it is recorded from (``rtmixer``); no Python runs in its callback.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from realtime.audio.portaudio import muted, started, stream_closed, stream_opened
from realtime.audio.resample import StreamResampler
from realtime.audio.roundtrip import clock_ahead, describe_players, find_player
from realtime.audio.tape import Tape
from realtime.errors import UserError

F32 = npt.NDArray[np.float32]

CUSHION = 0.02
"""Seconds of sound that lie ready for the device, beyond one hop: what the fast lane's blocks may be apart."""

_ROOM = 0.5
_LONGEST = 120.0
"""Seconds of sound that `play` takes at once; longer sounds are files for another program."""


class Sink(Protocol):
    """Where frames go. ``write`` and ``gap`` belong to the fast lane and do not wait."""

    def write(self, samples: F32) -> None:
        """Take frames, shape (n, channels)."""

    def gap(self, frames: int) -> None:
        """Frames of the input are missing."""

    def stop(self) -> None:
        """Finish and let go."""

    def status(self) -> dict[str, Any]:
        """State, as plain data."""
        ...


def open_sink(
    to: str, rate: int, channels: int, hop: int, offline: bool, say: Callable[[str], None] | None
) -> Sink | None:
    """A device by name (``default`` = the system's) or a file ``NAME.flac``, open.

    Parameters
    ----------
    hop : int
        Frames that come at a time.
    offline : bool
        The sound comes as fast as it is read: files wait for the disk, devices are left alone (None).
    say : callable or None
        Told in one line what the user should know.

    Raises
    ------
    UserError
        It cannot be opened.
    """
    if to.lower().endswith(".flac"):
        return FileSink(Path(to), rate, channels) if offline else Tape(Path(to), rate, channels, say=say)
    return None if offline else DeviceSink(to, rate, hop)


class FileSink:
    """A FLAC file that is waited for."""

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self._path, self._frames, self._rate = path, 0, rate
        try:
            self._file = soundfile.SoundFile(path, "w", rate, channels, format="FLAC", subtype="PCM_24")
        except (soundfile.LibsndfileError, RuntimeError) as e:
            raise UserError(f"{path}: cannot be written ({e})") from e

    def write(self, samples: F32) -> None:
        """Append frames."""
        self._file.write(samples)
        self._frames += len(samples)

    def gap(self, frames: int) -> None:
        """Silence stands for them."""
        self.write(np.zeros((frames, self._file.channels), np.float32))

    def stop(self) -> None:
        """Finish the file."""
        self._file.close()

    def status(self) -> dict[str, Any]:
        """State, as plain data."""
        return {"path": str(self._path), "seconds": self._frames / self._rate}


class DeviceSink:
    """A device, fed with a cushion of sound that absorbs how unevenly blocks come.

    When the device runs dry, silence fills the cushion anew (counted as ``underruns``); when its clock is slower
    than that of the input, a hop is left out now and then (``dropped``).

    Attributes
    ----------
    latency : float
        Seconds from `write` to the air: cushion, hop, and what PortAudio states of the device.
    """

    def __init__(self, to: str, rate: int, hop: int) -> None:
        self.underruns = self.dropped = 0
        self._target = hop + round(CUSHION * rate)
        self._most = 2 * self._target + hop
        self._mixer, self._name, self._channels = _open(to, rate)
        import rtmixer

        self._ring = rtmixer.RingBuffer(4 * self._channels, 1 << round(_ROOM * rate).bit_length())
        self._silence = np.zeros((self._target, self._channels), np.float32)
        self._action: Any = None
        self.latency = self._target / rate + stated_latency(self._mixer)
        self._closed = False

    def write(self, samples: F32) -> None:
        """Hand frames to the device."""
        samples = as_channels(samples, self._channels)
        if self._action is not None and self._action not in self._mixer.actions:
            self._action = None  # it has run dry
            self.underruns += 1
        if self._action is None:
            self._ring.write(self._silence)
            self._ring.write(samples)
            self._action = self._mixer.play_ringbuffer(self._ring)
        elif self._ring.read_available > self._most:
            self.dropped += len(samples)
        else:
            self._ring.write(samples)

    def gap(self, frames: int) -> None:
        """The device runs dry, and begins anew."""

    def stop(self) -> None:
        """Let go of the device."""
        if not self._closed:
            self._closed = True
            _close(self._mixer)

    def status(self) -> dict[str, Any]:
        """State, as plain data."""
        return {
            "device": self._name,
            "latency_ms": 1000 * self.latency,
            "underruns": self.underruns,
            "dropped": self.dropped,
        }


class Player:
    """Plays whole sounds on one device, each from a given instant on. Used by one thread.

    Parameters
    ----------
    to : str
        As of :func:`open_sink`.
    """

    def __init__(self, to: str) -> None:
        self._mixer, self.name, self._channels = _open(to, 0)
        self._rate = round(self._mixer.samplerate)

    def play(self, path: Path, at: float) -> float:
        """Play a file from `at` (``time.monotonic()``) on; returns the instant, which is later if it is too late.

        Raises
        ------
        UserError
            It cannot be read, or is too long.
        """
        try:
            if soundfile.info(path).duration > _LONGEST:
                raise UserError(f"{path} is longer than {_LONGEST:g} s; it is kept as a file, not played")
            sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as e:
            raise UserError(f"{path}: cannot be read ({e})") from e
        played = as_channels(sound, self._channels)
        if rate != self._rate:
            played = StreamResampler(rate, self._rate, self._channels).process(played)
        ahead = clock_ahead(self._mixer)
        at = max(at, time.monotonic() + 2 * stated_latency(self._mixer) + 0.01)
        buffer = memoryview(np.ascontiguousarray(played, np.float32).tobytes())
        self._mixer.play_buffer(buffer, self._channels, start=at + ahead)
        return at

    def stop(self) -> None:
        """Let go of the device; what plays ends."""
        _close(self._mixer)


def stated_latency(stream: Any) -> float:
    """Seconds of output latency that PortAudio states; through JACK that cannot be true, and 20 ms are taken."""
    stated = float(stream.latency)
    return stated if 0.0 < stated < 1.0 else 0.02


def as_channels(samples: F32, channels: int) -> F32:
    """Sound of any channels for a device of one or two, shape (n, any) → (n, channels), contiguous."""
    if samples.shape[1] == channels:
        return np.ascontiguousarray(samples, np.float32)
    if channels == 1:
        return samples.mean(axis=1, dtype=np.float32)[:, None]
    return np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else np.ascontiguousarray(samples[:, :2])


def _open(to: str, rate: int) -> tuple[Any, str, int]:
    """A started output stream, the device's name, and its channels (two, if it has so many).

    `rate` 0 is the device's own.
    """
    with started() as sounddevice:
        try:
            import rtmixer  # in here: it brings PortAudio in, which must be started afresh
        except (ImportError, OSError) as e:
            raise UserError(f"sound out needs rtmixer: pip install rtmixer ({e}); NAME.flac does not") from e
        player = find_player("" if to == "default" else to, describe_players(sounddevice))
        rate = rate or player.sample_rate
        channels = min(2, int(sounddevice.query_devices(player.index)["max_output_channels"]))
        try:
            with muted():
                stream = rtmixer.Mixer(
                    device=player.index, channels=channels, samplerate=rate, blocksize=0, latency="low"
                )
                stream.start()
        except (sounddevice.PortAudioError, ValueError) as e:
            reason = str(e).splitlines()[0]
            raise UserError(f"output '{player.name}' at {rate} Hz, {channels} channels: {reason}") from e
        stream_opened()
        return stream, player.name, channels


def _close(mixer: Any) -> None:
    try:
        with contextlib.suppress(Exception):
            mixer.abort()
        mixer.close()
    finally:
        stream_closed()
