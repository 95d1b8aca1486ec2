"""What networks compute between their matrix products, in one pass each: the C of kernels/functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import setitem
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels.arrays import plain
from trainstation.kernels.isa import active
from trainstation.kernels.native import ffi, lib, listed
from trainstation.kernels.threads import get_num_threads

__all__ = [
    "MAPS",
    "average",
    "average_later",
    "bias_relu",
    "cross_entropy",
    "map_elements",
    "normalize",
    "normalize_grad",
    "softmax",
    "softmax_grad",
]

Array = NDArray[Any]

MAPS = {name: index for index, name in enumerate(listed(lib.ts_map_name))}

_from_buffer, _null = ffi.from_buffer, ffi.NULL
_map, _softmax, _softmax_grad = lib.ts_map, lib.ts_softmax, lib.ts_softmax_grad
_bias_relu, _cross_entropy, _normalize, _normalize_grad = (
    lib.ts_bias_relu,
    lib.ts_cross_entropy,
    lib.ts_normalize,
    lib.ts_normalize_grad,
)
WIDE = 8  # bytes of a double


def _place(array: Array | None) -> Any:
    return _null if array is None else _from_buffer(plain(array))


def map_elements(function: int, a: Array, b: Array | None = None, h: float = 0.0) -> Array:
    """Return f(a, b, h) element by element, `function` one of MAPS: arrays of one shape, float32 or float64."""
    a = plain(a)
    out = np.empty_like(a)
    place = _from_buffer(a)
    other = place if b is None else _from_buffer(plain(b))
    _map(active(), get_num_threads(), function, a.itemsize == WIDE, _from_buffer(out), place, other, h, a.size)
    return out


def average(into: Array, values: Array, weight: float) -> None:
    """Move an average towards values: `into += weight * (values - into)`, or with weight 1 a copy of them.

    Both are contiguous, of one shape, float32 or float64; the weight is rounded to their dtype. A step with averages
    (`Call.average`) does the same to the bit.
    """
    average_later(into, values, weight)()


def average_later(into: Array, values: Array, weight: float) -> Callable[[], object]:
    """Return a function of C that does so, with the values of then."""
    if weight == 1:
        return partial(setitem, into, ..., values)
    place, other = _from_buffer(into), _from_buffer(values)
    is_wide = into.itemsize == WIDE
    return partial(_map, active(), get_num_threads(), MAPS["lerp"], is_wide, place, place, other, weight, into.size)


def softmax(x: Array, *, is_log: bool = False, period: int = 0, scale: float = 1.0) -> Array:
    """Return the softmax of scale * x, or its logarithm with scale 1, over the last dimension of an array.

    With a period, the length of each of the last two dimensions, row r of them has only its first r + 1 elements; the
    others are 0.
    """
    x = plain(x)
    y = np.empty_like(x)
    columns = x.shape[-1]
    rows = x.size // columns if columns else 0
    _softmax(
        active(),
        get_num_threads(),
        is_log,
        x.itemsize == WIDE,
        _from_buffer(y),
        _from_buffer(x),
        rows,
        columns,
        period,
        scale,
    )
    return y


def softmax_grad(y: Array, g: Array, *, is_log: bool = False, scale: float = 1.0) -> Array:
    """Return the gradient of x, from the value y of `softmax` and its gradient."""
    y, g = plain(y), plain(g)
    x = np.empty_like(y)
    columns = y.shape[-1]
    rows = y.size // columns if columns else 0
    places = _from_buffer(x), _from_buffer(y), _from_buffer(g)
    _softmax_grad(active(), get_num_threads(), is_log, y.itemsize == WIDE, *places, rows, columns, scale)
    return x


def bias_relu(y: Array, bias: Array) -> None:
    """Make each row of a contiguous matrix max(y + bias, 0), in place."""
    _bias_relu(active(), get_num_threads(), y.itemsize == WIDE, _from_buffer(y), _place(bias), *y.shape)


def cross_entropy(
    x: Array, targets: Array, *, ignored: int, smoothing: float, is_mean: bool, wants_gradient: bool
) -> tuple[Array, Array | None, int]:
    """Return the loss of each row of a matrix, the gradient of their sum or mean, and how many rows count.

    IndexError if a target is no column.
    """
    x = plain(x)
    rows, columns = x.shape
    losses = np.empty(rows, x.dtype)
    gradient = np.empty_like(x) if wants_gradient else None
    count: int = _cross_entropy(
        active(),
        get_num_threads(),
        is_mean,
        x.itemsize == WIDE,
        _from_buffer(losses),
        _place(gradient),
        _from_buffer(x),
        _from_buffer("int64_t[]", targets),
        rows,
        columns,
        ignored,
        smoothing,
    )
    if count < 0:
        msg = f"target {targets[-1 - count]} of row {-1 - count} is not in 0 .. {columns - 1}"
        raise IndexError(msg)
    return losses, gradient, count


def normalize(
    x: Array, weight: Array | None, bias: Array | None, rows: int, columns: int, *, is_centred: bool, epsilon: float
) -> tuple[Array, Array]:
    """Return (x - mean) / sqrt(variance + epsilon) * weight + bias for each row, and what the gradient needs."""
    x = plain(x)
    y, statistics = np.empty_like(x), np.empty((rows, 2), x.dtype)
    places = _from_buffer(y), _from_buffer(statistics), _from_buffer(x), _place(weight), _place(bias)
    _normalize(active(), get_num_threads(), is_centred, x.itemsize == WIDE, *places, rows, columns, epsilon)
    return y, statistics


def normalize_grad(
    x: Array,
    g: Array,
    weight: Array | None,
    statistics: Array,
    columns: int,
    *,
    is_centred: bool,
    of_x: bool,
    of_weight: bool,
) -> tuple[Array | None, Array | None]:
    """Return the gradient of x, and that of weight and of bias as two rows; None where not asked for."""
    x = plain(x)
    by_x = np.empty_like(x) if of_x else None
    sums = np.zeros((2 * lib.TS_NORM_PIECES, columns), x.dtype) if of_weight else None
    places = (
        _place(by_x),
        _place(sums),
        _from_buffer(x),
        _from_buffer(plain(g)),
        _place(weight),
        _from_buffer(statistics),
    )
    _normalize_grad(active(), get_num_threads(), is_centred, x.itemsize == WIDE, *places, len(statistics), columns)
    return by_x, sums
