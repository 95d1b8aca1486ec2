"""Functions of one element; of integers and bools those with fractions give float32, as in torch."""

from __future__ import annotations

import numpy as np

from trainstation.gradtrack import VJP
from trainstation.ops.operation import OUTPUT, Array, Needs, operation


def _floating(x: Array) -> Array:
    return x if x.dtype.kind == "f" else x.astype(np.float32)


@operation((OUTPUT,))
def exp(needs: Needs, x: Array) -> tuple[Array, VJP]:
    value = np.exp(_floating(x))
    return value, lambda g, out: (g * value,)


@operation((OUTPUT,))
def expm1(needs: Needs, x: Array) -> tuple[Array, VJP]:
    value = np.expm1(_floating(x))
    return value, lambda g, out: (g * (value + 1),)


@operation((0,))
def log(needs: Needs, x: Array) -> tuple[Array, VJP]:
    x = _floating(x)
    return np.log(x), lambda g, out: (g / x,)


@operation((0,))
def log1p(needs: Needs, x: Array) -> tuple[Array, VJP]:
    x = _floating(x)
    return np.log1p(x), lambda g, out: (g / (1 + x),)


@operation((OUTPUT,))
def sqrt(needs: Needs, x: Array) -> tuple[Array, VJP]:
    value = np.sqrt(_floating(x))
    return value, lambda g, out: (g / (2 * value),)


@operation((OUTPUT,))
def rsqrt(needs: Needs, x: Array) -> tuple[Array, VJP]:
    value = 1 / np.sqrt(_floating(x))
    return value, lambda g, out: (-0.5 * g * (value * value * value),)


@operation((OUTPUT,))
def reciprocal(needs: Needs, x: Array) -> tuple[Array, VJP]:
    value = 1 / _floating(x)
    return value, lambda g, out: (-g * (value * value),)


@operation((0,))
def square(needs: Needs, x: Array) -> tuple[Array, VJP]:
    if x.dtype.kind == "b":
        x = x.astype(np.int64)
    return x * x, lambda g, out: (2 * g * x,)


@operation((0,))
def sin(needs: Needs, x: Array) -> tuple[Array, VJP]:
    x = _floating(x)
    return np.sin(x), lambda g, out: (g * np.cos(x),)


@operation((0,))
def cos(needs: Needs, x: Array) -> tuple[Array, VJP]:
    x = _floating(x)
    return np.cos(x), lambda g, out: (-g * np.sin(x),)


# Magnitude, sign and whole numbers keep the dtype of integers; the last four are flat wherever they have a slope.


def _refuse_bools(name: str, x: Array) -> None:
    if x.dtype.kind == "b":
        msg = f"{name} of bools is not defined"
        raise TypeError(msg)


def _sign(x: Array) -> Array:
    """-1, 0 or 1, and of NaN 0, as in torch."""
    return np.subtract(x > 0, x < 0, dtype=x.dtype)


def _flat(g: Array, out: object) -> tuple[Array]:
    return (np.zeros_like(g),)


@operation((0,))
def abs_(needs: Needs, x: Array) -> tuple[Array, VJP]:
    _refuse_bools("abs", x)
    return np.absolute(x), lambda g, out: (g * _sign(x),)


@operation(())
def sign(needs: Needs, x: Array) -> tuple[Array, VJP]:
    return x.copy() if x.dtype.kind == "b" else _sign(x), _flat


@operation(())
def floor(needs: Needs, x: Array) -> tuple[Array, VJP]:
    return _whole("floor", np.floor, x), _flat


@operation(())
def ceil(needs: Needs, x: Array) -> tuple[Array, VJP]:
    return _whole("ceil", np.ceil, x), _flat


@operation(())
def round_(needs: Needs, x: Array) -> tuple[Array, VJP]:
    """Halves go to the even neighbour."""
    return _whole("round", np.rint, x), _flat


def _whole(name: str, function: np.ufunc, x: Array) -> Array:
    _refuse_bools(name, x)
    whole: Array = function(x) if x.dtype.kind == "f" else x.copy()
    return whole
