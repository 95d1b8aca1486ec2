"""Products of matrices and vectors."""

from __future__ import annotations

import math

import numpy as np

from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import Array, Needs, form, operation, room, same_dtype, unbroadcast


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


@operation((1,), (0,), ())
def linear(needs: Needs, x: Array, weight: Array, bias: Array | None) -> tuple[Array, VJP]:
    """x @ weight.T + bias in one node: x (..., in), weight (out, in), bias (out,) or None, value (..., out)."""
    dtype, shape, outer = weight.dtype, weight.shape, x.shape[:-1]
    if x.dtype is not dtype or (bias is not None and bias.dtype is not dtype):
        same_dtype("linear", x, weight, bias)
    if len(shape) != 2 or x.shape[-1:] != shape[1:] or (bias is not None and bias.shape != shape[:1]):  # noqa: PLR2004
        there = "" if bias is None else f", {bias.shape}"
        msg = f"linear needs input (..., in), weight (out, in), bias (out,), not {x.shape}, {weight.shape}{there}"
        raise ShapeError(msg)
    # One product of two matrices; `dot` is quicker than `@` to come to it.
    rows = x if len(outer) == 1 else x.reshape(math.prod(outer), shape[1])
    value = rows.dot(weight.T)
    if bias is not None:
        np.add(value, bias, value)
    of_x, of_weight, of_bias = needs
    if not of_x:
        weight = bias = None  # type: ignore[assignment]  # nothing is kept that is not read
    if not of_weight:
        x = rows = None  # type: ignore[assignment]  # likewise

    def vjp(g: Array, out: Out) -> Gradients:
        g = g if len(outer) == 1 else g.reshape(math.prod(outer), shape[0])
        return (
            g.dot(weight).reshape(*outer, shape[1]) if of_x else None,
            np.dot(g.T, rows, room(out[1], shape, dtype)) if of_weight else None,
            np.add.reduce(g, 0, None, room(out[2], shape[:1], dtype)) if of_bias else None,
        )

    return value if len(outer) == 1 else value.reshape(*outer, shape[0]), vjp
