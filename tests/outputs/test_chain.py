"""A whole host, steered over OSC: taps make a clock, and OSC, lights and rules follow it."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from sacn.messages.data_packet import DataPacket

from realtime import preset as presets
from realtime.audio.file import FileSource
from realtime.engine import Engine
from realtime.outputs.osc_in import OscInput
from realtime.outputs.osc_wire import message
from tests.outputs.test_osc import Receiver

PRESET = """
[[outputs]]
kind = "osc"
name = "visuals"
port = {osc}

[[outputs]]
kind = "osc-in"
name = "desk"
port = 0

[[outputs]]
kind = "dmx"
name = "lights"
port = {dmx}
fixtures = [{{ name = "blinder", address = 7 }}]

[[routes]]
source = "input.fader"
address = "dmx:9"

[[rules]]
name = "flash"
when = {{ on = "beats", every = 1 }}
send = [
  {{ address = "dmx:blinder", values = [1.0] }},
  {{ address = "/flash", values = [{{ cycle = ["a", "b"] }}] }},
]
then = [{{ after_beats = 0.5, send = [{{ address = "dmx:blinder", values = [0.0] }}] }}]

[[rules]]
name = "by hand"
when = {{ on = "manual" }}
send = [{{ address = "/by/hand" }}]
"""


class Ear(threading.Thread):
    """Reads all the time: the system keeps only so much for who does not."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.receiver = Receiver()
        self.heard: list[tuple[str, tuple[Any, ...], float]] = []
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.is_set():
            self.heard += self.receiver.read(0.05)

    def finish(self) -> list[tuple[str, tuple[Any, ...], float]]:
        self.ending.set()
        self.join()
        self.receiver.socket.close()
        return self.heard


def test_a_show_without_a_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(48_000 * 30, np.float32), 48_000)
    ear = Ear()
    ear.start()
    lights = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    lights.bind(("127.0.0.1", 0))
    lights.settimeout(0.01)
    text = PRESET.format(osc=ear.receiver.port, dmx=lights.getsockname()[1])
    engine = Engine(presets.parse(text, "show.toml"), FileSource(str(tmp_path / "silence.wav")))
    engine.start()
    try:
        desk = next(s.port for s in engine.runner._slots if isinstance(s.port, OscInput))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hand:
            hand.connect(("127.0.0.1", desk.port))
            start = time.monotonic()
            for k in range(8):  # 150 BPM
                time.sleep(max(0.0, start + 0.4 * k - time.monotonic()))
                hand.send(message("/sidechain/tap"))
            hand.send(message("/sidechain/input/fader", 0.5))
            hand.send(message("/sidechain/rule/nobody"))  # an error, no harm
            time.sleep(4.0)
            engine.call("rule.fire", {"name": "by hand"})
            time.sleep(0.1)
        status = engine.status()
    finally:
        engine.stop()
        engine.join()
    heard = ear.finish()
    beats = [a for a, v, _ in heard if a == "/sidechain/beat" and v == (1.0,)]
    numbers = [v[0] for a, v, _ in heard if a == "/sidechain/beat/number"]
    bpm = [v[0] for a, v, _ in heard if a == "/sidechain/tempo/bpm"]
    flashes = [v[0] for a, v, _ in heard if a == "/flash"]
    assert len(beats) >= 8
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert abs(bpm[-1] - 150.0) < 5.0
    assert abs(len(flashes) - len(beats)) <= 1
    assert set(flashes[::2]) == {"a"}
    assert set(flashes[1::2]) == {"b"}
    assert ("/by/hand", (1.0,), 0.0) in heard
    packets = []
    while True:
        try:
            packets.append(DataPacket.make_data_packet(tuple(lights.recv(1024))))
        except TimeoutError:
            break
    lights.close()
    assert any(p.dmxData[6] == 255 for p in packets)
    assert any(p.dmxData[6] == 0 and p.dmxData[8] == 128 for p in packets), (
        "the fader stays while the blinder flashes"
    )
    assert sum(packets[-1].dmxData) == 0, "dark at the end"
    assert {r["name"]: r["fired"] > 0 for r in status["rules"]} == {"flash": True, "by hand": True}
    assert next(o for o in status["outputs"] if o["name"] == "desk")["errors"] == 1
