"""Measurements of the host as a whole; those of one part live beside it, those of a model in its folder."""
