"""The words of the structure plugin: shared by truth, network, tracker and plugins."""

from __future__ import annotations

STATES = ("breakdown", "build", "groove", "drop")
"""Few or no drums; on the way up; the piece goes along; full force (drop or chorus)."""

EVENTS = ("build", "drop", "breakdown", "change")
"""A build-up begins; full force after a breakdown or build-up; drums leave; any new section."""
