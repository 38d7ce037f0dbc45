"""Own vectorised synthesis, one-shot sampler and sound-font rendering."""
