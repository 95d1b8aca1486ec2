"""Products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainstation.gradtrack import VJP, Gradients
from trainstation.ops.operation import Array, operation, unbroadcast


@operation((1,), (0,))
def matmul(x: Array, y: Array) -> tuple[Array, VJP]:
    """NumPy's matmul: vectors, matrices, and stacks of matrices that broadcast."""

    def vjp(g: Array, needs: Sequence[bool]) -> Gradients:
        # A vector is a matrix with one row (left) or one column (right).
        left = x[None, :] if x.ndim == 1 else x
        right = y[:, None] if y.ndim == 1 else y
        g = np.asarray(g)
        if y.ndim == 1:
            g = g[..., None]
        if x.ndim == 1:
            g = g[..., None, :]
        by_x = unbroadcast(g @ right.swapaxes(-1, -2), left).reshape(x.shape) if needs[0] else None
        by_y = unbroadcast(left.swapaxes(-1, -2) @ g, right).reshape(y.shape) if needs[1] else None
        return by_x, by_y

    return np.matmul(x, y), vjp


@operation((1,), (0,), ())
def linear(x: Array, weight: Array, bias: Array | None) -> tuple[Array, VJP]:
    """x @ weight.T + bias in one node: x (..., in), weight (out, in), bias (out,) or None, value (..., out)."""
    value = np.asarray(x @ weight.T)
    is_matrix = x.ndim == 2  # noqa: PLR2004
    if bias is not None:
        value += bias

    def vjp(g: Array, needs: Sequence[bool]) -> Gradients:
        rows = g if is_matrix else g.reshape(-1, weight.shape[0])
        return (
            g @ weight if needs[0] else None,
            rows.T @ (x if is_matrix else x.reshape(-1, weight.shape[1])) if needs[1] else None,
            rows.sum(axis=0) if needs[2] else None,
        )

    return value, vjp
