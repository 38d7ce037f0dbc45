"""Beats from the activations of a published tracker that is hosted as a bundle."""
