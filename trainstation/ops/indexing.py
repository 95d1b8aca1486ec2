"""Taking elements out of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainstation.gradtrack import VJP, Gradients
from trainstation.ops.operation import Array, operation


@operation((), view=True)
def getitem(x: Array, *, index: Any) -> tuple[Any, VJP]:
    """NumPy's indexing: integers, slices, None, Ellipsis, integer and boolean arrays."""
    value = x[index]
    parts = index if isinstance(index, tuple) else (index,)
    repeats = any(isinstance(part, list | np.ndarray) for part in parts)

    def vjp(g: Array, needs: Sequence[bool]) -> Gradients:
        gradient = np.zeros(x.shape, g.dtype)
        if repeats:  # an integer array may name an element twice
            np.add.at(gradient, index, g)
        else:
            gradient[index] = g
        return (gradient,)

    return value, vjp
