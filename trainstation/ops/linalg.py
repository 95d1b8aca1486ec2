"""Products of matrices and vectors."""

from __future__ import annotations

import numpy as np

from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import Array, Needs, form, operation, same_dtype, unbroadcast


@operation((1,), (0,))
def matmul(needs: Needs, x: Array, y: Array) -> tuple[Array, VJP]:
    """NumPy's matmul: vectors, matrices, and stacks of matrices that broadcast; one dtype, as in torch."""
    if not isinstance(y, np.ndarray) or not isinstance(x, np.ndarray):
        msg = "matmul needs two tensors; multiply by a number with *"
        raise TypeError(msg)
    if x.dtype is not y.dtype:
        same_dtype("matmul", x, y)

    def vjp(g: Array, out: Out) -> Gradients:
        # A vector is a matrix with one row (left) or one column (right).
        left = x[None, :] if x.ndim == 1 else x
        right = y[:, None] if y.ndim == 1 else y
        g = np.asarray(g)
        if y.ndim == 1:
            g = g[..., None]
        if x.ndim == 1:
            g = g[..., None, :]
        by_x = unbroadcast(g @ right.swapaxes(-1, -2), form(left)).reshape(x.shape) if needs[0] else None
        by_y = unbroadcast(left.swapaxes(-1, -2) @ g, form(right)).reshape(y.shape) if needs[1] else None
        return by_x, by_y

    try:
        return np.matmul(x, y), vjp
    except ValueError:
        msg = f"matmul: shapes {x.shape} and {y.shape} do not fit"
        raise ShapeError(msg) from None
