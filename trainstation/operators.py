"""Arithmetic, comparisons and functions of one element as operators and methods of a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainstation import ops

if TYPE_CHECKING:
    from trainstation.tensor import Tensor


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
    __sub__, __truediv__, __pow__ = sub, div, pow  # noqa: A003  # the method, as meant

    def __rsub__(self, other: Any) -> Tensor:
        return self._apply(ops.elementwise.sub, self._operand(other), self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._apply(ops.elementwise.div, self._operand(other), self)

    def __rpow__(self, other: Any) -> Tensor:
        return self._apply(ops.elementwise.pow_, self._operand(other), self)

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
