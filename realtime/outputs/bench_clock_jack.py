"""The receiving end of the clock bench: a JACK client that notes when each tick was, and what that shows.

JACK counts an xrun when its server or a client missed a block. The server then leaves out blocks, its frames lie
elsewhere, and what a client wrote into such a block may never be handed on: nothing that a sender could mend.
Ticks near one are therefore told apart, never left out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from realtime.bench.report import percentiles
from realtime.outputs.jack_frames import FrameTime, read_clock

NEAR = 0.1
"""Seconds from an xrun within which a tick is told apart: the readings of JACK's frames begin anew there."""


@dataclass
class Heard:
    """What a receiver noted: ``time.monotonic()`` seconds of ticks by JACK's frames, and of xruns."""

    ticks: list[float] = field(default_factory=list)
    xruns: list[float] = field(default_factory=list)


def receiver(line: Connection, name: str) -> None:
    """Entry point of a receiving process.

    Says ``ready`` and the size of JACK's block, then hands over what it heard whenever asked.
    """
    import jack

    client = jack.Client(f"bench-{name}", no_start_server=True)
    port = client.midi_inports.register("in")
    clock = FrameTime(float(client.samplerate))
    heard = Heard()

    @client.set_xrun_callback
    def xrun(_: float) -> None:
        heard.xruns.append(time.monotonic())
        clock.jumped()

    def process(frames: int) -> None:
        clock.cycle(client.last_frame_time, *read_clock(client))
        for at, data in port.incoming_midi_events():
            if bytes(data) == b"\xf8":
                heard.ticks.append(clock.time_of(clock.begin + at))

    client.set_process_callback(process)
    with client:
        line.send(("ready", client.blocksize))
        while line.recv() == "ticks":
            line.send(Heard(heard.ticks[:], heard.xruns[:]))
            heard.ticks.clear()
            heard.xruns.clear()


def judge_received(due: Sequence[float], heard: Heard) -> dict[str, Any]:
    """Figures of a receiver: deviation from the deadlines in ms, ticks missing and doubled, drift.

    Outputs are quiet between conditions, so the n-th arrival belongs to the n-th deadline; if some were lost, to
    the nearest one. ``clear`` are those more than `NEAR` seconds from an xrun.
    """
    wanted, found = np.asarray(due), np.asarray(heard.ticks)
    if min(len(wanted), len(found)) < 2:
        return {"ticks": len(found), "missing": len(due), "doubled": len(found)}
    lost = np.zeros(0)
    if len(wanted) != len(found):
        delay = float(np.median(found)) - float(np.median(wanted))
        at = found - delay if abs(delay) < 0.5 else found
        after = np.clip(np.searchsorted(wanted, at), 1, len(wanted) - 1)
        own = np.where(at - wanted[after - 1] < wanted[after] - at, after - 1, after)
        lost = np.delete(wanted, own)
        wanted = wanted[own]
    error = 1000.0 * (found - wanted)
    off = np.abs(error - np.median(error))
    clear = ~_near(found, heard.xruns)
    part = max(1, len(error) // 10)
    return {
        "ticks": len(found),
        "missing": max(0, len(due) - len(found)),
        "doubled": max(0, len(found) - len(due)),
        "delay_ms": float(np.median(error)),
        "sd_ms": float(np.std(error)),
        **{f"{k}_ms": v for k, v in percentiles(off.tolist()).items() if k != "count"},
        "drift_ms": float(np.median(error[-part:]) - np.median(error[:part])),
        "xruns": len(heard.xruns),
        "missing_near": int(np.count_nonzero(_near(lost, heard.xruns))),
        "clear_ticks": int(np.count_nonzero(clear)),
        "clear_sd_ms": float(np.std(error[clear])) if clear.any() else None,
        "clear_max_ms": float(np.max(off[clear])) if clear.any() else None,
    }


def _near(times: np.ndarray[Any, Any], xruns: Sequence[float]) -> np.ndarray[Any, Any]:
    """Which of some moments lie near an xrun."""
    near = np.zeros(len(times), bool)
    for xrun in xruns:
        near |= np.abs(times - xrun) < NEAR
    return near
