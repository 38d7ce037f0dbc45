"""How the job of a job plugin stands, as its host knows it."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from realtime.errors import UserError
from realtime.hosting.slow.shared import Board
from realtime.hosting.slow.snapshot import Heard

CANCELLED_WITHIN = 2.0
"""Seconds a cancelled job has to end by itself."""


class JobState:
    """One job at a time. ``start`` and ``cancel`` may be called from any thread; the rest from the slow lane's.

    Attributes
    ----------
    state : str
        ``""``, ``"waiting"`` (for its worker), ``"running"``, ``"done"``, ``"cancelled"`` or ``"failed"``.
    number : int
        Of the newest job, from 1.
    share : float
        How far it is, 0–1.
    """

    def __init__(self, identifier: str, board: Board) -> None:
        self.state = ""
        self.number = 0
        self.share = 0.0
        self._identifier = identifier
        self._board = board
        self._lock = threading.Lock()
        self._request: tuple[dict[str, Any], Heard] = {}, {}
        self._cancel_by = math.inf

    def start(self, request: dict[str, Any], results: Heard | None = None) -> int:
        """Have a job begun; returns its number. Raises ``UserError`` if one runs."""
        with self._lock:
            if self.unfinished:
                raise UserError(f"job '{self._identifier}' runs already; job.cancel ends it")
            self.number += 1
            self.share, self.state, self._cancel_by = 0.0, "waiting", math.inf
            self._request = request, results or {}
            return self.number

    def cancel(self) -> None:
        """Have it ended. Raises ``UserError`` if none runs."""
        with self._lock:
            if not self.unfinished:
                raise UserError(f"job '{self._identifier}' does not run")
            self._board["cancel"] = float(self.number)
            self._cancel_by = time.monotonic() + CANCELLED_WITHIN

    @property
    def unfinished(self) -> bool:
        """Whether there is something to do, or being done."""
        return self.state in ("waiting", "running")

    @property
    def running(self) -> bool:
        """Whether the worker is at it."""
        return self.state == "running"

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants the job to end."""
        return self._board["cancel"] >= self.number

    def request(self) -> tuple[dict[str, Any], Heard] | None:
        """What waits for the worker: the request, and what others have said."""
        return self._request if self.state == "waiting" else None

    def begun(self) -> None:
        """The worker has been told."""
        with self._lock:
            self._request, self.state = ({}, {}), "running"

    def deaf(self, now: float) -> bool:
        """Whether it runs on though it was cancelled long enough ago."""
        return self.running and self.cancelled and now > self._cancel_by

    def finish(self, number: int, fault: str) -> str:
        """Job `number` is over, by a fault or not; returns how, or "" if that is no news."""
        with self._lock:
            if number != self.number or not self.unfinished:
                return ""
            self.state = "cancelled" if self.cancelled else "failed" if fault else "done"
            return f"failed: {fault}" if self.state == "failed" else self.state

    def status(self) -> dict[str, Any]:
        """As plain data."""
        return {"number": self.number, "state": self.state, "progress": self.share}
