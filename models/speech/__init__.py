"""Speech of a text, by published text-to-speech models."""
