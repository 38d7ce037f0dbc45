"""Tempo and beat tracker without training: the dependable fallback."""
