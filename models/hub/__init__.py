"""Adapters for published models in the formats of the Hugging Face hub; they need the extra ``hub``."""
