"""Procedural composer: one module of style tables per family, shared arranger."""
