"""The window gives way to the sound: its process asks for less of the processor than the host has."""

from __future__ import annotations

import contextlib
import os

NICER = 10


def give_way() -> None:
    """Lower this thread's and its future threads' priority where the system can (Linux, macOS)."""
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICER)
