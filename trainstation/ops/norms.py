"""Normalisation over the last dimensions."""
