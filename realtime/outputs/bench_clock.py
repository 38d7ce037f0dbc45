"""MIDI clock under load: how late ticks leave, how evenly they arrive, whether any is lost, and drift.

A host with all its plugins runs in a child process, as it does live, on sound paced by the clock; its musical
clock is tapped to 125 BPM and held, so that the truth is known. Beside it, in this process, nothing, a pure-Python
loop, or a loop of json.dumps/loads keeps the interpreter busy.

  send            deadline → the moment at which the output is called, in the host
  jack            plain RtMidi through JACK → another process, by JACK's frames (RtMidi rounds to JACK's blocks)
  frames          the same, placed on the exact sample ('frames = true')

p50, p99 and max: of 'send' the lateness, of the others the deviation from the deadline with the constant delay
taken off. 'missing' counts ticks that did not arrive, however they were lost; 'missing_near' those of them within
0.1 s of an xrun of the JACK server, 'clear' are the ticks that arrived further from one.

Where no JACK server runs, 'jackd -S -d dummy' with blocks of --block frames is started; without jackd only 'send'
is measured.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing as mp
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import soundfile

from realtime import preset as presets
from realtime.audio.file import FileSource
from realtime.bench.latency_jack import jack_server
from realtime.bench.report import parser, percentiles, progress, publish
from realtime.bench.sounds import read_sound
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.outputs.bench_clock_jack import Heard, judge_received, receiver
from realtime.outputs.midi import MidiOutput, MidiSettings
from realtime.outputs.midi_clock import TICK
from realtime.outputs.output import GridPoint
from realtime.outputs.precise import ask_for_priority

BPM = 125.0
SWITCH_INTERVAL = 0.0005
"""Seconds; as in the engine's own child process."""
BLOCK = 512
"""Frames of JACK's blocks: with smaller ones the dummy server of a busy machine loses blocks by itself."""
_SETTLE = 4.0


class Logged(MidiOutput):
    """Notes each tick's position, deadline and the moment of its call, and sends it as usual."""

    ticks: list[tuple[Fraction, float, float]]

    def open(self) -> None:
        """Begin."""
        self.ticks = []
        super().open()

    def on_grid(self, point: GridPoint) -> None:
        """A tick."""
        self.ticks.append((point.position, point.due, time.monotonic()))
        super().on_grid(point)

    def on_stop(self) -> None:
        """Nothing: all ticks that were sent shall arrive."""


class Nowhere(Logged):
    """The send path alone: no port."""

    def open(self) -> None:
        """Begin."""
        self.ticks = []


def host(line: Connection, preset: str, sound: str, with_jack: bool) -> None:
    """Entry point of the host's process: run, and hand over the ticks since the last time whenever asked."""
    import gc
    import sys

    sys.setswitchinterval(SWITCH_INTERVAL)
    settings = presets.load(preset)
    settings.outputs = []
    engine = Engine(settings, FileSource(sound))
    outputs: dict[str, Logged] = {"send": Nowhere(MidiSettings(name="send", enabled=False), engine)}
    if with_jack:
        plain = MidiSettings(name="jack", port="bench-jack:in", api="jack", enabled=False)
        exact = MidiSettings(name="frames", port="bench-frames:in", frames=True, enabled=False)
        outputs |= {"jack": Logged(plain, engine), "frames": Logged(exact, engine)}
    engine.start()
    try:
        for output in outputs.values():
            engine.runner.add(output)
        _tap(engine)
        gc.collect()
        gc.freeze()
        line.send("ready")
        while isinstance(on := line.recv(), bool):
            for name in outputs:
                engine.call("output.enable", {"name": name, "on": on})
            time.sleep(0.3)
            if not on:
                logs = {name: _since(output) for name, output in outputs.items()}
                line.send((logs, engine.status()["host"], engine.runner.priority))
    finally:
        engine.stop()
        engine.join()


def _since(output: Logged) -> list[tuple[Fraction, float, float]]:
    """Ticks since the last time."""
    ticks, output.ticks = output.ticks, []
    return [(p, due + output.lead, at + output.lead) for p, due, at in ticks]


def _tap(engine: Engine) -> None:
    period = 60.0 / BPM
    due = time.monotonic() + 0.5
    for _ in range(8):
        time.sleep(max(0.0, due - time.monotonic()))
        engine.call("transport.tap")
        due += period
    engine.call("transport.lock", {"on": True})
    engine.call("transport.hold", {"on": True})
    time.sleep(_SETTLE)


def hog_python(stop: threading.Event) -> None:
    """Keep the interpreter busy with pure Python."""
    x = 0
    while not stop.is_set():
        for i in range(100_000):
            x = (x + i) % 7


def hog_json(stop: threading.Event) -> None:
    """Keep the interpreter busy with long calls into C that hold it."""
    data = {str(i): [i, i * 0.5, str(i)] for i in range(20_000)}
    while not stop.is_set():
        json.loads(json.dumps(data))


HOGS: dict[str, Callable[[threading.Event], None] | None] = {
    "idle": None,
    "python hog": hog_python,
    "json hog": hog_json,
}


def judge_send(ticks: Sequence[tuple[Fraction, float, float]]) -> dict[str, Any]:
    """Figures of the send path: lateness in ms, ticks missing and doubled."""
    positions = [p for p, _, _ in ticks]
    steps = [(b - a) / TICK for a, b in pairwise(positions)]
    late = [1000.0 * (at - due) for _, due, at in ticks]
    return {
        "ticks": len(ticks),
        "missing": int(sum(s - 1 for s in steps if s > 1)),
        "doubled": sum(s < 1 for s in steps),
        "delay_ms": statistics.median(late),
        "sd_ms": statistics.pstdev(late),
        **{f"{k}_ms": v for k, v in percentiles(late).items() if k != "count"},
        "drift_ms": 0.0,
        "xruns": 0,
        "missing_near": 0,
        "clear_ticks": len(ticks),
        "clear_sd_ms": statistics.pstdev(late),
        "clear_max_ms": max(late),
    }


def _may_be_realtime() -> bool:
    """Whether threads of ours may have real-time priority, so that JACK's may."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(ask_for_priority(1)[0]))
    thread.start()
    thread.join()
    return answers[0]


@contextlib.contextmanager
def _process(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[Connection, Any]]:
    """A part of the bench in a process of its own; yields its pipe and what it said when it was ready."""
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments))
    process.start()
    theirs.close()
    try:
        if not ours.poll(60.0):
            raise UserError("a part of the bench did not start within 60 s")
        yield ours, ours.recv()
    except EOFError:
        raise UserError("a part of the bench ended early; its error is above") from None
    finally:
        with contextlib.suppress(OSError):
            ours.send("end")
        process.join(10.0)
        if process.is_alive():
            process.kill()
            process.join()


def _sound(folder: str, sound: str, seconds: float) -> str:
    samples, rate = read_sound(sound)
    path = Path(folder) / "sound.wav"
    with soundfile.SoundFile(path, "w", rate, samples.shape[1], subtype="PCM_16") as f:
        left = round(seconds * rate)
        while left > 0:
            f.write(samples[:left])
            left -= len(samples)
    return str(path)


def _measure(seconds: float, preset: str, sound: str, block: int) -> dict[str, Any]:
    with_jack = shutil.which("jackd") is not None
    each = seconds / len(HOGS)
    rows: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        path = _sound(folder, sound, seconds + 60.0)
        ears: dict[str, Connection] = {}
        if with_jack:
            stack.enter_context(jack_server(realtime=_may_be_realtime(), block=block, wait=True))
            for name in ("jack", "frames"):
                ears[name], (_, block) = stack.enter_context(_process(receiver, name))
        line, _ = stack.enter_context(_process(host, preset, path, with_jack))
        for name, hog in HOGS.items():
            for ear in ears.values():
                _collect(ear)
            line.send(True)
            progress(f"{name}, {each:.0f} s")
            stop = threading.Event()
            thread = threading.Thread(target=hog, args=(stop,)) if hog else None
            if thread:
                thread.start()
            time.sleep(each)
            stop.set()
            if thread:
                thread.join()
            line.send(False)
            logs, status, priority = line.recv()
            rows.append({"beside": name, "path": "send"} | judge_send(logs["send"]))
            for path_name, ear in ears.items():
                found = judge_received([due for _, due, _ in logs[path_name]], _collect(ear))
                rows.append({"beside": name, "path": path_name} | found)
            about = {"load": status["load"], "late_ticks_of_lane": status["late"], "priority": priority}
        progress("")
    return {
        "bpm": BPM,
        "seconds_each": each,
        "preset": preset,
        "jack_block": block if with_jack else None,
        **about,
        "paths": rows,
    }


def _collect(line: Connection) -> Heard:
    line.send("ticks")
    heard: Heard = line.recv()
    return heard


def main(argv: Sequence[str]) -> int:
    """``sidechain bench clock``."""
    p = parser("clock", __doc__)
    p.add_argument("--seconds", type=float, default=300.0, help="in all, shared by the conditions (300)")
    p.add_argument("--preset", default="everything", help="whose plugins run (everything)")
    p.add_argument("--sound", default="demo", help="a file, or demo")
    p.add_argument("--block", type=int, default=BLOCK, help="frames of JACK's blocks (default: %(default)s)")
    args = p.parse_args(argv)
    if args.seconds < 3.0:
        raise UserError("--seconds must be 3 or more")
    if not 16 <= args.block <= 8192:
        raise UserError("--block must be 16 to 8192")
    publish("clock", args, _measure(args.seconds, args.preset, args.sound, args.block))
    return 0
