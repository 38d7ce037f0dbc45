"""Basic Pitch, a published network that hears several notes at once; its weights come through the model store."""
