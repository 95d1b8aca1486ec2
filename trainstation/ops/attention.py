"""Attention in one node."""
