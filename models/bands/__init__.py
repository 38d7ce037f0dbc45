"""Three-band levels for lights."""
