"""Key and chords."""
