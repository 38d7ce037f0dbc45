"""RNNoise, a published noise suppressor for voices; its library comes through the model store."""
