"""Taking elements out of an array, and writing them into one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import FLOATS, Array, Needs, form, operation, room, same_dtype, unbroadcast

_EVERYTHING = slice(None)
_FEW = 128  # rows: up to here a product with a matrix of ones and zeros adds quicker than one element after the other
_INTEGERS = (np.dtype(np.int64), np.dtype(np.int32))

Index = tuple[Any, ...]


def split(index: Any) -> tuple[Index, Index | None]:
    """Return what `x[basic][arrays]` needs for torch's x[index]; `arrays` is None if there are none in the index.

    Integers beside arrays are taken first, as in torch; NumPy counts them among the arrays. Arrays are copied: the
    caller may write to his own before backward.
    """
    basic: list[Any] = []
    arrays: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, list | np.ndarray | bool | np.bool_):
            array = np.array(part, np.intp if isinstance(part, list) and not part else None)
            if array.ndim == 0 and array.dtype.kind in "iu":
                basic.append(int(array))
                continue
            basic += [_EVERYTHING] * (array.ndim if array.dtype.kind == "b" else 1)
            arrays.append(array)
        else:
            basic.append(part)
            if part is ...:
                arrays.append(part)
            elif part is None or isinstance(part, slice):
                arrays.append(_EVERYTHING)
    if not any(isinstance(part, np.ndarray) for part in arrays):
        return tuple(basic), None
    if not any(part is ... for part in basic):
        basic.append(...)  # so that x[basic] is an array even where nothing is left to index
    return tuple(basic), tuple(arrays)


def _take(x: Array, basic: Index, arrays: Index | None) -> Any:
    return x[basic] if arrays is None else x[basic][arrays]


def _put(x: Array, basic: Index, arrays: Index | None, value: Any) -> None:
    if arrays is None:
        x[basic] = value
    else:
        x[basic][arrays] = value


def write(x: Array, index: Any, value: Any) -> None:
    """x[index] = value, in place; the value broadcasts. ShapeError if it does not fit."""
    basic, arrays = split(index)
    if arrays is not None and isinstance(value, np.ndarray):
        same_dtype("assignment by an array of indices or a mask", x, value)
    try:
        _put(x, basic, arrays, value)
    except ValueError as error:
        if not x.flags.writeable:
            raise
        raise ShapeError(str(error)) from None


@operation((), view=True)
def getitem(needs: Needs, x: Array, *, index: Any) -> tuple[Any, VJP]:
    """Integers, slices, None, Ellipsis, integer and boolean arrays."""
    basic, arrays = split(index)
    shape = x.shape

    def vjp(g: Array, out: Out) -> Gradients:
        gradient = room(out[0], shape, g.dtype)
        integers = [part for part in arrays or () if isinstance(part, np.ndarray) and part.dtype.kind != "b"]
        if not integers:
            gradient[...] = 0
            _put(gradient, basic, arrays, g)
        elif basic == (_EVERYTHING, ...):
            _add_rows(gradient, integers[0], g)
        else:  # an integer array may name an element twice
            _add_at(gradient, _take(_places(shape), basic, arrays), g)
        return (gradient,)

    return _take(x, basic, arrays), vjp


@operation((), ())
def setitem(needs: Needs, x: Array, value: Any, *, index: Any) -> tuple[Array, VJP]:
    """A copy of x with `value`, which broadcasts, at `index`.

    Where index arrays name an element twice, it is not said which value it gets; the gradient goes to all of them.
    """
    by_x, by_value = needs
    if by_value and x.dtype.kind != "f":
        msg = f"a tensor of {x.dtype} cannot take over a gradient"
        raise TypeError(msg)
    written = x.copy()
    write(written, index, value)
    basic, arrays = split(index)
    like = form(value)

    def vjp(g: Array, out: Out) -> Gradients:
        of_x = of_value = None
        if by_x:
            of_x = np.array(g)
            _put(of_x, basic, arrays, 0)
        if by_value:
            assert like is not None  # an array
            shape, dtype = like
            part = np.array(_take(g, basic, arrays))
            fitting = shape[max(0, len(shape) - part.ndim) :]  # leading lengths of 1 may be more than there are
            of_value = unbroadcast(part, (fitting, dtype)).reshape(shape)
        return of_x, of_value

    return written, vjp


@operation((1,), ())
def embedding(needs: Needs, weight: Array, indices: Array) -> tuple[Array, VJP]:
    """Rows of weight (V, E) by integers 0 .. V - 1 of any shape: (..., E)."""
    if weight.ndim != 2:  # noqa: PLR2004  # dimensions
        msg = f"embedding needs a weight (V, E), not one of shape {weight.shape}"
        raise ShapeError(msg)
    shape, dtype = weight.shape, weight.dtype
    _check_indices("embedding", indices, 0, shape[0])
    return weight.take(indices, 0), lambda g, out: (_add_rows(room(out[0], shape, dtype), indices, g), None)


@operation((1,), ())
def index_select(needs: Needs, x: Array, index: Array, *, dim: int) -> tuple[Array, VJP]:
    """The slices of x along `dim` that a vector of integers names."""
    shape, dtype = x.shape, x.dtype
    whole, dim = _whole(shape, dim)
    _check_vector("index_select", index, whole[dim])
    value = x.reshape(whole).take(index.reshape(-1), dim)
    wide = value.shape

    def vjp(g: Array, out: Out) -> Gradients:
        if dim == 0:
            return _add_rows(room(out[0], shape, dtype), index, g), None
        front = np.empty((whole[dim], *whole[:dim], *whole[dim + 1 :]), dtype)
        return np.moveaxis(_add_rows(front, index, np.moveaxis(g.reshape(wide), dim, 0)), 0, dim), None

    return value if shape == whole else value.reshape(shape), vjp


@operation((1,), ())
def gather(needs: Needs, x: Array, index: Array, *, dim: int) -> tuple[Array, VJP]:
    """The element of x at each place of `index`, but along `dim`, where the integer found there says which one."""
    whole, dim = _whole(x.shape, dim)
    _check_indices("gather", index, 0, whole[dim])
    lengths = index.shape or (1,)
    if len(lengths) != len(whole) or any(n > whole[i] for i, n in enumerate(lengths) if i != dim):
        msg = (
            f"gather needs an index no larger than the tensor of shape {x.shape} but along dim {dim}, not {index.shape}"
        )
        raise ShapeError(msg)
    inside = tuple(_EVERYTHING if i == dim else slice(n) for i, n in enumerate(lengths))
    value, vjp = _along(x, whole, inside, index.reshape(lengths), dim)
    return value.reshape(index.shape), vjp


@operation((1,), ())
def take_along_dim(needs: Needs, x: Array, indices: Array, *, dim: int | None = None) -> tuple[Array, VJP]:
    """`gather` with indices that broadcast against x and may be negative; without a dim, of the flat x."""
    if dim is None:
        _check_indices("take_along_dim", indices, 0, x.size)
        return _along(x, (x.size,), (), indices.reshape(-1), 0)
    shape, dim = x.shape, normalize_axis_index(dim, x.ndim)
    _check_indices("take_along_dim", indices, -shape[dim], shape[dim])
    pairs = zip(shape, indices.shape, strict=False)
    if x.ndim != indices.ndim or any(n != m and 1 not in {n, m} for i, (n, m) in enumerate(pairs) if i != dim):
        msg = f"take_along_dim: shapes {shape} and {indices.shape} do not fit but along dim {dim}"
        raise ShapeError(msg)
    return _along(x, shape, (), indices, dim)


def _along(x: Array, whole: tuple[int, ...], inside: Index, index: Array, dim: int) -> tuple[Array, VJP]:
    """Take along a dim from what is `inside` of x, seen in the shape `whole`."""
    shape, dtype = x.shape, x.dtype

    def vjp(g: Array, out: Out) -> Gradients:
        places = np.take_along_axis(_places(whole)[inside], index, dim)
        return _add_at(room(out[0], shape, dtype), places, g), None

    return np.take_along_axis(x.reshape(whole)[inside], index, dim), vjp


@operation((), (), (1,))
def index_add(needs: Needs, x: Array, index: Array, source: Array, *, dim: int, alpha: float = 1) -> tuple[Array, VJP]:
    """A copy of x; to its slices along `dim` that a vector of integers names, alpha times those of source are added."""
    by_x, _, by_source = needs
    same_dtype("index_add", x, source)
    shape, form_source = x.shape, source.shape
    whole, dim = _whole(shape, dim)
    _check_vector("index_add", index, whole[dim])
    wide = source.shape or (1,)
    if source.ndim != x.ndim or wide != (*whole[:dim], index.size, *whole[dim + 1 :]):
        msg = f"index_add: a source of shape {source.shape} does not fit {shape} with {index.size} indices in dim {dim}"
        raise ShapeError(msg)
    sums = np.empty((whole[dim], *whole[:dim], *whole[dim + 1 :]), x.dtype)
    _add_rows(sums, index, np.moveaxis(source.reshape(wide), dim, 0))
    if alpha != 1:
        sums *= alpha
    read = index if by_source else None

    def vjp(g: Array, out: Out) -> Gradients:
        of_source = None
        if read is not None:
            of_source = g.reshape(whole).take(read.reshape(-1), dim).reshape(form_source)
            if alpha != 1:
                of_source *= alpha
        return g if by_x else None, None, of_source

    return x + np.moveaxis(sums, 0, dim).reshape(shape), vjp


# What several of them do


def _whole(shape: tuple[int, ...], dim: int) -> tuple[tuple[int, ...], int]:
    """Return the shape, of a number (1,), and the dim counted from the first."""
    whole = shape or (1,)
    return whole, normalize_axis_index(dim, len(whole))


def _check_indices(name: str, index: Array, least: int, end: int) -> None:
    """Raise TypeError unless the indices are int64 or int32, IndexError unless they are in least .. end - 1."""
    if not isinstance(index, np.ndarray) or index.dtype not in _INTEGERS:
        kind = index.dtype if isinstance(index, np.ndarray) else type(index).__name__
        msg = f"{name} needs a tensor of int64 or int32 as its index, not {kind}"
        raise TypeError(msg)
    if index.size and (np.minimum.reduce(index, None) < least or np.maximum.reduce(index, None) >= end):
        wrong = index[(index < least) | (index >= end)][0]
        msg = f"{name}: index {wrong} is out of range for a length of {end}"
        raise IndexError(msg)


def _check_vector(name: str, index: Array, end: int) -> None:
    _check_indices(name, index, 0, end)
    if index.ndim > 1:
        msg = f"{name} needs a vector of indices, not one of shape {index.shape}"
        raise ShapeError(msg)


def _places(shape: tuple[int, ...]) -> Array:
    """Return for each element of an array where it stands in memory: indexed in its stead, it tells what was taken."""
    return np.arange(math.prod(shape)).reshape(shape)


def _add_at(gradient: Array, places: Array, g: Array) -> Array:
    """Add up in a contiguous array the elements of g by their places; elsewhere it becomes 0."""
    gradient[...] = 0
    np.add.at(gradient.reshape(-1), places.reshape(-1), g.reshape(-1))  # of one dimension it is quick
    return gradient


def _add_rows(gradient: Array, index: Array, g: Array) -> Array:
    """Add up in a contiguous array the rows of g by their indices; the others become 0."""
    count, length = gradient.shape[0] if gradient.ndim else 1, index.size
    width = math.prod(gradient.shape[1:])
    index = index.reshape(length)
    rows = g.reshape(length, width)
    if count <= _FEW and width > 1 and rows.dtype in FLOATS and rows.dtype == gradient.dtype:
        picks = np.zeros((count, length), rows.dtype)
        picks[index, np.arange(length)] = 1
        flat = gradient.reshape(count, width)
        with np.errstate(invalid="ignore", over="ignore"):
            np.dot(picks, rows, flat)
        if np.isfinite(flat).all():  # else what is not finite has spoiled its whole column, 0 * inf being NaN
            return gradient
    return _add_at(gradient, index[:, None] * width + np.arange(width), rows)
