"""SwiftF0, a published pitch network with look-ahead; its weights come through the model store."""
