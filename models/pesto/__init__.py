"""PESTO, a published pitch network with a short response; its weights come through the model store."""
