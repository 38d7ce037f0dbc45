"""Sound effects as an insert, by the package pedalboard (an extra, GPL-3.0)."""
