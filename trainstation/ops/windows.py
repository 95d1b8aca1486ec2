"""Convolutions and pooling: what looks through a window that slides."""
