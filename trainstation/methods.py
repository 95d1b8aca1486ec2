"""Reductions, shapes, indices and products as methods of a tensor: one line each, over `trainstation.ops`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from numpy.typing import NDArray

from trainstation import ops

if TYPE_CHECKING:
    from trainstation.tensor import Tensor

Dim = int | Sequence[int] | None


def _flat(lengths: tuple[int | Sequence[int], ...]) -> tuple[int, ...]:
    """Accept both f(2, 3) and f((2, 3))."""
    given = lengths[0] if len(lengths) == 1 and isinstance(lengths[0], Sequence) else lengths
    return tuple(cast("Sequence[int]", given))


class Methods:
    """What `Tensor` inherits; it supplies the array, and `_apply`, which runs an operation and records it."""

    __slots__ = ()

    data: NDArray[Any]
    _apply: Callable[..., Tensor]
    _operand: Callable[[Any], Any]
    _wrap: Callable[[Any], Tensor]

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """Return the same elements in another shape; one length may be -1."""
        return self._apply(ops.shape.reshape, self, shape=_flat(shape))

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Return a view with two dimensions exchanged."""
        dims = list(range(self.data.ndim or 1))
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
        return self._apply(ops.shape.permute, self, dims=tuple(dims[: self.data.ndim]))

    def permute(self, *dims: int | Sequence[int]) -> Tensor:
        """Return a view with the dimensions in the order `dims`."""
        return self._apply(ops.shape.permute, self, dims=_flat(dims))

    @property
    def T(self) -> Tensor:  # noqa: N802  # NumPy's and torch's name
        """The dimensions in reverse order."""
        return self._apply(ops.shape.permute, self, dims=tuple(range(self.data.ndim))[::-1])

    def sum(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
        """Sum over all dimensions, or over `dim` (`axis` is the same)."""
        return self._apply(ops.reductions.sum_, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def mean(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
        """Average over all dimensions, or over `dim` (`axis` is the same)."""
        return self._apply(ops.reductions.mean, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def matmul(self, other: Any) -> Tensor:
        """Matrix product; vectors and stacks of matrices as in NumPy."""
        return self._apply(ops.linalg.matmul, self, self._operand(other))

    __matmul__ = matmul

    def __rmatmul__(self, other: Any) -> Tensor:
        return self._apply(ops.linalg.matmul, self._operand(other), self)
