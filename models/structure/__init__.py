"""Structure: energy, sections, build-ups, drops."""
