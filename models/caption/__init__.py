"""A sentence about the last seconds of sound, by a published audio captioner."""
