"""Which sound inputs there are, under names that stay the same when indices move."""

from __future__ import annotations

import difflib
import math
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from realtime.audio.capture import open_capture
from realtime.audio.portaudio import started
from realtime.audio.pulse import PulseInput, pulse_inputs
from realtime.errors import UserError

_API = {
    "JACK Audio Connection Kit": "JACK",
    "Core Audio": "CoreAudio",
    "Windows WASAPI": "WASAPI",
    "Windows WDM-KS": "WDM-KS",
    "Windows DirectSound": "DirectSound",
}
_LOOPBACK = re.compile(
    r"\[loopback\]|\bmonitor\b|stereo mix|what u hear|blackhole|soundflower|cable output|vb-audio", re.IGNORECASE
)
_POSITION = re.compile(r":? ?-? ?\(hw:\d+,\d+\)$")
_QUIETEST = -120.0
_FIRST = 3.0
"""Seconds to wait for a device's first frame: an idle sink of PulseAudio wakes every two."""
_MANY = 8
"""A device with more channels than this is a virtual one that offers any number."""


@dataclass(frozen=True, slots=True)
class Device:
    """A sound input.

    Attributes
    ----------
    name : str
        ``HOST API: NAME``, the same after a restart or when other devices come and go.
    api : str
        Host API: ``ALSA``, ``PulseAudio``, ``JACK``, ``CoreAudio``, ``WASAPI`` …
    channels : int
        Input channels.
    sample_rate : float
        Hz, the device's own.
    default : bool
        Whether the system prefers it.
    loopback : bool
        Whether it carries what the computer plays.
    index : int
        PortAudio's index right now; not stable.
    pulse_source : str
        Name of the PulseAudio source behind it, else empty.
    """

    name: str
    api: str
    channels: int
    sample_rate: float
    default: bool
    loopback: bool
    index: int
    pulse_source: str = ""

    @property
    def usual_channels(self) -> int:
        """Channels to open where none are asked for: all, or 2 of a virtual device with any number."""
        return self.channels if self.channels <= _MANY else 2


def list_devices() -> list[Device]:
    """The sound inputs of now. Raises ``UserError`` where PortAudio is missing."""
    with started() as sounddevice:
        return describe(sounddevice)


def describe(sounddevice: ModuleType) -> list[Device]:
    """The inputs that a started PortAudio knows, and the PulseAudio sources behind its ``pulse`` device."""
    apis = [a["name"] for a in sounddevice.query_hostapis()]
    default = sounddevice.default.device[0]
    if default < 0:
        starts = [a["default_input_device"] for a in sounddevice.query_hostapis()]
        default = next((d for d in starts if d >= 0), -1)
    known = [d for d in sounddevice.query_devices() if d["max_input_channels"] > 0]
    plain = [_plain(d, _API.get(apis[d["hostapi"]], apis[d["hostapi"]]), default) for d in known]
    door = next((d for d in plain if d.name == "ALSA: pulse"), None)
    behind = [_pulse(source, door) for source in pulse_inputs()] if door is not None else []
    return _unique(plain, known) + behind


def _plain(info: dict[str, Any], api: str, default: int) -> Device:
    return Device(
        name=f"{api}: {_POSITION.sub('', info['name'])}",
        api=api,
        channels=info["max_input_channels"],
        sample_rate=info["default_samplerate"],
        default=info["index"] == default,
        loopback=bool(_LOOPBACK.search(info["name"])),
        index=info["index"],
    )


def _pulse(source: PulseInput, door: Device) -> Device:
    return Device(
        name=f"PulseAudio: {source.description}",
        api="PulseAudio",
        channels=source.channels,
        sample_rate=float(source.sample_rate),
        default=False,
        loopback=source.monitor,
        index=door.index,
        pulse_source=source.name,
    )


def _unique(devices: list[Device], infos: list[dict[str, Any]]) -> list[Device]:
    """Where two devices would share a name, the position in the machine tells them apart."""
    count = Counter(d.name for d in devices)
    return [replace(d, name=f"{d.api}: {i['name']}") if count[d.name] > 1 else d for d, i in zip(devices, infos)]


def find_device(name: str, devices: Sequence[Device]) -> Device:
    """The one device that `name` means: exactly, or as the only one that contains it; "" is the default.

    Raises
    ------
    UserError
        None or several; names the nearest ones.
    """
    if not devices:
        raise UserError(f"no sound input here{f' (wanted: {name!r})' if name else ''}; files, 'demo' and '-' work")
    if not name:
        return next((d for d in devices if d.default), devices[0])
    wanted = name.casefold().strip()
    steps = (
        [d for d in devices if d.name == name],
        [d for d in devices if wanted in (d.name.casefold(), d.pulse_source.casefold())],
        [d for d in devices if wanted == d.name.casefold().split(": ", 1)[-1]],
        [d for d in devices if wanted in d.name.casefold()],
        [d for d in devices if _POSITION.sub("", wanted) == _POSITION.sub("", d.name.casefold())],
    )
    for found in steps:
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(f"'{d.name}'" for d in found[:4])
            raise UserError(f"input '{name}' fits several devices: {names}; give more of the name")
    near = difflib.get_close_matches(wanted, [d.name.casefold() for d in devices], n=3, cutoff=0.3)
    nearest = [d.name for n in near for d in devices if d.name.casefold() == n] or [d.name for d in devices[:3]]
    shown = ", ".join(f"'{n}'" for n in dict.fromkeys(nearest))
    raise UserError(f"no input device '{name}'; there are: {shown} ('sidechain devices' lists all)")


def measure_level(name: str, seconds: float = 0.5) -> float:
    """What a device hears now.

    Parameters
    ----------
    name : str
        As for :func:`find_device`.
    seconds : float
        How long to listen.

    Returns
    -------
    float
        RMS over all channels, dB of full scale, not below -120.
    """
    with started() as sounddevice:
        device = find_device(name, describe(sounddevice))
        capture = open_capture(
            sounddevice, device.index, device.usual_channels, round(device.sample_rate), 512, device.pulse_source
        )
    power, count = 0.0, 0
    begin = end = time.monotonic()
    while end < begin + seconds or (count == 0 and end < begin + _FIRST):
        time.sleep(0.02)
        samples = capture.take(1 << 16)[0]
        power += float(np.sum(np.square(samples, dtype=np.float64)))
        count += samples.size
        end = time.monotonic()
    capture.close()
    return max(_QUIETEST, 10 * math.log10(max(power / max(count, 1), 1e-30)))
