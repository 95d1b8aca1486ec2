"""The same elements under another shape; views wherever NumPy can. And arrays put together."""

from __future__ import annotations

import math
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

    return x.transpose(dims), vjp


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
    if len({dim % max(x.ndim, 1) for dim in dims}) < len(dims):
        msg = f"flip: a dim is named twice in {dims}"
        raise ValueError(msg)
    return np.flip(x, dims).copy(), lambda g, out: (np.flip(g, dims),)


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


def flattened(shape: tuple[int, ...], start: int, end: int) -> tuple[int, ...]:
    """Return the shape with the dimensions from start to end, included, as one."""
    count = max(len(shape), 1)
    for dim in (start, end):
        if not -count <= dim < count:
            msg = f"flatten: dim {dim} is not a dimension of shape {shape}"
            raise IndexError(msg)
    first, last = start % count, end % count
    if first > last:
        msg = f"flatten: start_dim {start} comes after end_dim {end}"
        raise ValueError(msg)
    return (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
