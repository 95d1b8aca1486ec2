"""How long a step takes, beside peers and a probe of the memory."""
