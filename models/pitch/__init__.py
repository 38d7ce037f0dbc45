"""Pitch tracker."""
