"""Signal-processing parts that several plugins share."""
