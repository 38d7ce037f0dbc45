"""Chirps out of one device and into another, on one clock; what PortAudio states beside what is measured."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from realtime.audio.calibration import CHIRP_SECONDS, LONGEST, SPACINGS, Array, Delays, chirp, find
from realtime.audio.device import DeviceSource
from realtime.audio.portaudio import muted, started, stream_closed, stream_opened
from realtime.errors import UserError

_SETTLE = 1.0
"""Seconds of sound before the first chirp: the clock of the input settles, sleeping devices wake."""
_STARTS_WITHIN = 6.0
_OUTPUT_LATENCY = 0.1
"""Seconds asked of the output: nothing but clicks is played, so it may be long, and must not run dry."""
_PLAUSIBLE = 1.0
_MOST_LOST = 1.0
_NEAR = 0.2


@dataclass(frozen=True, slots=True)
class Player:
    """A sound output: its name, PortAudio's index right now, and its rate in Hz."""

    name: str
    index: int
    sample_rate: int
    default: bool


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Delays from one device to another, seconds.

    Attributes
    ----------
    output, input : str
        Names of the devices.
    delays : Delays
        From the instant at which PortAudio says that a chirp leaves the output until the host has it.
    output_stated : float or None
        Output latency that PortAudio states; None where it cannot be true (through JACK, for instance).
    input_stated : float
        Input latency that PortAudio states, at least a block.
    """

    output: str
    input: str
    delays: Delays
    output_stated: float | None
    input_stated: float

    @property
    def input_measured(self) -> float:
        """Input latency: all of the way that PortAudio does not count as output."""
        return self.delays.seconds

    @property
    def total(self) -> float:
        """The whole round trip, from the program out and back into it."""
        return self.delays.seconds + (self.output_stated or 0.0)


def list_players() -> list[Player]:
    """The sound outputs of now. Raises ``UserError`` where PortAudio is missing."""
    with started() as sounddevice:
        return describe_players(sounddevice)


def measure(
    output: str = "",
    input_name: str = "",
    *,
    count: int = 8,
    level: float = 0.5,
    channels: int = 0,
    sample_rate: int = 0,
    block: int = 128,
    progress: Callable[[float], None] | None = None,
) -> RoundTrip:
    """Play `count` chirps and hear them back, the way the host hears.

    Parameters
    ----------
    output, input_name : str
        Names of devices, or a part that fits only one; empty = the system's default.
    count : int
        Chirps, at least 4; each takes about 0.85 s.
    level : float
        Peak, 0–1.
    channels, sample_rate, block : int
        Of the input, as :class:`~realtime.audio.device.DeviceSource`.
    progress : callable, optional
        Called with the share done, 0–1.

    Raises
    ------
    UserError
        A device is unknown or cannot be opened, or the chirps were not (clearly) heard.
    """
    source = DeviceSource(input_name, channels, sample_rate, block)
    source.open()
    try:
        with _playing(output) as (player, stream):
            heard, due = _session(source, player, stream, count, level, progress or (lambda share: None))
            stated = float(stream.latency)
            credible = stated if 0.0 < stated < _PLAUSIBLE else None
    finally:
        source.close()
    delays = find(heard, source.sample_rate, due)
    return RoundTrip(player.name, source.name, delays, credible, source.latency)


def _session(
    source: DeviceSource, player: Player, stream: Any, count: int, level: float, progress: Callable[[float], None]
) -> tuple[Array, list[float]]:
    """What was recorded, and the frame at which each chirp began."""
    listener = _Listener(source)
    listener.until(lambda: listener.frames > 0, _STARTS_WITHIN)
    listener.until(lambda: listener.frames > _SETTLE * source.sample_rate, _STARTS_WITHIN)
    buffer = memoryview(chirp(player.sample_rate, level).tobytes())
    due = []
    for number in range(count):
        ahead = clock_ahead(stream)  # now, for a clock that counts frames falls behind when a server loses some
        action = stream.play_buffer(buffer, channels=[1])
        asked = time.monotonic()
        listener.listen(SPACINGS[number % len(SPACINGS)])
        began = float(action.actual_time) - ahead
        if abs(began - asked) > _PLAUSIBLE:
            raise UserError(
                f"output '{player.name}': it does not tell when it plays ({began - asked:.0f} s off); "
                "choose another with --output"
            )
        due.append(listener.frame_at(began))
        progress((number + 1) / count)
    listener.listen(LONGEST + 2 * CHIRP_SECONDS)
    return np.concatenate(listener.pieces), due


class _Listener:
    """Collects what a source hears, and what time its frames have; what is lost is silence, and spoils a click."""

    def __init__(self, source: DeviceSource) -> None:
        self._source = source
        self.pieces: list[Array] = []
        self.frames = 0
        self._seen: list[tuple[int, float]] = []

    def listen(self, seconds: float) -> None:
        """For so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._take()

    def until(self, done: Callable[[], bool], seconds: float) -> None:
        """Until it is `done`; raises ``UserError`` after so many seconds."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise UserError(f"input '{self._source.name}' gives no sound; see 'sidechain devices --level'")
            self._take()

    def _take(self) -> None:
        block = self._source.read(4096)
        if block is None or not len(block.samples):
            self._source.wait(0.002)
            return
        lost = block.first - self.frames
        if lost > _MOST_LOST * self._source.sample_rate:
            raise UserError(f"input '{self._source.name}' has lost sound; close other programs and try again")
        self.pieces += [np.zeros((lost, self._source.channels), np.float32), block.samples.copy()]
        self.frames = block.first + len(block.samples)
        self._seen.append((self.frames, block.host_time))

    def frame_at(self, moment: float) -> float:
        """Frame that came in at `moment` (``time.monotonic()``), by the least late of the reads around it."""
        rate = self._source.sample_rate
        near = [at - frame / rate for frame, at in self._seen if abs(at - moment) < _NEAR]
        if not near:
            raise UserError(f"input '{self._source.name}' has lost sound; close other programs and try again")
        return (moment - min(near)) * rate


def clock_ahead(stream: Any) -> float:
    """Seconds by which the stream's clock is ahead of ``time.monotonic()``: the tightest of some looks at both."""
    looks = []
    for _ in range(20):
        before = time.monotonic()
        there = float(stream.time)
        after = time.monotonic()
        looks.append((after - before, there - (before + after) / 2))
    return min(looks)[1]


@contextmanager
def _playing(name: str) -> Iterator[tuple[Player, Any]]:
    """An output stream that runs, played to by rtmixer's callback in C."""
    try:
        import rtmixer
    except (ImportError, OSError) as e:
        raise UserError(f"calibration needs rtmixer, whose timing is exact: pip install rtmixer ({e})") from e
    with started() as sounddevice:
        player = find_player(name, describe_players(sounddevice))
        try:
            with muted():
                stream = rtmixer.Mixer(
                    device=player.index,
                    channels=1,
                    samplerate=player.sample_rate,
                    blocksize=0,
                    latency=_OUTPUT_LATENCY,
                )
                stream.start()
        except sounddevice.PortAudioError as e:
            raise UserError(f"output '{player.name}' cannot be opened: {str(e).splitlines()[0]}") from e
        stream_opened()
    try:
        yield player, stream
    finally:
        try:
            stream.close()
        finally:
            stream_closed()


def describe_players(sounddevice: ModuleType) -> list[Player]:
    """The sound outputs that a started PortAudio knows."""
    apis = [a["name"] for a in sounddevice.query_hostapis()]
    default = sounddevice.default.device[1]
    if default < 0:
        starts = [a["default_output_device"] for a in sounddevice.query_hostapis()]
        default = next((d for d in starts if d >= 0), -1)
    return [
        Player(
            f"{'JACK' if apis[d['hostapi']].startswith('JACK') else apis[d['hostapi']]}: {d['name']}",
            d["index"],
            round(d["default_samplerate"]),
            d["index"] == default,
        )
        for d in sounddevice.query_devices()
        if d["max_output_channels"] > 0
    ]


def find_player(name: str, players: list[Player]) -> Player:
    """The one output that `name` means: exactly, or as the only one that contains it; "" is the default.

    Raises
    ------
    UserError
        None or several; names the nearest ones.
    """
    if not players:
        raise UserError("no sound output here")
    if not name:
        return next((p for p in players if p.default), players[0])
    wanted = name.casefold().strip()
    exact = [p for p in players if p.name.casefold() == wanted]
    found = exact or [p for p in players if wanted in p.name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"'{p.name}'" for p in found[:4])
        raise UserError(f"output '{name}' fits several devices: {names}; give more of the name")
    near = difflib.get_close_matches(wanted, [p.name.casefold() for p in players], n=3, cutoff=0.3)
    shown = [p.name for n in near for p in players if p.name.casefold() == n] or [p.name for p in players[:3]]
    names = ", ".join(f"'{n}'" for n in dict.fromkeys(shown))
    raise UserError(f"no output device '{name}'; there are: {names}")
