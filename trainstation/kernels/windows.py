"""Windows that slide over the planes of an array, for convolution and pooling: the C of kernels/windows.c."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels.arrays import plain
from trainstation.kernels.native import ffi, lib
from trainstation.kernels.threads import get_num_threads

__all__ = ["Axis", "Windows", "gather", "spread"]

Array = NDArray[Any]
Shape = tuple[int, ...]

_from_buffer, _null = ffi.from_buffer, ffi.NULL
_unfold, _fold, _spread, _gather = lib.ts_unfold, lib.ts_fold, lib.ts_spread, lib.ts_gather
_max_pool, _max_pool_grad = lib.ts_max_pool, lib.ts_max_pool_grad
_avg_pool, _avg_pool_grad = lib.ts_avg_pool, lib.ts_avg_pool_grad
WIDE = 8  # bytes of a double


class Axis(NamedTuple):
    """Windows along one dimension: `out` of them, with `kernel` places each; `padding` before the first element."""

    size: int = 1
    out: int = 1
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1


class Windows:
    """Windows over the last one or two dimensions of arrays of one shape: their numbers in C, used again and again.

    All arrays are float32, or all float64.
    """

    __slots__ = ("_numbers", "_out", "_shape")

    def __init__(self, shape: Shape, n: int, channels: int, axes: Sequence[Axis], together: int = 1) -> None:
        """Take the shape of the arrays, n * channels planes in all, and an axis for each dimension of a plane.

        together: how many of the n samples stand side by side in the columns; it divides n.
        """
        self._shape = shape
        self._out = shape[: -len(axes)] + tuple(axis.out for axis in axes)
        both = (Axis(), *axes)[-2:]  # a line is a plane of height 1
        self._numbers = ffi.new("ts_windows *", (n, channels, together, *zip(*both, strict=True)))

    def unfold(self, x: Array, shape: Shape) -> Array:
        """Return what each place of the window sees, 0 beyond the edges, shaped as told.

        That is (n / together, channels, kernel, together, out).
        """
        columns = np.empty(shape, x.dtype)
        x = plain(x)
        _unfold(self._numbers, get_num_threads(), x.itemsize == WIDE, _from_buffer(columns), _from_buffer(x))
        return columns

    def fold(self, columns: Array) -> Array:
        """Add up what `unfold` would have taken from each element."""
        x = np.empty(self._shape, columns.dtype)
        columns = plain(columns)
        _fold(self._numbers, get_num_threads(), x.itemsize == WIDE, _from_buffer(x), _from_buffer(columns))
        return x

    def max_pool(self, x: Array) -> tuple[Array, Array]:
        """Return the largest of each window, and its place in the plane: -1 if the window sees nothing."""
        y, at = np.empty(self._out, x.dtype), np.empty(self._out, np.int32)
        x = plain(x)
        places = _from_buffer(y), _from_buffer("int32_t[]", at), _from_buffer(x)
        _max_pool(self._numbers, get_num_threads(), x.itemsize == WIDE, *places)
        return y, at

    def max_pool_grad(self, g: Array, at: Array) -> Array:
        """Return the gradient of x for a gradient of the largest."""
        x = np.empty(self._shape, g.dtype)
        g = plain(g)
        places = _from_buffer(x), _from_buffer("int32_t[]", at), _from_buffer(g)
        _max_pool_grad(self._numbers, get_num_threads(), x.itemsize == WIDE, *places)
        return x

    def avg_pool(self, x: Array, *, counts_padding: bool) -> Array:
        """Return the mean of each window; the padding counts as zeros, or does not count."""
        y = np.empty(self._out, x.dtype)
        x = plain(x)
        places = _from_buffer(y), _from_buffer(x)
        _avg_pool(self._numbers, get_num_threads(), x.itemsize == WIDE, counts_padding, *places)
        return y

    def avg_pool_grad(self, g: Array, *, counts_padding: bool) -> Array:
        """Return the gradient of x for a gradient of the means."""
        x = np.empty(self._shape, g.dtype)
        g = plain(g)
        places = _from_buffer(x), _from_buffer(g)
        _avg_pool_grad(self._numbers, get_num_threads(), x.itemsize == WIDE, counts_padding, *places)
        return x


def spread(rows: Array, bias: Array | None, shape: Shape, n: int, channels: int, together: int) -> Array:
    """Return rows (n / together, channels, together, size) as (n, channels, size), shaped as told.

    To each channel its bias is added.
    """
    value = np.empty(shape, rows.dtype)
    place = _null if bias is None else _from_buffer(bias := plain(bias))
    places = _from_buffer(value), _from_buffer(rows), place
    size = rows.size // max(n * channels, 1)
    _spread(get_num_threads(), rows.itemsize == WIDE, *places, n, together, channels, size)
    return value


def gather(g: Array, shape: Shape, n: int, channels: int, together: int, sums: Array | None) -> Array:
    """Return g (n, channels, size) as (n / together, channels, together, size), shaped as told.

    The sum of each channel is written into `sums`.
    """
    g = plain(g)
    rows = g.reshape(shape) if together == 1 else np.empty(shape, g.dtype)
    if together == 1 and sums is None:
        return rows
    places = _null if together == 1 else _from_buffer(rows), _null if sums is None else _from_buffer(sums)
    size = g.size // max(n * channels, 1)
    _gather(get_num_threads(), g.itemsize == WIDE, *places, _from_buffer(g), n, together, channels, size)
    return rows
