"""Arithmetic with broadcasting, and functions of one element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainstation.gradtrack import VJP, Gradients
from trainstation.ops.operation import OUTPUT, Array, operation, unbroadcast


def promote(x: Any, y: Any) -> tuple[Any, Any]:
    """Bring two operands to one dtype as torch does.

    Integers and bools with a float take the float's dtype, and so does a 0-d float with one that has dimensions; an
    integer array with a Python float becomes float32.
    """
    x_is_array, y_is_array = isinstance(x, np.ndarray), isinstance(y, np.ndarray)
    if x_is_array and y_is_array:
        if x.dtype is y.dtype:
            return x, y
        x_floats, y_floats = x.dtype.kind == "f", y.dtype.kind == "f"
        if x_floats and (not y_floats or (y.ndim == 0 and x.ndim > 0)):
            return x, y.astype(x.dtype)
        if y_floats and (not x_floats or (x.ndim == 0 and y.ndim > 0)):
            return x.astype(y.dtype), y
        return x, y
    if x_is_array and type(y) is float and x.dtype.kind in "biu":
        return x.astype(np.float32), y
    if y_is_array and type(x) is float and y.dtype.kind in "biu":
        return x, y.astype(np.float32)
    return x, y


@operation((), ())
def add(x: Any, y: Any) -> tuple[Array, VJP]:
    x, y = promote(x, y)

    def vjp(g: Array, needs: Sequence[bool]) -> Gradients:
        return unbroadcast(g, x) if needs[0] else None, unbroadcast(g, y) if needs[1] else None

    return x + y, vjp


@operation((), ())
def sub(x: Any, y: Any) -> tuple[Array, VJP]:
    x, y = promote(x, y)

    def vjp(g: Array, needs: Sequence[bool]) -> Gradients:
        return unbroadcast(g, x) if needs[0] else None, unbroadcast(-g, y) if needs[1] else None

    return x - y, vjp


@operation((1,), (0,))
def mul(x: Any, y: Any) -> tuple[Array, VJP]:
    x, y = promote(x, y)

    def vjp(g: Array, needs: Sequence[bool]) -> Gradients:
        return unbroadcast(g * y, x) if needs[0] else None, unbroadcast(g * x, y) if needs[1] else None

    return x * y, vjp


@operation((1,), (0, 1))
def div(x: Any, y: Any) -> tuple[Array, VJP]:
    x, y = promote(x, y)
    if np.result_type(x, y).kind in "biu":
        x, y = np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.float32)

    def vjp(g: Array, needs: Sequence[bool]) -> Gradients:
        return unbroadcast(g / y, x) if needs[0] else None, unbroadcast(-g * x / (y * y), y) if needs[1] else None

    return x / y, vjp


@operation((0, 1), (0, OUTPUT))
def pow_(x: Any, y: Any) -> tuple[Array, VJP]:
    x, y = promote(x, y)
    value = x**y

    def vjp(g: Array, needs: Sequence[bool]) -> Gradients:
        by_x = by_y = None
        if needs[0]:
            if isinstance(y, np.ndarray):
                # Where y is 0 the value is 1 and the derivative 0, although 0 ** (0 - 1) is infinite.
                slope = np.where(y == 0, 0, y * x ** np.where(y == 0, 1, y - 1))
            else:
                slope = y * x ** (y - 1) if y else np.zeros_like(x)
            by_x = unbroadcast(g * slope, x)
        if needs[1]:
            by_y = unbroadcast(g * value * np.log(np.where(np.equal(x, 0), 1, x)), y)
        return by_x, by_y

    return value, vjp


@operation(())
def neg(x: Array) -> tuple[Array, VJP]:
    return -x, lambda g, needs: (-g,)


@operation((OUTPUT,))
def relu(x: Array) -> tuple[Array, VJP]:
    value = np.maximum(x, 0)
    return value, lambda g, needs: (g * (value > 0),)


@operation((OUTPUT,))
def tanh(x: Array) -> tuple[Array, VJP]:
    value = np.tanh(x)
    return value, lambda g, needs: (g * (1 - value * value),)


@operation((OUTPUT,))
def sigmoid(x: Array) -> tuple[Array, VJP]:
    decay = np.exp(-np.abs(x))  # never overflows
    value = np.where(x >= 0, 1, decay) / (1 + decay)
    return value, lambda g, needs: (g * value * (1 - value),)
