"""Stems of the last seconds, by Demucs."""
