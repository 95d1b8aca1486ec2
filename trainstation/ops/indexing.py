"""Taking elements out of an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import Array, Needs, operation


@operation((), view=True)
def getitem(needs: Needs, x: Array, *, index: Any) -> tuple[Any, VJP]:
    """NumPy's indexing: integers, slices, None, Ellipsis, integer and boolean arrays."""
    # A copy, for the caller may write to his index arrays before backward.
    parts = tuple(
        np.array(part) if isinstance(part, list | np.ndarray) else part
        for part in (index if isinstance(index, tuple) else (index,))
    )
    value = x[parts if isinstance(index, tuple) else index]
    shape = x.shape
    repeats = any(isinstance(part, np.ndarray) and part.dtype.kind != "b" for part in parts)

    def vjp(g: Array, out: Out) -> Gradients:
        gradient = np.zeros(shape, g.dtype)
        if repeats:  # an integer array may name an element twice
            np.add.at(gradient, parts, g)
        else:
            gradient[parts] = g
        return (gradient,)

    return value, vjp
