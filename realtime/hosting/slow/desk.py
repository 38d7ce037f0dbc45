"""Whom the host of a slow plugin tells what has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from realtime.hosting.slow.wire import Answer

if TYPE_CHECKING:
    from realtime.hosting.slow.slot import SlowSlot


class Desk(Protocol):
    """Whom a slow plugin's host tells what has happened."""

    def result(self, slot: SlowSlot, answer: Answer) -> None:
        """The plugin says something about the sound."""

    def fault(self, text: str) -> None:
        """The plugin has failed; a line for the user."""

    def job(self, slot: SlowSlot, number: int, state: str) -> None:
        """A job was started, is done, was cancelled, has failed (with the reason)."""

    def progress(self, slot: SlowSlot, share: float, text: str) -> None:
        """How far a job is."""
