"""Arithmetic with broadcasting, and functions of one element."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import OUTPUT, Array, Needs, form, operation, unbroadcast

_CATEGORIES = {"b": 0, "u": 1, "i": 1, "f": 2}


def promote(x: Any, y: Any) -> tuple[Any, Any]:
    """Bring two operands to one dtype as torch does.

    Of bools, integers and floats the higher category decides, and within a category what has dimensions before what
    has none; numbers come last: an integer array with a Python float becomes float32.
    """
    x_is_array, y_is_array = isinstance(x, np.ndarray), isinstance(y, np.ndarray)
    if x_is_array and y_is_array:
        if x.dtype is y.dtype:
            return x, y
        x_rank = (_CATEGORIES[x.dtype.kind], x.ndim > 0)
        y_rank = (_CATEGORIES[y.dtype.kind], y.ndim > 0)
        if x_rank > y_rank:
            return x, y.astype(x.dtype)
        return (x.astype(y.dtype), y) if y_rank > x_rank else (x, y)
    if x_is_array:
        return _beside_number(x, y), y
    if y_is_array:
        return x, _beside_number(y, x)
    return x, y


def _beside_number(array: Array, number: bool | float) -> Array:
    kind = type(number)
    if kind is float and array.dtype.kind != "f":
        return array.astype(np.float32)
    return array.astype(np.int64) if kind is int and array.dtype.kind == "b" else array


# Each vjp keeps what it reads: of a product with a number not the tensor, of a sum only the forms.


@operation((), ())
def add(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    form_x, form_y = form(x), form(y)
    x, y = promote(x, y)

    def vjp(g: Array, out: Out) -> Gradients:
        return unbroadcast(g, form_x) if needs[0] else None, unbroadcast(g, form_y) if needs[1] else None

    return x + y, vjp


@operation((), ())
def sub(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    form_x, form_y = form(x), form(y)
    x, y = promote(x, y)

    def vjp(g: Array, out: Out) -> Gradients:
        return unbroadcast(g, form_x) if needs[0] else None, unbroadcast(-g, form_y) if needs[1] else None

    return x - y, vjp


@operation((1,), (0,))
def mul(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    form_x, form_y = form(x), form(y)
    x, y = promote(x, y)
    read_x, read_y = x if form_y else None, y if form_x else None

    def vjp(g: Array, out: Out) -> Gradients:
        return (
            unbroadcast(g * read_y, form_x) if needs[0] else None,
            unbroadcast(g * read_x, form_y) if needs[1] else None,
        )

    return x * y, vjp


@operation((1,), (0, 1))
def div(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    form_x, form_y = form(x), form(y)
    x, y = promote(x, y)
    if np.result_type(x, y).kind in "biu":
        x, y = np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.float32)
    read_x = x if form_y else None

    def vjp(g: Array, out: Out) -> Gradients:
        return (
            unbroadcast(g / y, form_x) if needs[0] else None,
            unbroadcast(-g * read_x / (y * y), form_y) if needs[1] else None,
        )

    return x / y, vjp


@operation((0, 1), (0, 1, OUTPUT))
def pow_(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    form_x, form_y = form(x), form(y)
    x, y = promote(x, y)
    value = x**y
    read_value = value if form_y else None

    def vjp(g: Array, out: Out) -> Gradients:
        by_x = by_y = None
        if needs[0]:
            # Where y is 0 the value is 1 and the derivative 0, although 0 ** (0 - 1) is infinite.
            if form_y:
                slope = np.where(y == 0, 0, y * x ** np.where(y == 0, 1, y - 1))
            else:
                slope = y * x ** (y - 1) if y else np.zeros_like(x)
            by_x = unbroadcast(g * slope, form_x)
        if needs[1]:
            # 0 ** y is 0 for every positive y: its derivative is 0, although log(0) is infinite.
            at_zero = np.equal(x, 0) & (y >= 0)
            by_y = unbroadcast(g * np.where(at_zero, 0, read_value * np.log(np.where(at_zero, 1, x))), form_y)
        return by_x, by_y

    return value, vjp


@operation(())
def neg(needs: Needs, x: Array) -> tuple[Array, VJP]:
    return -x, lambda g, out: (-g,)
