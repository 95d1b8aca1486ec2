"""A linear layer in one node, alone and with the ReLU behind it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trainstation import kernels
from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import FLOATS, OUTPUT, Array, Needs, operation, room, same_dtype

_RELU_GRAD = kernels.MAPS["relu_grad"]
_add: Any = np.add.reduce  # its arguments go by position, which is quicker


@operation((1,), (0,), ())
def linear(needs: Needs, x: Array, weight: Array, bias: Array | None) -> tuple[Array, VJP]:
    """x @ weight.T + bias: x (..., in), weight (out, in), bias (out,) or None, value (..., out)."""
    rows = _rows(x, weight, bias)
    value = rows.dot(weight.T)
    if bias is not None:
        np.add(value, bias, value)
    vjp = _vjp(needs, x.shape[:-1], rows, weight)
    return value if x.ndim == _MATRIX else value.reshape(*x.shape[:-1], weight.shape[0]), vjp


@operation((1, OUTPUT), (0, OUTPUT), (OUTPUT,))
def linear_relu(needs: Needs, x: Array, weight: Array, bias: Array) -> tuple[Array, VJP]:
    """max(x @ weight.T + bias, 0): one pass over the value less, and one array less, than the two by themselves."""
    rows = _rows(x, weight, bias)
    value = rows.dot(weight.T)
    if weight.dtype in FLOATS:
        kernels.bias_relu(value, bias)
    else:
        np.maximum(value + bias, 0, value)
    of_linear = _vjp(needs, x.shape[:-1], rows, weight)

    def vjp(g: Array, out: Out) -> Gradients:
        g = g.reshape(value.shape)
        return of_linear(kernels.map_elements(_RELU_GRAD, value, g) if g.dtype in FLOATS else g * (value > 0), out)

    return value if x.ndim == _MATRIX else value.reshape(*x.shape[:-1], weight.shape[0]), vjp


_MATRIX = 2  # dimensions


def _rows(x: Array, weight: Array, bias: Array | None) -> Array:
    """Check the operands, and return x as a matrix: one product of two matrices is quicker than many."""
    dtype, shape = weight.dtype, weight.shape
    if x.dtype is not dtype or (bias is not None and bias.dtype is not dtype):
        same_dtype("linear", x, weight, bias)
    if len(shape) != _MATRIX or x.shape[-1:] != shape[1:] or (bias is not None and bias.shape != shape[:1]):
        there = "" if bias is None else f", {bias.shape}"
        msg = f"linear needs input (..., in), weight (out, in), bias (out,), not {x.shape}, {weight.shape}{there}"
        raise ShapeError(msg)
    return x if x.ndim == _MATRIX else x.reshape(math.prod(x.shape[:-1]), shape[1])


def _vjp(needs: Needs, outer: tuple[int, ...], rows: Array | None, weight: Array | None) -> VJP:
    """Return the vector-Jacobian product of x @ weight.T + bias; nothing is kept that no gradient reads."""
    assert weight is not None
    (length, width), dtype = weight.shape, weight.dtype
    of_x, of_weight, of_bias = needs
    if not of_x:
        weight = None
    if not of_weight:
        rows = None

    def vjp(g: Array, out: Out) -> Gradients:
        if len(outer) != 1:
            g = g.reshape(math.prod(outer), length)
        by_x = g.dot(weight) if of_x else None  # type: ignore[arg-type]  # kept where it is needed
        return (
            by_x if by_x is None or len(outer) == 1 else by_x.reshape(*outer, width),
            np.dot(g.T, rows, room(out[1], (length, width), dtype)) if of_weight else None,  # type: ignore[arg-type]  # likewise
            _add(g, 0, None, room(out[2], (length,), dtype)) if of_bias else None,
        )

    return vjp
