"""Level and loudness meter."""
