"""Sound that jobs have made, played from the next downbeat on."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.audio.playback import Player
from realtime.errors import UserError

if TYPE_CHECKING:
    from realtime.engine import Engine

_AHEAD = 0.3
"""Least seconds before a downbeat in which a sound can be got ready."""

_MOST_WAITING = 4


def next_downbeat(engine: Engine) -> float | None:
    """``time.monotonic()`` of the next downbeat that can still be met; None while there is no clock to follow."""
    timeline = engine.transport.timeline
    if not (engine.source.live and engine.clock.running and timeline.tempo > 0.0):
        return None
    beat = math.ceil(timeline.beat_at(engine.stream_now() + _AHEAD))
    for number in range(beat, beat + 24):
        if timeline.place(number).beat_in_bar == 1:
            at = timeline.time_of(number)
            return engine.clock.host_time_at(at) if math.isfinite(at) else None
    return None


class Playing:
    """A thread that reads files and hands them to devices, each opened when first needed.

    Parameters
    ----------
    when : callable
        The instant (``time.monotonic()``) to begin at, or None = at once.
    say : callable
        Told in one line what the user should know.
    """

    def __init__(self, when: Callable[[], float | None], say: Callable[[str], None]) -> None:
        self._when, self._say = when, say
        self._wanted: queue.Queue[tuple[str, str] | None] = queue.Queue(_MOST_WAITING)
        self._players: dict[str, Player] = {}
        self._thread: threading.Thread | None = None

    def play(self, to: str, path: str) -> None:
        """Have a file played; one that comes while too many wait is not (said). From one thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="playing")
            self._thread.start()
        try:
            self._wanted.put_nowait((to, path))
        except queue.Full:
            self._say(f"{path} is not played: too many sounds wait already")

    def stop(self) -> None:
        """End; what plays falls silent."""
        if self._thread is not None:
            while self._thread.is_alive():
                try:
                    self._wanted.put(None, timeout=0.2)
                    break
                except queue.Full:
                    continue
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        try:
            while (wanted := self._wanted.get()) is not None:
                to, path = wanted
                try:
                    if to not in self._players:
                        self._players[to] = Player(to)
                    at = self._players[to].play(Path(path), self._when() or 0.0)
                    self._say(f"{Path(path).name} plays in {max(0.0, at - time.monotonic()):.1f} s")
                except UserError as e:
                    self._say(str(e))
                except Exception as e:  # a device that has gone: the host goes on
                    self._say(f"{path} cannot be played: {e.__class__.__name__}: {e}")
        finally:
            for player in self._players.values():
                player.stop()
