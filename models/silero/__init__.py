"""Silero VAD, a published detector of speech; its weights come through the model store."""
