"""Rows: what is measured, how it is written and read back."""
