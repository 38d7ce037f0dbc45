"""Names of devices: stable when indices move, and never a silent substitute."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.device import DeviceSource
from realtime.audio.devices import Device, describe, find_device, list_devices, measure_level
from realtime.audio.pulse import parse_short, parse_sources
from realtime.errors import UserError


class FakePortAudio:
    """Answers as PortAudio does on a machine that is not here."""

    class default:
        device = (2, -1)

    def __init__(self, names: list[tuple[str, int]]) -> None:
        self.names = names

    def query_hostapis(self) -> tuple[dict[str, object], ...]:
        return tuple({"name": n, "default_input_device": 0} for n in ("ALSA", "Windows WASAPI"))

    def query_devices(self) -> list[dict[str, object]]:
        return [
            {"name": n, "index": i, "hostapi": api, "max_input_channels": 2, "default_samplerate": 44_100.0}
            for i, (n, api) in enumerate(self.names)
        ]


def described(*names: tuple[str, int]) -> list[Device]:
    return describe(FakePortAudio(list(names)))  # type: ignore[arg-type]


CARDS = [("Scarlett 2i2 USB: Audio (hw:1,0)", 0), ("HDA: ALC (hw:0,0)", 0), ("Speakers [Loopback]", 1)]


def test_names_do_not_hold_the_position() -> None:
    devices = described(*CARDS)
    assert [d.name for d in devices] == [
        "ALSA: Scarlett 2i2 USB: Audio",
        "ALSA: HDA: ALC",
        "WASAPI: Speakers [Loopback]",
    ]
    assert [d.loopback for d in devices] == [False, False, True]
    assert [d.default for d in devices] == [False, False, True]


def test_the_same_name_finds_it_when_positions_move() -> None:
    name = described(*CARDS)[0].name
    moved = described(("HDA: ALC (hw:1,0)", 0), ("Webcam (hw:0,0)", 0), ("Scarlett 2i2 USB: Audio (hw:2,0)", 0))
    assert find_device(name, moved).index == 2
    assert find_device("ALSA: Scarlett 2i2 USB: Audio (hw:1,0)", moved).index == 2


def test_two_equal_cards_are_told_apart() -> None:
    devices = described(("USB Mic: Audio (hw:1,0)", 0), ("USB Mic: Audio (hw:2,0)", 0))
    assert find_device("ALSA: USB Mic: Audio (hw:2,0)", devices).index == 1
    with pytest.raises(UserError, match="fits several devices"):
        find_device("usb mic", devices)


@pytest.mark.parametrize("text", ["scarlett", "SCARLETT 2I2", "Scarlett 2i2 USB: Audio", " alsa: scarlett"])
def test_a_part_that_fits_one_is_enough(text: str) -> None:
    assert find_device(text, described(*CARDS)).index == 0


def test_no_name_is_the_default_and_no_device_a_clear_error() -> None:
    assert find_device("", described(*CARDS)).index == 2
    with pytest.raises(UserError, match="no sound input here"):
        find_device("", [])


def test_without_portaudio_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    for use in (list_devices, DeviceSource("x").open, lambda: measure_level("x")):
        with pytest.raises(UserError, match=r"PortAudio cannot be loaded .* apt-get install libportaudio2"):
            use()


def test_an_unknown_name_shows_the_nearest() -> None:
    with pytest.raises(UserError, match="Scarlett"):
        find_device("ALSA: Scarlet 4i4", described(*CARDS))


def test_pulse_sources() -> None:
    def row(name: str, text: str) -> dict[str, str]:
        return {"name": name, "description": text, "sample_specification": "s16le 2ch 44100Hz"}

    rows = parse_sources(
        json.dumps([row("a.monitor", "Monitor of A"), row("mic1", "Mic"), row("mic2", "Mic"), {"name": 3}, 7])
    )
    assert [r.description for r in rows] == ["Monitor of A", "Mic (mic1)", "Mic (mic2)"]
    assert [r.monitor for r in rows] == [True, False, False]
    assert rows[0].sample_rate == 44_100
    short = parse_short("0\tprobe.monitor\tmodule-null-sink.c\ts16le 2ch 48000Hz\tIDLE\n")
    assert [(r.name, r.channels, r.sample_rate, r.monitor) for r in short] == [("probe.monitor", 2, 48_000, True)]


@given(st.text())
def test_any_answer_of_the_server_is_survived(text: str) -> None:
    parse_sources(text)
    parse_short(text)


@settings(max_examples=50, deadline=None)
@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_any_json_is_survived(value: object) -> None:
    parse_sources(json.dumps(value))
