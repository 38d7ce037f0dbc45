"""Speech to text behind voice activity, keywords, named entities; extras ``whisper`` and ``entities``."""
