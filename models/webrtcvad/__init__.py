"""Voice activity as of WebRTC; the package is an extra."""
