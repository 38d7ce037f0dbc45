"""Sound tags."""
