"""A whole training step, beside torch eager."""
