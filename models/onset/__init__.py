"""Onset detector."""
