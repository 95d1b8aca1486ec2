"""Shapes and products as methods of a tensor: one line each, over `trainstation.ops`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Generic, cast

import numpy as np

from trainstation import ops
from trainstation.errors import ShapeError
from trainstation.tensor.core import Core, R


def _flat(lengths: tuple[int | Sequence[int], ...]) -> tuple[int, ...]:
    """Accept both f(2, 3) and f((2, 3))."""
    given = lengths[0] if len(lengths) == 1 and isinstance(lengths[0], Sequence) else lengths
    return tuple(cast("Sequence[int]", given))


class Shapes(Core[R], Generic[R]):
    """The part of `Tensor` that gives other shapes, and products.

    Dimensions may be counted from the end; IndexError for one that is not there. Views share memory with the tensor.
    """

    __slots__ = ()

    # Shapes

    def reshape(self, *shape: int | Sequence[int]) -> R:
        """Return the same elements in another shape, as a view where that can be; one length may be -1."""
        return self._apply(ops.shape.reshape, self, shape=_flat(shape))

    def view(self, *shape: int | Sequence[int]) -> R:
        """Return a view in another shape; ShapeError where the elements would have to be copied."""
        wanted = _flat(shape)
        made = self.reshape(wanted)
        if self.data.size and not np.may_share_memory(made.data, self.data):
            msg = f"no view of shape {wanted} is possible of a tensor whose elements lie apart; take reshape"
            raise ShapeError(msg)
        return made

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> R:
        """Make one dimension of those from `start_dim` to `end_dim`, included."""
        return self._apply(ops.shape.reshape, self, shape=ops.shape.flattened(self.data.shape, start_dim, end_dim))

    def ravel(self) -> R:
        """Make one dimension of all."""
        return self._apply(ops.shape.reshape, self, shape=(-1,) if self.data.size else (0,))

    def unflatten(self, dim: int, sizes: Sequence[int]) -> R:
        """Make several dimensions of one; one length may be -1."""
        return self._apply(ops.shape.reshape, self, shape=ops.shape.unflattened(self.data.shape, dim, tuple(sizes)))

    def transpose(self, dim0: int, dim1: int) -> R:
        """Return a view with two dimensions exchanged."""
        shape = self.data.shape
        first, second = ops.shape.dim_of("transpose", shape, dim0), ops.shape.dim_of("transpose", shape, dim1)
        dims = list(range(len(shape)))
        if dims:
            dims[first], dims[second] = dims[second], dims[first]
        return self._apply(ops.shape.permute, self, dims=tuple(dims))

    def permute(self, *dims: int | Sequence[int]) -> R:
        """Return a view with the dimensions in the order `dims`."""
        return self._apply(ops.shape.permute, self, dims=_flat(dims))

    @property
    def T(self) -> R:  # noqa: N802  # NumPy's and torch's name
        """The dimensions in reverse order."""
        return self._apply(ops.shape.permute, self, dims=tuple(range(self.data.ndim))[::-1])

    @property
    def mT(self) -> R:  # noqa: N802  # torch's name
        """Each matrix transposed."""
        return self.transpose(-2, -1)

    def squeeze(self, dim: int | Sequence[int] | None = None) -> R:
        """Leave out all dimensions of length 1, or those of `dim` that are of length 1."""
        shape = self.data.shape
        given = range(len(shape)) if dim is None else dim if isinstance(dim, Sequence) else [dim]
        gone = ops.shape.dims_of("squeeze", shape, given)
        return self._apply(
            ops.shape.reshape, self, shape=tuple(n for i, n in enumerate(shape) if n != 1 or i not in gone)
        )

    def unsqueeze(self, dim: int) -> R:
        """Put in a dimension of length 1 before `dim`."""
        shape = self.data.shape
        at = ops.shape.dim_of("unsqueeze", shape, dim, more=1)
        return self._apply(ops.shape.reshape, self, shape=(*shape[:at], 1, *shape[at:]))

    def expand(self, *shape: int | Sequence[int]) -> R:
        """Return a read-only view with dimensions of length 1 stretched, and new ones in front; -1 keeps a length."""
        return self._apply(ops.shape.expand, self, shape=_flat(shape))

    def broadcast_to(self, shape: Sequence[int]) -> R:
        """Return a read-only view that is stretched to a shape."""
        return self.expand(shape)

    def repeat(self, *repeats: int | Sequence[int]) -> R:
        """Repeat the whole tensor so many times along each dimension; new dimensions come in front."""
        return self._apply(ops.shape.repeat, self, repeats=_flat(repeats))

    def flip(self, *dims: int | Sequence[int]) -> R:
        """Return a copy with the order along dimensions reversed."""
        return self._apply(ops.shape.flip, self, dims=_flat(dims))

    def contiguous(self) -> R:
        """Return the tensor itself if its elements stand in memory in the order of their indices, else a copy."""
        if self.data.flags.c_contiguous:
            return cast("R", self)
        return self._apply(ops.shape.contiguous, self)

    def split(self, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[R, ...]:
        """Cut into views of a length, of which the last may be shorter, or of several lengths, along `dim`."""
        at = ops.shape.cut_dim("split", self.data.shape, dim)
        sizes = ops.shape.split_sizes(self.data.shape[at], split_size_or_sections)
        ends = accumulate(sizes, initial=0)
        before = (slice(None),) * at
        return tuple(
            self._apply(ops.indexing.getitem, self, index=(*before, slice(start, end))) for start, end in pairwise(ends)
        )

    def chunk(self, chunks: int, dim: int = 0) -> tuple[R, ...]:
        """Cut into at most so many views of equal length, of which the last may be shorter, along `dim`."""
        if chunks < 1:
            msg = f"chunk needs a positive number, not {chunks}"
            raise ValueError(msg)
        length = self.data.shape[ops.shape.cut_dim("chunk", self.data.shape, dim)]
        return self.split(-(-length // chunks) or [0] * chunks, dim)

    # Products

    def matmul(self, other: Any) -> R:
        """Matrix product; vectors and stacks of matrices as in NumPy."""
        return self._apply(ops.linalg.matmul, self, self._operand(other))

    __matmul__ = matmul

    def __rmatmul__(self, other: Any) -> R:
        return self._apply(ops.linalg.matmul, self._operand(other), self)

    def dot(self, other: Any) -> R:
        """Scalar product of two vectors."""
        return self.matmul(self._both("dot", other, 1))

    def mm(self, other: Any) -> R:
        """Product of two matrices."""
        return self.matmul(self._both("mm", other, 2))

    def bmm(self, other: Any) -> R:
        """Products of two stacks of as many matrices."""
        second = self._both("bmm", other, 3)
        if len(second.data) != len(self.data):
            msg = f"bmm: {len(self.data)} matrices times {len(second.data)}"
            raise ShapeError(msg)
        return self.matmul(second)

    def outer(self, other: Any) -> R:
        """Product of each element of a vector with each of another."""
        return self._apply(ops.elementwise.mul, self.unsqueeze(1), self._both("outer", other, 1))

    def _both(self, name: str, other: Any, ndim: int) -> R:
        """Return the other operand of a product of two tensors of so many dimensions."""
        other = self._operand(other)
        shape = getattr(other, "shape", ())
        if self.data.ndim != ndim or len(shape) != ndim:
            msg = f"{name} needs two tensors of {ndim} dimensions, not of shapes {self.data.shape} and {shape}"
            raise ShapeError(msg)
        return cast("R", other)
