"""Seeds and generators: `manual_seed` for the shared stream, an own generator for each explicit seed."""

from __future__ import annotations

import numpy as np

__all__ = ["generator", "manual_seed"]

# Made when it is first drawn from: importing numpy.random takes as long as importing all of trainstation.
_shared: np.random.Generator | None = None


def manual_seed(seed: int) -> None:
    """Start the shared stream, which everything random without a seed of its own draws from, anew."""
    global _shared  # noqa: PLW0603  # the one shared stream
    _shared = generator(seed)


def generator(seed: int | None = None) -> np.random.Generator:
    """Return the shared stream for None, else a new one that depends on `seed` alone."""
    global _shared  # noqa: PLW0603  # the one shared stream
    if seed is not None:
        return np.random.Generator(np.random.PCG64(seed))
    if _shared is None:
        _shared = np.random.Generator(np.random.PCG64())
    return _shared
