"""The methods and operators of a tensor: one line each, over `trainstation.ops`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from trainstation import ops

if TYPE_CHECKING:
    from trainstation.tensor import Tensor

Dim = int | Sequence[int] | None


def _flat(lengths: tuple[int | Sequence[int], ...]) -> tuple[int, ...]:
    """Accept both f(2, 3) and f((2, 3))."""
    given = lengths[0] if len(lengths) == 1 and isinstance(lengths[0], Sequence) else lengths
    return tuple(cast("Sequence[int]", given))


def _is_comparable(other: object) -> bool:
    """Whether `other` holds numbers; to anything else (None, a string) a tensor is not equal, as in torch."""
    return isinstance(other, (Operators, np.ndarray, np.generic, int, float))


class Operators:  # noqa: PLW1641  # Tensor has the hash
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

    def relu(self) -> Tensor:
        """max(x, 0), element by element."""
        return self._apply(ops.activations.relu, self)

    def tanh(self) -> Tensor:
        """Hyperbolic tangent, element by element."""
        return self._apply(ops.activations.tanh, self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x)), element by element."""
        return self._apply(ops.activations.sigmoid, self)

    def log_softmax(self, dim: int = -1) -> Tensor:
        """x - log(sum(exp(x))) over `dim`."""
        return self._apply(ops.nn.log_softmax, self, dim=dim)

    def matmul(self, other: Any) -> Tensor:
        """Matrix product; vectors and stacks of matrices as in NumPy."""
        return self._apply(ops.linalg.matmul, self, self._operand(other))

    def __getitem__(self, index: Any) -> Tensor:
        parts = index if isinstance(index, tuple) else (index,)
        plain = tuple(part.data if isinstance(part, Operators) else part for part in parts)
        return self._apply(ops.indexing.getitem, self, index=plain if isinstance(index, tuple) else plain[0])

    def __neg__(self) -> Tensor:
        return self._apply(ops.elementwise.neg, self)

    def add(self, other: Any) -> Tensor:
        """x + y."""
        return self._apply(ops.elementwise.add, self, self._operand(other))

    def sub(self, other: Any) -> Tensor:
        """x - y."""
        return self._apply(ops.elementwise.sub, self, self._operand(other))

    def mul(self, other: Any) -> Tensor:
        """x * y."""
        return self._apply(ops.elementwise.mul, self, self._operand(other))

    def div(self, other: Any) -> Tensor:
        """x / y; integers give float32."""
        return self._apply(ops.elementwise.div, self, self._operand(other))

    def pow(self, other: Any) -> Tensor:
        """x ** y."""
        return self._apply(ops.elementwise.pow_, self, self._operand(other))

    __add__ = __radd__ = add
    __mul__ = __rmul__ = mul
    __sub__, __truediv__, __pow__, __matmul__ = sub, div, pow, matmul  # noqa: A003  # the method, as meant

    def __rsub__(self, other: Any) -> Tensor:
        return self._apply(ops.elementwise.sub, self._operand(other), self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._apply(ops.elementwise.div, self._operand(other), self)

    def __rpow__(self, other: Any) -> Tensor:
        return self._apply(ops.elementwise.pow_, self._operand(other), self)

    def __rmatmul__(self, other: Any) -> Tensor:
        return self._apply(ops.linalg.matmul, self._operand(other), self)

    # Comparisons are element by element; a tensor's hash is its identity.

    def _compare(self, compare: Callable[[Any, Any], Any], other: Any) -> Tensor:
        other = self._operand(other)
        return self._wrap(compare(*ops.elementwise.promote(self.data, getattr(other, "data", other))))

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return self._compare(np.equal, other) if _is_comparable(other) else NotImplemented

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return self._compare(np.not_equal, other) if _is_comparable(other) else NotImplemented

    def __lt__(self, other: Any) -> Tensor:
        return self._compare(np.less, other)

    def __le__(self, other: Any) -> Tensor:
        return self._compare(np.less_equal, other)

    def __gt__(self, other: Any) -> Tensor:
        return self._compare(np.greater, other)

    def __ge__(self, other: Any) -> Tensor:
        return self._compare(np.greater_equal, other)
