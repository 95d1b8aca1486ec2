"""Normalisation over the batch."""
