"""The latency bench through JACK: another process plays, the host records it as it would a sound card."""

from __future__ import annotations

import multiprocessing as mp
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
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
                heard, pitches = line.recv()
            finally:
                engine.stop()
                engine.join()
            return report(engine, receiver.stop(), heard, pitches)
        finally:
            line.close()
            player.join(_START_WITHIN)
            if player.is_alive():
                player.kill()
                player.join()


def play(line: Connection, count: int) -> None:
    """Entry point of the playing process.

    Tells when it is ready, plays when told to, and answers with the ``time.monotonic()`` of each attack and the
    pitches.
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
    cycles: list[tuple[int, float, int]] = []  # JACK's frame, time of the call, place in the sound
    playing, done = threading.Event(), threading.Event()

    @client.set_process_callback
    def process(frames: int) -> None:
        buffer = port.get_array()
        buffer[:] = 0.0
        at = cycles[-1][2] + frames if cycles else 0
        if not playing.is_set() or done.is_set():
            return
        cycles.append((client.last_frame_time, time.monotonic(), at))
        piece = sound[at : at + frames]
        buffer[: len(piece)] = piece
        if at >= len(sound):
            done.set()

    with client:
        line.send("ready")
        try:
            line.recv()
        except EOFError:  # the bench has given up
            return
        playing.set()
        done.wait()
        time.sleep(0.5)
        line.send((heard_at(cycles, [_LEAD + t for t in starts]), pitches))


def heard_at(cycles: Sequence[tuple[int, float, int]], seconds: Sequence[float]) -> list[float]:
    """``time.monotonic()`` at which a sound card with JACK's blocks would have heard places of the sound.

    Parameters
    ----------
    cycles : sequence of (int, float, int)
        JACK's frame, ``time.monotonic()`` of the call, and place in the sound (frames) of each cycle.
    seconds : sequence of float
        Places in the sound.
    """
    frames = np.array([c[0] for c in cycles])
    calls = np.array([c[1] for c in cycles])
    places = np.array([c[2] for c in cycles])
    found = []
    for place in (round(s * RATE) for s in seconds):
        k = int(np.searchsorted(places, place, side="right")) - 1
        near = slice(max(0, k - 100), k + 100)
        # The least delay of the calls behind JACK's frame clock tells when its cycles begin.
        offset = float(np.min(calls[near] - frames[near] / RATE))
        # Frames that a cycle hands out were heard during the block before it.
        found.append((int(frames[k]) + place - int(places[k]) - BLOCK) / RATE + offset)
    return found


@contextmanager
def jack_server(realtime: bool = False, block: int = BLOCK, wait: bool = False) -> Iterator[None]:
    """The JACK server that runs, or one of our own on the dummy driver.

    Parameters
    ----------
    realtime : bool
        Ask for real-time priority.
    block : int
        Frames of its blocks.
    wait : bool
        Let the server wait for all clients in each block (``jackd -S``), so that what they hand each other is not
        lost when one is late.
    """
    if _answers():
        yield
        return
    if shutil.which("jackd") is None:
        raise UserError("jackd is missing; Debian/Ubuntu: sudo apt-get install jackd2")
    name = f"sidechain{os.getpid()}"
    os.environ["JACK_DEFAULT_SERVER"] = name
    server_options = ["-n", name, "-R" if realtime else "-r", *(["-S"] if wait else [])]
    command = ["jackd", *server_options, "-d", "dummy", "-r", str(RATE), "-p", str(block)]
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


def may_ask_for_priority() -> bool:
    """Whether real-time priority would be granted."""
    try:
        import resource
    except ImportError:
        return False
    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_RTPRIO)[0] != 0


def _answers() -> bool:
    if shutil.which("jack_wait") is None:
        return False
    asked = subprocess.run(["jack_wait", "-c"], capture_output=True, check=False)
    return b"not running" not in asked.stdout
