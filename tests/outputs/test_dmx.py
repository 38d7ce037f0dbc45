"""DMX: what lights receive, read by other people's decoders and by the standards' text."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sacn as other
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sacn.messages.data_packet import DataPacket

from realtime.outputs.dmx import DmxOutput, DmxSettings
from realtime.outputs.dmx_wire import artnet, sacn
from realtime.outputs.output import Message
from tests.outputs.test_osc import NoHost, beat


class Lights:
    """A UDP socket that a console would be."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(2.0)
        self.port = self.socket.getsockname()[1]

    def packet(self) -> DataPacket:
        return DataPacket.make_data_packet(tuple(self.socket.recv(1024)))


@pytest.fixture
def lights() -> Iterator[Lights]:
    found = Lights()
    yield found
    found.socket.close()


PATCH = [
    {"name": "blinder", "address": 10},
    {"name": "pan", "address": 20, "mode": "16bit"},
    {"name": "wash", "address": 30, "mode": "rgb"},
]


def output(lights: Lights, **settings: Any) -> DmxOutput:
    found = DmxOutput(DmxSettings(**({"port": lights.port, "fixtures": PATCH} | settings)), NoHost())
    found.open()
    return found


def send(dmx: DmxOutput, address: str, *values: float) -> None:
    time.sleep(0.03)  # longer than a packet's interval
    dmx.send(Message(address, values))


def test_routes_light_fixtures(lights: Lights) -> None:
    dmx = output(lights)
    send(dmx, "dmx:blinder", 1.0)
    packet = lights.packet()
    assert packet.universe == 1
    assert packet.sourceName == "Sidechain"
    assert packet.dmxData[9] == 255
    assert sum(packet.dmxData) == 255
    send(dmx, "dmx:pan", 0.5)
    assert lights.packet().dmxData[19:21] == (128, 0)
    send(dmx, "dmx:wash", 0.2, 0.4, 5.0)
    assert lights.packet().dmxData[29:32] == (51, 102, 255)
    send(dmx, "dmx:wash", 1.0)
    assert lights.packet().dmxData[29:32] == (255, 255, 255)
    send(dmx, "dmx:512", 1.0)
    assert lights.packet().dmxData[511] == 255
    send(dmx, "dmx:7/3", 1.0)
    packet = lights.packet()
    assert (packet.universe, packet.dmxData[2], sum(packet.dmxData)) == (7, 255, 255)


def test_rates_repeats_and_keep_alive(lights: Lights) -> None:
    dmx = output(lights, rate=20)
    for k in range(50):
        dmx.send(Message("dmx:blinder", (k / 50,)))
    start = time.monotonic()
    while time.monotonic() < start + 0.6:
        dmx.on_values({})
        time.sleep(0.01)
    lights.socket.settimeout(0.01)
    seen = []
    with contextlib.suppress(TimeoutError):
        while True:
            seen.append(lights.packet())
    assert 3 <= len(seen) <= 5, "one at once, then the last state three times"
    assert seen[-1].dmxData[9] == round(255 * 49 / 50)
    assert [p.sequence for p in seen] == list(range(len(seen)))
    lights.socket.settimeout(2.0)
    while dmx.status.sent <= len(seen):
        dmx.on_values({})
        assert time.monotonic() < start + 3.0
    assert lights.packet().dmxData[9] == round(255 * 49 / 50)


def test_blackout_on_stop_and_a_said_end(lights: Lights) -> None:
    dmx = output(lights)
    send(dmx, "dmx:wash", 1.0)
    lights.packet()
    dmx.on_stop()
    assert sum(lights.packet().dmxData) == 0
    send(dmx, "dmx:wash", 1.0)
    assert sum(lights.packet().dmxData) == 3 * 255
    dmx.close()
    ends = [lights.packet() for _ in range(3)]
    assert all(p.option_StreamTerminated and sum(p.dmxData) == 0 for p in ends)
    dmx.close()


def test_a_test_is_a_flash(lights: Lights) -> None:
    dmx = output(lights)
    dmx.on_test(beat())
    dmx.on_values({})
    assert sum(lights.packet().dmxData) > 255
    time.sleep(0.35)
    dmx.on_values({})
    assert sum(lights.packet().dmxData) == 0


def test_art_net_by_its_text(lights: Lights) -> None:
    dmx = output(lights, protocol="artnet", universe=0x123)
    time.sleep(0.03)
    dmx.send(Message("dmx:5", (1.0,)))
    data = lights.socket.recv(1024)
    assert data[:8] == b"Art-Net\0"
    assert struct.unpack("<H", data[8:10]) == (0x5000,)
    assert struct.unpack(">H", data[10:12]) == (14,)
    assert (data[14], data[15]) == (0x23, 0x01)
    assert struct.unpack(">H", data[16:18]) == (512,)
    assert data[18:].index(255) == 4
    assert len(data) == 18 + 512


@given(st.integers(1, 63999), st.integers(0, 1000), st.binary(min_size=512, max_size=512), st.text(max_size=40))
def test_sacn_packets_are_what_another_library_reads(universe: int, sequence: int, data: bytes, name: str) -> None:
    packet = DataPacket.make_data_packet(
        tuple(sacn(uuid.uuid4(), name.replace("\0", ""), universe, sequence, data))
    )
    assert packet.universe == universe
    assert packet.sequence == sequence % 256
    assert bytes(packet.dmxData) == data
    assert packet.priority == 100


@given(st.integers(0, 5000))
def test_art_net_sequences_are_never_zero(sequence: int) -> None:
    assert artnet(0, sequence, bytes(512))[12] in range(1, 256)


def test_another_program_follows_the_stream() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    receiver = other.sACNreceiver(bind_address="127.0.0.1", bind_port=port)
    heard: list[tuple[int, ...]] = []
    receiver.register_listener("universe", lambda packet: heard.append(packet.dmxData), universe=1)
    receiver.start()
    dmx = DmxOutput(DmxSettings(port=port, fixtures=PATCH), NoHost())
    dmx.open()
    try:
        end = time.monotonic() + 5.0
        while not any(data[9] == 255 for data in heard):
            send(dmx, "dmx:blinder", 1.0)
            assert time.monotonic() < end
    finally:
        dmx.close()
        receiver.stop()


@pytest.mark.parametrize(
    "address", ["dmx:", "dmx:0", "dmx:513", "dmx:nobody", "dmx:1/2/3", "dmx:70000/1", "/x", "dmx:²"]
)
def test_what_is_not_there_is_counted(lights: Lights, address: str) -> None:
    dmx = output(lights)
    dmx.send(Message(address, (1.0,)))
    assert dmx.status.dropped == 1


def test_wrong_patches_are_refused() -> None:
    for wrong in (
        {"fixtures": [{"name": "a", "address": 512, "mode": "rgb"}]},
        {"fixtures": [{"name": "a", "address": 1}, {"name": "a", "address": 2}]},
        {"universe": 0},
        {"protocol": "artnet", "universe": 40000},
        {"protocol": "artnet", "host": "multicast"},
    ):
        with pytest.raises(ValidationError):
            DmxSettings(**wrong)
