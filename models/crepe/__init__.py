"""CREPE tiny, a published pitch network; its weights come through the model store."""
