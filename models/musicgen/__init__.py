"""Music to a description, by MusicGen, at the tempo and in the key of the moment."""
