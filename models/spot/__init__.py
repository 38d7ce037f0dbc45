"""Spotting of recorded examples: words, claps, whistles, any sound of one's own."""
