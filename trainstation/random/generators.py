"""Generator: one stream of random numbers. `trainstation.random` imports it on use, as NumPy's random is slow to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

__all__ = ["Generator"]


class Generator(np.random.Generator):
    """NumPy's generator over PCG64, started by a seed; None starts it anywhere.

    Whatever takes `generator=` takes this or any other NumPy generator.
    """

    def __init__(self, seed: int | None = None) -> None:
        """Start the stream; ValueError for a negative seed."""
        super().__init__(np.random.PCG64(seed))

    def manual_seed(self, seed: int) -> Self:
        """Start the stream of another seed."""
        self.bit_generator.state = np.random.PCG64(seed).state
        return self

    def get_state(self) -> dict[str, Any]:
        """Return where the stream stands: texts and integers, fit for JSON."""
        return dict(self.bit_generator.state)

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where a stream stood at `get_state()`; ValueError for anything else."""
        bits = np.random.PCG64(0)
        try:
            bits.state = state  # type: ignore[assignment]  # checked by that
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            msg = f"not the state of a generator: {error!r}"
            raise ValueError(msg) from None
        self.bit_generator.state = bits.state

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Generator], tuple[dict[str, Any]]]:  # type: ignore[override]
        return _restored, (self.get_state(),)


def _restored(state: dict[str, Any]) -> Generator:
    made = Generator(0)
    made.set_state(state)
    return made
