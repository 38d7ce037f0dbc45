"""Names of keys and chords, and the Camelot wheel."""

from __future__ import annotations

MAJORS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINORS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
NO_CHORD = "N"


def key_name(index: int) -> str:
    """``"C major"`` … of a class: majors C to B, then minors."""
    return f"{MAJORS[index]} major" if index < 12 else f"{MINORS[index - 12]} minor"


def chord_name(index: int) -> str:
    """``"C"``, ``"Am"`` …; ``"N"`` for none."""
    if index == 24:
        return NO_CHORD
    return MAJORS[index] if index < 12 else f"{MINORS[index - 12]}m"


def camelot(index: int) -> str:
    """Place on the Camelot wheel: neighbours mix well; ``B`` is major, ``A`` its relative minor."""
    relative = index if index < 12 else index - 12 + 3
    return f"{(relative * 7 + 7) % 12 + 1}{'B' if index < 12 else 'A'}"
