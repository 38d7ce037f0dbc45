"""The words of the structure plugin, shared by truth, network, tracker and plugins, and what they mean.

They go by what can be heard, not by what a composer calls it:

breakdown
    The beat has left: neither kick nor snare plays, or neither kick nor bass.
build
    Tension rises towards the next section: a roll, a riser or an opening filter, before full force.
drop
    Full force: kick, snare and bass play, as far as the piece has them, nearly all other parts too, and it is
    about as loud as the piece's beat gets. Also a chorus.
groove
    A beat plays, but not all of it: verses, intros with drums, grooves without bass.

The event ``drop`` asks for less than the state: kick, snare and bass are back after a breakdown or build-up.

A stretch of less than four seconds is part of the one before it: a bar of silence is no breakdown.
"""

from __future__ import annotations

STATES = ("breakdown", "build", "groove", "drop")

EVENTS = ("build", "drop", "breakdown", "change")
"""A build-up begins; the whole beat is back after a breakdown or build-up; the beat leaves; a new section."""
