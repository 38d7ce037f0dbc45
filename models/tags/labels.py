"""The tags and what counts as sounding: shared by renderer, training, plugin and bench."""

from __future__ import annotations

FAMILIES = ("drums", "bass", "guitar", "keys", "strings", "brass", "winds", "synth")
"""Instrument families; ``keys`` are piano, electric piano, organ and the like."""

TAGS = ("silence", "speech", "singing", "music", "applause", *FAMILIES)
"""In the order of the network's answers. ``applause``: applause-like noise of many small events."""

LEARNT = TAGS[1:]
"""Tags that the network answers: all but silence, which is arithmetic."""

STEMS = ("speech", "singing", "applause", *FAMILIES, "other")
"""What the renderer keeps the level of; ``other`` is sound with no tag of its own."""

SILENCE_DB = -60.0
"""A tenth of a second below this level, dBFS RMS, is silence."""

FRAME = 0.1
"""Seconds of one step of labels, network and results."""
