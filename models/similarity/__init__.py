"""Nearest pieces of a library of one's own."""
