"""Vamp plugins, the standard of audio analysis plugins, hosted through their C interface."""
