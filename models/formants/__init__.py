"""Formants of a voice by Praat; GPL-3.0, an extra of its own."""
