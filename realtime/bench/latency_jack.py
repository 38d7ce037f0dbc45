"""The latency bench through JACK: another process plays, the host records it as it would a sound card."""

from __future__ import annotations

import multiprocessing as mp
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from realtime.audio.device import DeviceSource
from realtime.bench.latency import Receiver, preset_to, report
from realtime.bench.sounds import plucked
from realtime.engine import Engine
from realtime.errors import UserError

RATE = 48_000
BLOCK = 128
PLAYER = "sidechain-bench"
_START_WITHIN = 10.0
_LEAD = 2.0
"""Seconds of quiet before the sound, in which the host starts to record."""


def through_jack(count: int) -> dict[str, Any]:
    """Latencies with a JACK client as the input."""
    with jack_server(), Receiver() as receiver:
        context = mp.get_context("spawn")
        line, theirs = context.Pipe()
        player = context.Process(target=play, args=(theirs, count))
        player.start()
        try:
            told = line.recv()
            if told != "ready":
                raise UserError(str(told))
            source = DeviceSource(f"JACK: {PLAYER}", sample_rate=RATE, block=BLOCK)
            engine = Engine(preset_to(receiver.port), source)
            engine.start()
            try:
                line.send("play")
                begun, starts, pitches = line.recv()
            finally:
                engine.stop()
                engine.join()
            return report(engine, receiver.stop(), [begun + t for t in starts], pitches)
        finally:
            line.close()
            player.join(_START_WITHIN)
            if player.is_alive():
                player.kill()
                player.join()


def play(line: Connection, count: int) -> None:
    """Entry point of the playing process.

    Tells when it is ready, plays when told to, and answers with the ``time.monotonic()`` at which a sound card
    with JACK's blocks would have heard the first frame, the attacks (seconds after it) and their pitches.
    """
    try:
        import jack
    except (ImportError, OSError) as e:
        line.send(f"the bench needs JACK and its Python module ({e}): pip install JACK-Client")
        return
    samples, starts, pitches = plucked(count, RATE)
    sound = np.concatenate([np.zeros(round(_LEAD * RATE), np.float32), samples[:, 0]])
    client = jack.Client(PLAYER, no_start_server=True)
    port = client.outports.register("out_1")
    state = {"at": -1, "first": -1, "offset": np.inf}
    done = threading.Event()

    @client.set_process_callback
    def process(frames: int) -> None:
        # The least delay of the callback behind the server's frame clock tells when its cycles begin.
        cycle = client.last_frame_time
        state["offset"] = min(state["offset"], time.monotonic() - cycle / RATE)
        buffer = port.get_array()
        buffer[:] = 0.0
        at = int(state["at"])
        if at < 0:
            return
        if at == 0:
            state["first"] = cycle
        piece = sound[at : at + frames]
        buffer[: len(piece)] = piece
        state["at"] = at + frames
        if at >= len(sound):
            done.set()

    with client:
        line.send("ready")
        try:
            line.recv()
        except EOFError:  # the bench has given up
            return
        state["at"] = 0
        done.wait()
        time.sleep(0.5)
        # Frames that a cycle hands out were heard during the block before it.
        begun = state["first"] / RATE + state["offset"] - BLOCK / RATE + _LEAD
        line.send((float(begun), starts, pitches))


@contextmanager
def jack_server(realtime: bool = False) -> Iterator[None]:
    """The JACK server that runs, or one of our own on the dummy driver, with real-time priority if asked for."""
    if _answers():
        yield
        return
    if shutil.which("jackd") is None:
        raise UserError("jackd is missing; Debian/Ubuntu: sudo apt-get install jackd2")
    name = f"sidechain{os.getpid()}"
    os.environ["JACK_DEFAULT_SERVER"] = name
    command = ["jackd", "-n", name, "-R" if realtime else "-r", "-d", "dummy", "-r", str(RATE), "-p", str(BLOCK)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + _START_WITHIN
        while not _answers():
            if server.poll() is not None or time.monotonic() > end:
                raise UserError("jackd did not start; try it by hand: jackd -r -d dummy")
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()
        del os.environ["JACK_DEFAULT_SERVER"]


def _answers() -> bool:
    if shutil.which("jack_wait") is None:
        return False
    asked = subprocess.run(["jack_wait", "-c"], capture_output=True, check=False)
    return b"not running" not in asked.stdout
