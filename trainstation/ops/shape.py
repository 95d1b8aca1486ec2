"""The same elements under another shape; views wherever NumPy can. And arrays put together."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import Array, Needs, operation, unbroadcast


@operation((), view=True)
def reshape(needs: Needs, x: Array, *, shape: tuple[int, ...]) -> tuple[Array, VJP]:
    before = x.shape
    return x.reshape(shape), lambda g, out: (g.reshape(before),)


@operation((), view=True)
def permute(needs: Needs, x: Array, *, dims: tuple[int, ...]) -> tuple[Array, VJP]:
    def vjp(g: Array, out: Out) -> Gradients:
        inverse = [0] * len(dims)
        for i, dim in enumerate(dims):
            inverse[dim] = i
        return (g.transpose(inverse),)

    try:
        return x.transpose(dims), vjp
    except ValueError as error:
        if isinstance(error, IndexError):  # a dim that is not there
            raise
        msg = f"permute: {dims} does not name each dimension of shape {x.shape} once"
        raise ShapeError(msg) from None


@operation((), view=True)
def expand(needs: Needs, x: Array, *, shape: tuple[int, ...]) -> tuple[Array, VJP]:
    """x broadcast to a shape, in which -1 stands for the length that is there; read-only."""
    before = x.shape, x.dtype
    added = len(shape) - x.ndim
    wanted = tuple(x.shape[i - added] if n == -1 and i >= added else n for i, n in enumerate(shape))
    try:
        return np.broadcast_to(x, wanted), lambda g, out: (unbroadcast(np.asarray(g), before),)
    except ValueError:
        msg = f"a tensor of shape {x.shape} does not expand to {shape}"
        raise ShapeError(msg) from None


@operation(())
def contiguous(needs: Needs, x: Array) -> tuple[Array, VJP]:
    """A copy whose elements stand in memory in the order of their indices."""
    return x.copy(order="C"), lambda g, out: (g,)


@operation(())
def flip(needs: Needs, x: Array, *, dims: tuple[int, ...]) -> tuple[Array, VJP]:
    """A copy with the order of the elements along `dims` reversed."""
    named = dims_of("flip", x.shape, dims)
    axes = named if x.ndim else ()
    return np.flip(x, axes).copy(), lambda g, out: (np.flip(g, axes),)


@operation(())
def repeat(needs: Needs, x: Array, *, repeats: tuple[int, ...]) -> tuple[Array, VJP]:
    """x side by side with itself, `repeats` times along each dimension; what is too much of them comes in front."""
    added = len(repeats) - x.ndim
    if added < 0 or min(repeats, default=0) < 0:
        msg = f"repeat needs a number from 0 on for each dimension of shape {x.shape}, not {repeats}"
        raise ShapeError(msg)
    before = x.shape
    pairs = [n for pair in zip(repeats, (1,) * added + before, strict=True) for n in pair]

    def vjp(g: Array, out: Out) -> Gradients:
        return (np.add.reduce(g.reshape(pairs), tuple(range(0, len(pairs), 2))).reshape(before),)

    return np.tile(x, repeats), vjp


def _common(arrays: tuple[Array, ...]) -> np.dtype[Any]:
    """Return the dtype of arrays put together: as in torch floats decide before integers, those before bools."""
    dtypes = {x.dtype for x in arrays}
    kinds = {dtype.kind for dtype in dtypes}
    if "f" in kinds:
        dtypes = {dtype for dtype in dtypes if dtype.kind == "f"}
    return np.result_type(*dtypes)


@operation(())
def cat(needs: Needs, *arrays: Array, dim: int = 0) -> tuple[Array, VJP]:
    """Arrays one after the other along `dim`; but for that their shapes are the same, or (0,), which adds nothing."""
    shapes = [x.shape for x in arrays]
    dtypes = [x.dtype for x in arrays]
    is_there = [shape != (0,) for shape in shapes]
    present = [x for x, is_one in zip(arrays, is_there, strict=True) if is_one] or arrays[:1]
    try:
        value = np.concatenate(present, dim, dtype=_common(arrays))
    except ValueError as error:
        if not arrays or isinstance(error, IndexError):
            raise
        msg = f"cat: shapes {', '.join(map(str, shapes))} do not fit one after the other along dim {dim}"
        raise ShapeError(msg) from None
    axis = dim % value.ndim
    lengths = [shape[axis] if is_one else 0 for shape, is_one in zip(shapes, is_there, strict=True)]

    def vjp(g: Array, out: Out) -> Gradients:
        ends = np.cumsum([0, *lengths]).tolist()
        before = (slice(None),) * axis
        parts = (g[(*before, slice(start, end))] for start, end in pairwise(ends))
        return [
            (part if part.size else np.zeros(shape)).astype(dtype, copy=False) if need else None
            for part, shape, dtype, need in zip(parts, shapes, dtypes, needs, strict=True)
        ]

    return value, vjp


@operation(())
def stack(needs: Needs, *arrays: Array, dim: int = 0) -> tuple[Array, VJP]:
    """Arrays of one shape side by side along a new dimension."""
    shapes = {x.shape for x in arrays}
    if len(shapes) > 1:
        msg = f"stack needs tensors of one shape, not {', '.join(map(str, sorted(shapes)))}"
        raise ShapeError(msg)
    dtypes = [x.dtype for x in arrays]

    def vjp(g: Array, out: Out) -> Gradients:
        parts = np.moveaxis(g, dim, 0)
        return [
            np.asarray(part, dtype) if need else None for part, dtype, need in zip(parts, dtypes, needs, strict=True)
        ]

    return np.stack(arrays, dim, dtype=_common(arrays)), vjp


def dim_of(name: str, shape: tuple[int, ...], dim: int, more: int = 0) -> int:
    """Return a dimension counted from the front. A 0-d tensor has 0 and -1; `more` are those that will be added."""
    count = max(len(shape) + more, 1)
    if not -count <= dim < count:
        msg = f"{name}: dim {dim} is not a dimension of shape {shape}"
        raise IndexError(msg)
    return dim % count


def dims_of(name: str, shape: tuple[int, ...], dims: Iterable[int]) -> tuple[int, ...]:
    """Return dimensions counted from the front, each of which may be named once."""
    found = tuple(dim_of(name, shape, dim) for dim in dims)
    if len(set(found)) < len(found):
        msg = f"{name}: a dim is named twice in {tuple(dims)}"
        raise ValueError(msg)
    return found


def cut_dim(name: str, shape: tuple[int, ...], dim: int) -> int:
    """Return a dimension that is to be cut up, counted from the front; a 0-d tensor has none."""
    if not shape:
        msg = f"{name} needs a tensor of at least one dimension, not of shape ()"
        raise ShapeError(msg)
    return dim_of(name, shape, dim)


def flattened(shape: tuple[int, ...], start: int, end: int) -> tuple[int, ...]:
    """Return the shape with the dimensions from start to end, included, as one."""
    first, last = dim_of("flatten", shape, start), dim_of("flatten", shape, end)
    if first > last:
        msg = f"flatten: start_dim {start} comes after end_dim {end}"
        raise ValueError(msg)
    return (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])


def unflattened(shape: tuple[int, ...], dim: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape with one dimension as several, of which one length may be -1."""
    at = cut_dim("unflatten", shape, dim)
    length, given = shape[at], math.prod(size for size in sizes if size != -1)
    filled = tuple((length // given if given else -1) if size == -1 else size for size in sizes)
    if not sizes or sizes.count(-1) > 1 or min(filled) < 0 or math.prod(filled) != length:
        msg = f"unflatten: {sizes} do not multiply up to the length {length} of dim {dim}"
        raise ShapeError(msg)
    return (*shape[:at], *filled, *shape[at + 1 :])


def split_sizes(length: int, sizes: int | Sequence[int]) -> list[int]:
    """Return the lengths of the parts: as given, or all of one, of which the last may be shorter."""
    if not isinstance(sizes, Sequence):
        sizes = operator.index(sizes)
        if sizes < 1 and (sizes or length):
            msg = f"split needs a positive size, not {sizes}"
            raise ValueError(msg)
        return [min(sizes, length - begin) for begin in range(0, length, sizes or 1)] or [0]
    if sum(sizes) != length or min(sizes, default=0) < 0:
        msg = f"split: {list(sizes)} do not add up to the length {length}"
        raise ShapeError(msg)
    return list(sizes)
