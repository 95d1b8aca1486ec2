"""Arithmetic and choice, element by element, with broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import OUTPUT, Array, Form, Needs, form, operation, unbroadcast

CATEGORIES = {"b": 0, "u": 1, "i": 1, "f": 2}


def promote(x: Any, y: Any) -> tuple[Any, Any]:
    """Bring two operands to one dtype as torch does.

    Of bools, integers and floats the higher category decides, and within a category what has dimensions before what
    has none; numbers come last: an integer array with a Python float becomes float32.
    """
    x_is_array, y_is_array = isinstance(x, np.ndarray), isinstance(y, np.ndarray)
    if x_is_array and y_is_array:
        if x.dtype is y.dtype:
            return x, y
        x_rank = (CATEGORIES[x.dtype.kind], x.ndim > 0)
        y_rank = (CATEGORIES[y.dtype.kind], y.ndim > 0)
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


def _operands(x: Any, y: Any) -> tuple[Any, Any, Form, Form]:
    """Promote two operands; with each comes the form of its gradient, None where the result has that form already."""
    if type(x) is type(y):
        if x.dtype is y.dtype and x.shape == y.shape:
            return x, y, None, None
    elif (x if isinstance(x, np.ndarray) else y).dtype.kind == "f":  # beside a number
        return x, y, None, None
    return *promote(x, y), form(x), form(y)


def _fit(gradient: Array, like: Form) -> Array:
    return gradient if like is None else unbroadcast(gradient, like)


def _refuse_bools(name: str, x: Any, y: Any) -> None:
    if (x if isinstance(x, np.ndarray) else y).dtype.kind == "b":
        msg = f"{name} of bools is not defined; of two masks, & | ^ are"
        raise TypeError(msg)


def _refuse_other_masks(name: str, mask: Any) -> None:
    if not isinstance(mask, np.ndarray) or mask.dtype.kind != "b":
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        msg = f"{name} needs a tensor of bools as its condition, not {kind}"
        raise TypeError(msg)


# Each vjp keeps what it reads: of a sum nothing, of a product only what a wanted gradient is made of.


@operation((), ())
def add(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    by_x, by_y = needs
    x, y, form_x, form_y = _operands(x, y)
    return x + y, lambda g, out: (_fit(g, form_x) if by_x else None, _fit(g, form_y) if by_y else None)


@operation((), ())
def sub(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    by_x, by_y = needs
    x, y, form_x, form_y = _operands(x, y)
    return x - y, lambda g, out: (_fit(g, form_x) if by_x else None, _fit(-g, form_y) if by_y else None)


@operation((1,), (0,))
def mul(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    by_x, by_y = needs
    x, y, form_x, form_y = _operands(x, y)
    read_x, read_y = x if by_y else None, y if by_x else None

    def vjp(g: Array, out: Out) -> Gradients:
        return _fit(g * read_y, form_x) if by_x else None, _fit(g * read_x, form_y) if by_y else None

    return x * y, vjp


@operation((1,), (1, OUTPUT))
def div(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    by_x, by_y = needs
    x, y, form_x, form_y = _operands(x, y)
    if (x if isinstance(x, np.ndarray) else y).dtype.kind != "f":
        x, y = np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.float32)
    value = x / y
    read_value = value if by_y else None

    def vjp(g: Array, out: Out) -> Gradients:
        part = g / y
        return _fit(part, form_x) if by_x else None, _fit(-part * read_value, form_y) if by_y else None

    return value, vjp


@operation((0, 1), (0, 1, OUTPUT))
def pow_(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    by_x, by_y = needs
    x, y, form_x, form_y = _operands(x, y)
    _refuse_bools("a power", x, y)
    value = x**y
    read_value = value if by_y else None

    def vjp(g: Array, out: Out) -> Gradients:
        of_x = of_y = None
        if by_x:
            # Where y is 0 the value is 1 and the derivative 0, although 0 ** (0 - 1) is infinite.
            if isinstance(y, np.ndarray):
                slope = np.where(y == 0, 0, y * x ** np.where(y == 0, 1, y - 1))
            else:
                slope = y * x ** (y - 1) if y else np.zeros_like(x)
            of_x = _fit(g * slope, form_x)
        if by_y:
            # 0 ** y is 0 for every positive y: its derivative is 0, although log(0) is infinite.
            log = np.log(np.where(np.equal(x, 0) & (y >= 0), 1, x), dtype=g.dtype)
            of_y = _fit(g * (read_value * log), form_y)
        return of_x, of_y

    return value, vjp


def _refuse_zeros(name: str, x: Any, y: Any) -> None:
    """Raise ZeroDivisionError as integers do; floats give an infinity or NaN."""
    if (x if isinstance(x, np.ndarray) else y).dtype.kind != "f" and not np.all(y):
        msg = f"{name} of integers by zero"
        raise ZeroDivisionError(msg)


def floor_divide(x: Any, y: Any) -> Array:
    """floor(x / y): made of steps, so that there is no gradient to record."""
    x, y = promote(x, y)
    _refuse_bools("floor division", x, y)
    _refuse_zeros("floor division", x, y)
    return np.asarray(x // y)


@operation((), (0, 1))
def remainder(needs: Needs, x: Any, y: Any) -> tuple[Array, VJP]:
    """x - y * floor(x / y), of the sign of y."""
    by_x, by_y = needs
    x, y, form_x, form_y = _operands(x, y)
    _refuse_bools("a remainder", x, y)
    _refuse_zeros("a remainder", x, y)
    read: Any = (x, y) if by_y else None

    def vjp(g: Array, out: Out) -> Gradients:
        return _fit(g, form_x) if by_x else None, _fit(-g * np.floor_divide(*read), form_y) if by_y else None

    return x % y, vjp


@operation(())
def neg(needs: Needs, x: Array) -> tuple[Array, VJP]:
    return -x, lambda g, out: (-g,)


@operation((0, 1), (0, 1))
def maximum(needs: Needs, x: Array, y: Array) -> tuple[Array, VJP]:
    """The larger of two; where they are equal, each gets half of the gradient."""
    return _extreme("maximum", np.maximum, needs, x, y)


@operation((0, 1), (0, 1))
def minimum(needs: Needs, x: Array, y: Array) -> tuple[Array, VJP]:
    """The smaller of two; where they are equal, each gets half of the gradient."""
    return _extreme("minimum", np.minimum, needs, x, y)


def _extreme(name: str, choose: np.ufunc, needs: Needs, x: Array, y: Array) -> tuple[Array, VJP]:
    if not isinstance(x, np.ndarray) or not isinstance(y, np.ndarray):
        msg = f"{name} needs two tensors; clip takes numbers"
        raise TypeError(msg)
    by_x, by_y = needs
    x, y, form_x, form_y = _operands(x, y)
    loses = np.less if choose is np.maximum else np.greater

    def vjp(g: Array, out: Out) -> Gradients:
        shared = np.where(x == y, g / 2, g)  # beside a NaN both get all of it, as in torch
        return (
            _fit(np.where(loses(x, y), 0, shared), form_x) if by_x else None,
            _fit(np.where(loses(y, x), 0, shared), form_y) if by_y else None,
        )

    return choose(x, y), vjp


@operation((0,))
def clip(needs: Needs, x: Array, *, min: float | None = None, max: float | None = None) -> tuple[Array, VJP]:  # noqa: A002  # torch's names
    """Bring x into min .. max, both included; the gradient passes where x was there already."""
    bounds = [bound for bound in (min, max) if bound is not None]
    if not bounds:
        msg = "clip needs a min or a max"
        raise ValueError(msg)
    for bound in bounds:
        if not isinstance(bound, (int, float)):
            msg = f"clip takes numbers, not {type(bound).__name__}; maximum and minimum take tensors"
            raise TypeError(msg)
        x = promote(x, bound)[0]
    value = x if min is None else np.maximum(x, min)
    value = value if max is None else np.minimum(value, max)

    def vjp(g: Array, out: Out) -> Gradients:
        inside: Any = True if min is None else x >= min
        return (np.where(inside if max is None else inside & (x <= max), g, 0),)

    return value, vjp


@operation((), (0,), (0,))
def where(needs: Needs, condition: Array, x: Any, y: Any) -> tuple[Array, VJP]:
    """x where the condition holds, else y."""
    _refuse_other_masks("where", condition)
    _, by_x, by_y = needs
    form_x, form_y = form(x), form(y)
    value = np.where(condition, *promote(x, y))
    if form_x is form_y is None and value.dtype.kind == "f":
        value = value.astype(np.float32)  # two numbers

    def vjp(g: Array, out: Out) -> Gradients:
        return (
            None,
            unbroadcast(np.where(condition, g, 0), form_x) if by_x else None,
            unbroadcast(np.where(condition, 0, g), form_y) if by_y else None,
        )

    return value, vjp


@operation((1,), (), (1,))
def masked_fill(needs: Needs, x: Array, mask: Array, value: Any) -> tuple[Array, VJP]:
    """The value, a number or 0-d, where the mask holds, else x; the dtype is that of x."""
    _refuse_other_masks("masked_fill", mask)
    if np.ndim(value):
        msg = f"masked_fill takes a number or a 0-d tensor, not one of shape {value.shape}"
        raise ShapeError(msg)
    by_x, _, by_value = needs
    form_x, form_value = form(x), form(value)

    def vjp(g: Array, out: Out) -> Gradients:
        return (
            unbroadcast(np.where(mask, 0, g), form_x) if by_x else None,
            None,
            unbroadcast(np.where(mask, g, 0), form_value) if by_value else None,
        )

    return np.where(mask, x.dtype.type(value), x), vjp
