"""Recognition of a library's own recordings by Chromaprint."""
