"""Ableton Link: leads a session by the musical clock, or lets the clock follow a session.

Needs the extra ``link`` (LinkPython-extern, a binding to Ableton's GPL library; never part of the core).
Bars are aligned: the quantum is the bar. Phase errors are slewed away by tempo; the session is made to jump only
when the clock itself begins anew (first lock, relocation, resync) or counts other bars than before.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, ClassVar, Literal

from pydantic import Field

from realtime.bus import Event
from realtime.errors import UserError
from realtime.outputs.output import GridPoint, Host, OutputPort, OutputSettings

GRID = Fraction(1, 4)
TOLERANCE = 0.008
"""Beats of phase error that are left alone (4 ms at 120 BPM): peers must not see the tempo flicker."""
SETTLED = 0.002
SPREAD = 4.0
"""Beats over which a phase error is slewed away."""
SAID_WITHIN = 0.15
"""Seconds that the last word (stop) is given to reach the peers before we leave."""
_FOLLOW_EVERY = 0.05


class LinkSettings(OutputSettings):
    """Settings of Ableton Link."""

    kind: Literal["link"] = "link"
    mode: Literal["lead", "follow"] = Field("lead", description="lead the session, or follow it")
    quantum: int = Field(0, ge=0, le=32, description="beats that are aligned; 0 = the bar")
    start_stop: bool = Field(True, description="start and stop peers together with the clock")
    max_slew: float = Field(0.02, gt=0.0, le=0.2, description="largest tempo deviation while correcting")


class PhaseLock:
    """How far a session's tempo must deviate so that its phase comes to ours, without jumping.

    Parameters
    ----------
    max_slew : float
        Largest deviation.
    """

    def __init__(self, max_slew: float) -> None:
        self._most = max_slew
        self._correcting = False

    def tempo(self, tempo: float, error: float) -> float:
        """BPM to set when the session is `error` beats behind (positive) or ahead of us."""
        if abs(error) > TOLERANCE:
            self._correcting = True
        elif abs(error) < SETTLED:
            self._correcting = False
        if not self._correcting:
            return tempo
        return tempo * (1.0 + max(-self._most, min(self._most, error / SPREAD)))


def phase_error(wanted: float, found: float, quantum: float) -> float:
    """`wanted` − `found` in beats, the short way round the bar."""
    return (wanted - found + quantum / 2) % quantum - quantum / 2


class LinkOutput(OutputPort):
    """A peer of a Link session."""

    Settings: ClassVar[type[OutputSettings]] = LinkSettings

    def __init__(self, settings: OutputSettings, host: Host) -> None:
        super().__init__(settings, host)
        assert isinstance(settings, LinkSettings)
        self._settings = settings
        self._link: Any = None
        self._lock = PhaseLock(settings.max_slew)
        self._anew = True
        self._playing = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self.jumps = 0
        self.grids = (GRID,) if settings.mode == "lead" else ()

    def open(self) -> None:
        """Join the session. Raises ``UserError`` if the extra is not installed."""
        try:
            import link
        except ImportError as e:
            raise UserError("output 'link' needs the extra: pip install 'sidechain[link]'") from e
        tempo = self.host.value("transport.bpm")
        bpm = tempo.value if tempo is not None and isinstance(tempo.value, float) and tempo.value > 0 else 120.0
        self._link = link.Link(min(999.0, max(20.0, bpm)))
        self._link.startStopSyncEnabled = self._settings.start_stop
        self._link.enabled = True
        if self._settings.mode == "follow":
            self._ending.clear()
            self._thread = threading.Thread(target=self._follow, name="link")
            self._thread.start()

    @property
    def peers(self) -> int:
        """Other programs in the session."""
        return int(self._link.numPeers()) if self._link is not None else 0

    def on_grid(self, point: GridPoint) -> None:
        """Four times a beat: bring the session's tempo and bar phase to ours."""
        if self._link is None:
            return
        quantum = float(self._settings.quantum or point.beats_per_bar)
        at = self._micros(point.due)
        number = math.floor(point.position)
        wanted = float(point.position - number) + (point.beat_in_bar - 1) % quantum
        state = self._link.captureAppSessionState()
        error = phase_error(wanted, state.phaseAtTime(at, quantum), quantum)
        downbeat = point.beat_in_bar == 1 and point.position == number
        if self._anew or (abs(error) > 0.5 and downbeat):
            self._anew = False
            self.jumps += abs(error) > TOLERANCE
            state.forceBeatAtTime(wanted, at, quantum)
            error = 0.0
        tempo = min(999.0, max(20.0, self._lock.tempo(point.tempo, error if abs(error) <= 0.5 else 0.0)))
        if abs(tempo - state.tempo()) > 0.005:
            state.setTempo(tempo, at)
        if self._settings.start_stop and downbeat and not self._playing:
            self._playing = True
            state.setIsPlaying(True, at)
        self._link.commitAppSessionState(state)
        self.sent(f"{point.tempo:.1f} BPM, {self.peers} peers")

    def on_test(self, point: GridPoint) -> None:
        """Says who is there; a session must not jump for a test."""
        self.sent(f"{self.peers} peers")

    def on_events(self, events: Sequence[Event]) -> None:
        """A jump of the clock is a jump of the session."""
        if any(e.plugin == "transport" and e.output == "relocated" for e in events):
            self._anew = True

    def on_stop(self) -> None:
        """Stop peers, if they were started by us."""
        self._anew = True
        if self._link is not None and self._playing:
            self._playing = False
            state = self._link.captureAppSessionState()
            state.setIsPlaying(False, self._link.clock().micros())
            self._link.commitAppSessionState(state)

    def close(self) -> None:
        """Leave the session."""
        self._ending.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(3.0)
        link, self._link = self._link, None
        if link is not None:
            time.sleep(SAID_WITHIN)
            link.enabled = False

    def _micros(self, monotonic: float) -> int:
        """Link's clock at a ``time.monotonic()``; the two run side by side."""
        return int(self._link.clock().micros() + round((monotonic - time.monotonic()) * 1e6))

    def _follow(self) -> None:
        """Tell the clock, twenty times a second, where the session is. Thread of its own: commands take time."""
        while not self._ending.wait(_FOLLOW_EVERY):
            link = self._link
            if link is None or link.numPeers() == 0:
                continue
            metre = self.host.value("transport.beats_per_bar")
            bar = (
                int(metre.value)
                if metre is not None and isinstance(metre.value, float) and metre.value >= 1
                else 4
            )
            quantum = float(self._settings.quantum or bar)
            state = link.captureAppSessionState()
            ahead = self._settings.offset_ms / 1000.0
            phase = state.phaseAtTime(self._micros(time.monotonic() - ahead), quantum)
            try:
                params = {"bpm": float(state.tempo()), "beat": float(phase), "beats": int(quantum)}
                self.host.call("transport.sync", params)
                self.sent(f"{state.tempo():.1f} BPM, {self.peers} peers")
            except UserError as e:
                self.status.errors += 1
                self.status.message = str(e)
