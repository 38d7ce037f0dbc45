"""Methods of librosa, hosted for comparison only: tempo and pYIN. The package is an extra."""
