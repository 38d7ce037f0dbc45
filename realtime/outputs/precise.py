"""Waiting precisely without keeping others from running, and asking for real-time priority."""

from __future__ import annotations

import os
import time

OUTPUTS_PRIORITY, FASTLANE_PRIORITY, SLOWLANE_PRIORITY = 3, 2, 1
"""Real-time priorities: above all ordinary threads, below those of JACK's clients (5), which carry the sound."""
FINE = 0.0004
"""Seconds before a deadline at which waiting for other work ends."""
_SPIN = 0.00008


def sleep_until(due: float) -> None:
    """Sleep until ``time.monotonic()`` reaches `due`; returns a few microseconds late.

    Sleeps for most of it and yields for the rest, so that the interpreter stays free for other threads.
    """
    while True:
        left = due - time.monotonic()
        if left <= 0.0:
            return
        time.sleep(left - _SPIN if left > _SPIN else 0.0)


def ask_for_priority(priority: int = OUTPUTS_PRIORITY) -> tuple[bool, str]:
    """Ask the system to schedule this thread in real time; returns whether it does, and a line that says so."""
    if not hasattr(os, "sched_setscheduler"):
        return False, "real-time priority is not offered by this system"
    try:
        # Processes that this thread starts are ordinary ones.
        policy = os.SCHED_FIFO | getattr(os, "SCHED_RESET_ON_FORK", 0)
        os.sched_setscheduler(0, policy, os.sched_param(priority))
    except (PermissionError, OSError) as e:
        return False, f"real-time priority refused ({e.strerror}); 'ulimit -r' or the group 'audio' grants it"
    return True, f"real-time priority {priority}"
