"""The step engine: follows what has changed since the last step, checks what is new, and runs."""
