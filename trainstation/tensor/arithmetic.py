"""Arithmetic, choice, comparisons and logic as operators and methods of a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from trainstation import ops
from trainstation.errors import GraphError, ShapeError
from trainstation.gradtrack import is_grad_enabled
from trainstation.ops import OPERATIONS
from trainstation.tensor.elementary import Elementary

if TYPE_CHECKING:
    from trainstation.tensor import Tensor

_elementwise = ops.elementwise


def _is_comparable(other: object) -> bool:
    """Whether `other` holds numbers; to anything else (None, a string) a tensor is not equal, as in torch."""
    return isinstance(other, (Operators, np.ndarray, np.generic, int, float))


class Operators(Elementary):  # noqa: PLW1641  # Tensor has the hash
    """What `Tensor` inherits; it supplies the array, and `_apply`, which runs an operation and records it.

    Both operands broadcast; ShapeError if their shapes do not fit, TypeError for what holds no numbers.
    """

    __slots__ = ()

    data: NDArray[Any]
    _requires_grad: bool
    _node: Any
    _version: list[int]
    _wrap: Callable[[Any], Tensor]
    _bump_version: Callable[[], None]

    # Arithmetic

    def __neg__(self) -> Tensor:
        return self._apply(_elementwise.neg, self)

    def add(self, other: Any) -> Tensor:
        """x + y."""
        return self._apply(_elementwise.add, self, self._operand(other))

    def sub(self, other: Any) -> Tensor:
        """x - y."""
        return self._apply(_elementwise.sub, self, self._operand(other))

    def mul(self, other: Any) -> Tensor:
        """x * y."""
        return self._apply(_elementwise.mul, self, self._operand(other))

    def div(self, other: Any) -> Tensor:
        """x / y; integers give float32."""
        return self._apply(_elementwise.div, self, self._operand(other))

    def pow(self, other: Any) -> Tensor:
        """x ** y."""
        return self._apply(_elementwise.pow_, self, self._operand(other))

    def remainder(self, other: Any) -> Tensor:
        """x - y * floor(x / y), of the sign of y; ZeroDivisionError for integers by zero."""
        return self._apply(_elementwise.remainder, self, self._operand(other))

    def floor_divide(self, other: Any) -> Tensor:
        """floor(x / y), without a gradient; ZeroDivisionError for integers by zero."""
        return self._unrecorded(_elementwise.floor_divide, self, other)

    neg = __neg__
    __add__ = __radd__ = add
    __mul__ = __rmul__ = mul
    __sub__, __truediv__, __pow__ = sub, div, pow  # noqa: A003  # the method, as meant
    __mod__, __floordiv__ = remainder, floor_divide

    def __pos__(self) -> Self:
        return self

    def __rsub__(self, other: Any) -> Tensor:
        return self._apply(_elementwise.sub, self._operand(other), self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._apply(_elementwise.div, self._operand(other), self)

    def __rpow__(self, other: Any) -> Tensor:
        return self._apply(_elementwise.pow_, self._operand(other), self)

    def __rmod__(self, other: Any) -> Tensor:
        return self._apply(_elementwise.remainder, self._operand(other), self)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return self._unrecorded(_elementwise.floor_divide, other, self)

    # Choice

    def maximum(self, other: Any) -> Tensor:
        """The larger of two tensors' elements; where they are equal, each gets half of the gradient."""
        return self._apply(_elementwise.maximum, self, self._operand(other))

    def minimum(self, other: Any) -> Tensor:
        """The smaller of two tensors' elements; where they are equal, each gets half of the gradient."""
        return self._apply(_elementwise.minimum, self, self._operand(other))

    def clip(self, min: float | None = None, max: float | None = None) -> Tensor:  # noqa: A002  # torch's names
        """Bring every element into min .. max, numbers or None; the gradient passes where it was there already."""
        bounds = {name: self._operand(bound) for name, bound in (("min", min), ("max", max)) if bound is not None}
        return self._apply(_elementwise.clip, self, **bounds)

    clamp = clip

    def where(self, condition: Any, other: Any) -> Tensor:
        """The own elements where the condition, a tensor of bools, holds, else those of `other`."""
        return self._apply(_elementwise.where, self._operand(condition), self, self._operand(other))

    def masked_fill(self, mask: Any, value: Any) -> Tensor:
        """`value`, a number or a 0-d tensor, where the mask, a tensor of bools, holds, else the own elements."""
        return self._apply(_elementwise.masked_fill, self, self._operand(mask), self._operand(value))

    # Comparisons are element by element; a tensor's hash is its identity. Like logic they give bools, and no gradient.

    def _unrecorded(self, compute: Callable[[Any, Any], Any], x: Any, y: Any) -> Tensor:
        x, y = (getattr(operand, "data", operand) for operand in (self._operand(x), self._operand(y)))
        try:
            return self._wrap(compute(*_elementwise.promote(x, y)))
        except ValueError:
            msg = f"{compute.__name__}: shapes {x.shape} and {y.shape} do not fit"
            raise ShapeError(msg) from None

    def eq(self, other: Any) -> Tensor:
        """x == y."""
        return self._unrecorded(np.equal, self, other)

    def ne(self, other: Any) -> Tensor:
        """x != y."""
        return self._unrecorded(np.not_equal, self, other)

    def lt(self, other: Any) -> Tensor:
        """x < y."""
        return self._unrecorded(np.less, self, other)

    def le(self, other: Any) -> Tensor:
        """x <= y."""
        return self._unrecorded(np.less_equal, self, other)

    def gt(self, other: Any) -> Tensor:
        """x > y."""
        return self._unrecorded(np.greater, self, other)

    def ge(self, other: Any) -> Tensor:
        """x >= y."""
        return self._unrecorded(np.greater_equal, self, other)

    __lt__, __le__, __gt__, __ge__ = lt, le, gt, ge

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return self.eq(other) if _is_comparable(other) else NotImplemented

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return self.ne(other) if _is_comparable(other) else NotImplemented

    # Logic: the named methods take any numbers and ask whether they are not 0; the operators take masks, and bits.

    def logical_and(self, other: Any) -> Tensor:
        """Whether both are not 0."""
        return self._unrecorded(np.logical_and, self, other)

    def logical_or(self, other: Any) -> Tensor:
        """Whether one of them is not 0."""
        return self._unrecorded(np.logical_or, self, other)

    def logical_xor(self, other: Any) -> Tensor:
        """Whether just one of them is not 0."""
        return self._unrecorded(np.logical_xor, self, other)

    def logical_not(self) -> Tensor:
        """Whether it is 0."""
        return self._wrap(np.logical_not(self.data))

    def _bits(self, compute: Callable[[Any, Any], Any], other: Any) -> Tensor:
        for operand in (self, other):
            if np.asarray(getattr(operand, "data", operand)).dtype.kind == "f":
                msg = f"{compute.__name__} takes bools and integers, not floats; logical_and, _or, _xor, _not do"
                raise TypeError(msg)
        return self._unrecorded(compute, self, other)

    def __and__(self, other: Any) -> Tensor:
        return self._bits(np.bitwise_and, other)

    def __or__(self, other: Any) -> Tensor:
        return self._bits(np.bitwise_or, other)

    def __xor__(self, other: Any) -> Tensor:
        return self._bits(np.bitwise_xor, other)

    def __invert__(self) -> Tensor:
        return self ^ (True if self.data.dtype.kind == "b" else -1)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    # In place: shape and dtype stay. Memory that a gradient may read is never written: what is recorded gives the
    # tensor a new array, which its views do not share.

    def _become(self, result: Tensor) -> Self:
        """Take over the values of a result, and how it was computed.

        Raises:
            GraphError: GradTrack records, and the tensor is a leaf that requires a gradient, or a view; or the
                result has no gradient although the tensor has one.
            ShapeError: the other operand has more elements.
            TypeError: the result is of a higher kind (a float beside an integer), or recorded in another dtype.

        """
        this: Any = self  # Tensor has the slots
        data, given = self.data, result.data
        if given.shape != data.shape:
            msg = f"a tensor of shape {data.shape} cannot become one of shape {given.shape} in place"
            raise ShapeError(msg)
        recorded = result._requires_grad
        if recorded or (self._requires_grad and is_grad_enabled()):
            self._check_may_record(result)
        categories = _elementwise.CATEGORIES
        if categories[given.dtype.kind] > categories[data.dtype.kind] or (recorded and given.dtype != data.dtype):
            msg = f"a tensor of {data.dtype} cannot become one of {given.dtype} in place"
            raise TypeError(msg)
        if recorded:
            this.data, this._version, this._requires_grad, this._node = given, result._version, True, result._node
        else:
            np.copyto(data, given, casting="unsafe")
            self._bump_version()
        return self

    def _check_may_record(self, result: Tensor) -> None:
        reason = None
        if self._requires_grad and self._node is None:
            reason = "a leaf that requires a gradient cannot be changed in place"
        elif not result._requires_grad:
            reason = "what has no gradient cannot be done in place"
        elif self.data.base is not None and (self._node is None or OPERATIONS[self._node.name].view):
            reason = "a view cannot be changed in place"
        if reason:
            msg = f"{reason} while GradTrack records; use no_grad(), or make a new tensor (y = y + x)"
            raise GraphError(msg)

    def add_(self, other: Any) -> Self:
        """x + y, in place."""
        return self._become(self.add(other))

    def sub_(self, other: Any) -> Self:
        """x - y, in place."""
        return self._become(self.sub(other))

    def mul_(self, other: Any) -> Self:
        """x * y, in place."""
        return self._become(self.mul(other))

    def div_(self, other: Any) -> Self:
        """x / y, in place."""
        return self._become(self.div(other))

    __iadd__, __isub__, __imul__, __itruediv__ = add_, sub_, mul_, div_

    def __ipow__(self, other: Any) -> Self:  # type: ignore[misc]  # no third argument
        return self._become(self.pow(other))

    def __imod__(self, other: Any) -> Self:  # type: ignore[misc]  # not made from a number
        return self._become(self.remainder(other))

    def __ifloordiv__(self, other: Any) -> Self:  # type: ignore[misc]  # likewise
        return self._become(self.floor_divide(other))

    def __iand__(self, other: Any) -> Self:
        return self._become(self & other)

    def __ior__(self, other: Any) -> Self:
        return self._become(self | other)

    def __ixor__(self, other: Any) -> Self:
        return self._become(self ^ other)
