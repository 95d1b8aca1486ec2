"""Sums, spreads, norms and extremes over dimensions. `dim` is None (all), an int or a sequence of ints."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import OUTPUT, Array, Needs, operation, room

Dim = int | Sequence[int] | None
Axes = int | tuple[int, ...] | None

# Their arguments go by position, which is quicker: array, axis, dtype, out, keepdims, initial.
_add: Any = np.add.reduce
_multiply: Any = np.multiply.reduce
_largest: Any = np.maximum.reduce
_smallest: Any = np.minimum.reduce


def axes_of(x: Array, dim: Dim) -> Axes:
    """Return NumPy's `axis`. As in torch an empty `dim` means every dimension, and a 0-d tensor has 0 and -1."""
    if dim is None:
        return None
    if isinstance(dim, int):
        axes: Axes = dim
    else:
        axes = tuple(dim) or None if isinstance(dim, Sequence) else operator.index(dim)
    return None if x.ndim == 0 and axes in (0, -1, (0,), (-1,)) else axes


def _restored(g: Array, shape: tuple[int, ...], axes: Axes) -> Array:
    """Give what was reduced its dimensions back, with length 1, so that it broadcasts against the input."""
    if axes is None:
        return g
    kept = list(shape)
    for axis in (axes,) if isinstance(axes, int) else axes:
        kept[axis] = 1
    return g.reshape(kept)


def _floating(name: str, x: Array) -> None:
    if x.dtype.kind != "f":
        msg = f"{name} needs a floating-point tensor, not {x.dtype}"
        raise TypeError(msg)


def _length(shape: tuple[int, ...], axes: Axes) -> int:
    """Return how many elements each sum has."""
    if axes is None:
        return math.prod(shape)
    return shape[axes] if isinstance(axes, int) else math.prod(shape[axis] for axis in axes)


@operation(())
def sum_(needs: Needs, x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Any, VJP]:
    axes, shape, dtype = axes_of(x, dim), x.shape, x.dtype

    def vjp(g: Array, out: Out) -> Gradients:
        gradient = room(out[0], shape, dtype)
        gradient[...] = _restored(g, shape, axes)
        return (gradient,)

    return _add(x, axes, None if dtype.kind == "f" else np.int64, None, keepdim), vjp


@operation(())
def mean(needs: Needs, x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Any, VJP]:
    _floating("mean", x)
    axes, shape, dtype = axes_of(x, dim), x.shape, x.dtype
    # In float16 a sum may overflow where the mean does not.
    total = _add(x, axes, np.float32 if dtype == np.float16 else None, None, keepdim)
    length = _length(shape, axes) or math.nan  # the mean of nothing is NaN
    scale = dtype.type(1 / length)

    def vjp(g: Array, out: Out) -> Gradients:
        gradient = room(out[0], shape, dtype)
        gradient[...] = _restored(g * scale, shape, axes)
        return (gradient,)

    return (total / length).astype(dtype, copy=False), vjp


@operation((0,))
def prod(needs: Needs, x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Any, VJP]:
    axes, shape = axes_of(x, dim), x.shape

    def vjp(g: Array, out: Out) -> Gradients:
        # The product of the others: where one factor is 0 only that one has any, where two are, none has.
        zeros = x == 0
        filled = np.where(zeros, 1, x)
        lone = _add(zeros, axes, None, None, True) == zeros
        return (_restored(g, shape, axes) * _multiply(filled, axes, None, None, True) / filled * lone,)

    return _multiply(x, axes, None if x.dtype.kind == "f" else np.int64, None, keepdim), vjp


# Spreads


def _spread(name: str, x: Array, dim: Dim, correction: float, *, keepdim: bool) -> tuple[Any, Array, Any, Axes]:
    """Return the variance, the distances from the mean, what the variance's gradient is in them, and the axes."""
    _floating(name, x)
    axes = axes_of(x, dim)
    total = _add(x, axes, None, None, True)
    length = _length(x.shape, axes)
    centered = x - total / (length or math.nan)
    divisor = max(length - correction, 0)
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing varies: NaN, or infinite, as in torch
        value = _add(centered * centered, axes, None, None, keepdim) / divisor
    return value, centered, x.dtype.type(2 / (length - correction) if length != correction else math.nan), axes


@operation(())
def var(needs: Needs, x: Array, *, dim: Dim = None, correction: float = 1, keepdim: bool = False) -> tuple[Any, VJP]:
    """sum((x - mean)^2) / (n - correction)."""
    value, centered, scale, axes = _spread("var", x, dim, correction, keepdim=keepdim)
    return value, lambda g, out: (_restored(g * scale, centered.shape, axes) * centered,)


@operation((OUTPUT,))
def std(needs: Needs, x: Array, *, dim: Dim = None, correction: float = 1, keepdim: bool = False) -> tuple[Any, VJP]:
    """sqrt(var); where it is 0, the gradient is 0 too."""
    variance, centered, scale, axes = _spread("std", x, dim, correction, keepdim=keepdim)
    value = np.sqrt(variance)

    def vjp(g: Array, out: Out) -> Gradients:
        slope = g * scale / np.where(value == 0, np.inf, 2 * value)
        return (_restored(slope, centered.shape, axes) * centered,)

    return value, vjp


@operation((0, OUTPUT))
def norm(needs: Needs, x: Array, *, p: float = 2, dim: Dim = None, keepdim: bool = False) -> tuple[Any, VJP]:
    """sum(|x|^p)^(1/p); for infinite p the largest or the smallest |x|, for 0 the count of what is not 0."""
    _floating("norm", x)
    axes, shape = axes_of(x, dim), x.shape
    value: Any
    if p == 2:  # noqa: PLR2004  # the common one
        value = np.sqrt(_add(x * x, axes, None, None, keepdim))
    elif math.isinf(p):
        value = _extreme("norm", _largest if p > 0 else _smallest, np.abs(x), axes, keepdim=keepdim)
    elif p == 0:
        value = _add(x != 0, axes, x.dtype, None, keepdim)
    else:
        value = _add(np.abs(x) ** p, axes, None, None, keepdim) ** (1 / p)

    def vjp(g: Array, out: Out) -> Gradients:
        g, whole = _restored(g, shape, axes), _restored(value, shape, axes)
        if p == 0:
            return (np.zeros(shape, x.dtype),)
        if math.isinf(p):
            return (np.sign(x) * _shared(g, np.abs(x) == whole, axes),)
        is_zero = whole == 0
        whole = np.where(is_zero, 1, whole)
        if p == 2:  # noqa: PLR2004  # likewise
            return (g * (x / whole),)
        slope = np.sign(x) * (np.where(x == 0, whole, np.abs(x)) / whole) ** (p - 1)
        return (g * np.where(is_zero, 0, slope),)  # of a negative p the norm is 0 where one x is

    return value, vjp


# Extremes


def _extreme(name: str, choose: Any, x: Array, axes: Axes, *, keepdim: bool) -> Any:
    try:
        return choose(x, axes, None, None, keepdim)
    except ValueError as error:
        raise _nothing(name, x, error) from None


def _nothing(name: str, x: Array, error: ValueError) -> Exception:
    """Say that an extreme of no elements was asked for, unless the error is another one."""
    if x.size or isinstance(error, IndexError):  # a dim that is not there
        return error
    return IndexError(f"{name}: there is nothing to choose from in shape {x.shape}")


def _shared(g: Array, ties: Array, axes: Axes) -> Array:
    """Give each of several equal extremes an equal share of the gradient."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a NaN is equal to nothing: its gradient is NaN
        shares: Array = g * (ties / _add(ties, axes, g.dtype, None, True))
        return shares


@operation((0, OUTPUT))
def amax(needs: Needs, x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Any, VJP]:
    axes = axes_of(x, dim)
    value = _extreme("amax", _largest, x, axes, keepdim=keepdim)
    return value, lambda g, out: (_shared(*_against(g, value, x, axes), axes),)


@operation((0, OUTPUT))
def amin(needs: Needs, x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Any, VJP]:
    axes = axes_of(x, dim)
    value = _extreme("amin", _smallest, x, axes, keepdim=keepdim)
    return value, lambda g, out: (_shared(*_against(g, value, x, axes), axes),)


def _against(g: Array, value: Any, x: Array, axes: Axes) -> tuple[Array, Array]:
    return _restored(g, x.shape, axes), x == _restored(value, x.shape, axes)


def place(name: str, x: Array, dim: int | None, *, keepdim: bool) -> Array:
    """Return where the largest ("argmax") or smallest ("argmin") elements stand, the first of equal ones."""
    axis = None if dim is None else axes_of(x, operator.index(dim))  # one dim, as torch has it
    function: Any = x.argmax if name == "argmax" else x.argmin
    try:
        return np.asarray(function(axis=axis, keepdims=keepdim))
    except ValueError as error:
        raise _nothing(name, x, error) from None


@operation(())
def pick(needs: Needs, x: Array, *, index: Array, dim: int, keepdim: bool = False) -> tuple[Array, VJP]:
    """One element of x along `dim` at each place: `index` has length 1 there, else the lengths of x."""
    shape, dtype = x.shape, x.dtype
    value = np.take_along_axis(x, index, dim)

    def vjp(g: Array, out: Out) -> Gradients:
        gradient = room(out[0], shape, dtype)
        gradient[...] = 0
        np.put_along_axis(gradient, index, g.reshape(index.shape), dim)
        return (gradient,)

    return value if keepdim else value.squeeze(dim), vjp


# Sums on the way, and of exponentials


@operation(())
def cumsum(needs: Needs, x: Array, *, dim: int) -> tuple[Array, VJP]:
    if axes_of(x, operator.index(dim)) is None:  # a 0-d tensor
        return x.copy() if x.dtype.kind == "f" else x.astype(np.int64), lambda g, out: (g,)

    def vjp(g: Array, out: Out) -> Gradients:
        return (np.flip(np.add.accumulate(np.flip(g, dim), dim), dim),)

    return np.add.accumulate(x, dim, None if x.dtype.kind == "f" else np.int64), vjp


@operation((0, OUTPUT))
def logsumexp(needs: Needs, x: Array, *, dim: Dim, keepdim: bool = False) -> tuple[Any, VJP]:
    """log(sum(exp(x))), exact also where exp(x) overflows; integers give float32."""
    x = x if x.dtype.kind == "f" else x.astype(np.float32)
    axes, shape = axes_of(x, dim), x.shape
    largest = _largest(x, axes, None, None, True, -np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):  # the sum of nothing
        value = np.log(_add(np.exp(x - largest), axes, None, None, keepdim))
    value += largest if keepdim else largest.reshape(value.shape)

    def vjp(g: Array, out: Out) -> Gradients:
        return (_restored(g, shape, axes) * np.exp(x - _restored(value, shape, axes)),)

    return value, vjp
