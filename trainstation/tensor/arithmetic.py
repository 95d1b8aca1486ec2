"""Arithmetic, choice, comparisons and logic as operators and methods of a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self

import numpy as np

from trainstation import ops
from trainstation.errors import ShapeError
from trainstation.tensor.core import Core, R

_elementwise = ops.elementwise


def _is_comparable(other: object) -> bool:
    """Whether `other` holds numbers; to anything else (None, a string) a tensor is not equal, as in torch."""
    return isinstance(other, (Core, np.ndarray, np.generic, int, float))


class Arithmetic(Core[R], Generic[R]):  # noqa: PLW1641  # Tensor has the hash
    """The part of `Tensor` that computes element by element.

    Both operands broadcast; ShapeError if their shapes do not fit, TypeError for what holds no numbers.
    """

    __slots__ = ()

    # Arithmetic

    def __neg__(self) -> R:
        return self._apply(_elementwise.neg, self)

    def add(self, other: Any) -> R:
        """x + y."""
        return self._apply(_elementwise.add, self, self._operand(other))

    def sub(self, other: Any) -> R:
        """x - y."""
        return self._apply(_elementwise.sub, self, self._operand(other))

    def mul(self, other: Any) -> R:
        """x * y."""
        return self._apply(_elementwise.mul, self, self._operand(other))

    def div(self, other: Any) -> R:
        """x / y; integers give float32."""
        return self._apply(_elementwise.div, self, self._operand(other))

    def pow(self, other: Any) -> R:
        """x ** y."""
        return self._apply(_elementwise.pow_, self, self._operand(other))

    def remainder(self, other: Any) -> R:
        """x - y * floor(x / y), of the sign of y; ZeroDivisionError for integers by zero."""
        return self._apply(_elementwise.remainder, self, self._operand(other))

    def floor_divide(self, other: Any) -> R:
        """floor(x / y), without a gradient; ZeroDivisionError for integers by zero."""
        return self._unrecorded(_elementwise.floor_divide, self, other)

    neg = __neg__
    __add__ = __radd__ = add
    __mul__ = __rmul__ = mul
    __sub__, __truediv__, __pow__ = sub, div, pow  # noqa: A003  # the method, as meant
    __mod__, __floordiv__ = remainder, floor_divide

    def __pos__(self) -> Self:
        return self

    def __rsub__(self, other: Any) -> R:
        return self._apply(_elementwise.sub, self._operand(other), self)

    def __rtruediv__(self, other: Any) -> R:
        return self._apply(_elementwise.div, self._operand(other), self)

    def __rpow__(self, other: Any) -> R:
        return self._apply(_elementwise.pow_, self._operand(other), self)

    def __rmod__(self, other: Any) -> R:
        return self._apply(_elementwise.remainder, self._operand(other), self)

    def __rfloordiv__(self, other: Any) -> R:
        return self._unrecorded(_elementwise.floor_divide, other, self)

    # Choice

    def maximum(self, other: Any) -> R:
        """The larger of two tensors' elements; where they are equal, each gets half of the gradient."""
        return self._apply(_elementwise.maximum, self, self._operand(other))

    def minimum(self, other: Any) -> R:
        """The smaller of two tensors' elements; where they are equal, each gets half of the gradient."""
        return self._apply(_elementwise.minimum, self, self._operand(other))

    def clip(self, min: float | None = None, max: float | None = None) -> R:  # noqa: A002  # torch's names
        """Bring every element into min .. max, numbers or None; the gradient passes where it was there already."""
        bounds = {name: self._operand(bound) for name, bound in (("min", min), ("max", max)) if bound is not None}
        return self._apply(_elementwise.clip, self, **bounds)

    clamp = clip

    def where(self, condition: Any, other: Any) -> R:
        """The own elements where the condition, a tensor of bools, holds, else those of `other`."""
        return self._apply(_elementwise.where, self._operand(condition), self, self._operand(other))

    def masked_fill(self, mask: Any, value: Any) -> R:
        """`value`, a number or a 0-d tensor, where the mask, a tensor of bools, holds, else the own elements."""
        return self._apply(_elementwise.masked_fill, self, self._operand(mask), self._operand(value))

    # Comparisons are element by element; a tensor's hash is its identity. Like logic they give bools, and no gradient.

    def _unrecorded(self, compute: Callable[[Any, Any], Any], x: Any, y: Any) -> R:
        x, y = (getattr(operand, "data", operand) for operand in (self._operand(x), self._operand(y)))
        try:
            return self._wrap(compute(*_elementwise.promote(x, y)))
        except ValueError:
            msg = f"{compute.__name__}: shapes {x.shape} and {y.shape} do not fit"
            raise ShapeError(msg) from None

    def eq(self, other: Any) -> R:
        """x == y."""
        return self._unrecorded(np.equal, self, other)

    def ne(self, other: Any) -> R:
        """x != y."""
        return self._unrecorded(np.not_equal, self, other)

    def lt(self, other: Any) -> R:
        """x < y."""
        return self._unrecorded(np.less, self, other)

    def le(self, other: Any) -> R:
        """x <= y."""
        return self._unrecorded(np.less_equal, self, other)

    def gt(self, other: Any) -> R:
        """x > y."""
        return self._unrecorded(np.greater, self, other)

    def ge(self, other: Any) -> R:
        """x >= y."""
        return self._unrecorded(np.greater_equal, self, other)

    __lt__, __le__, __gt__, __ge__ = lt, le, gt, ge

    def __eq__(self, other: object) -> R:  # type: ignore[override]
        return self.eq(other) if _is_comparable(other) else NotImplemented

    def __ne__(self, other: object) -> R:  # type: ignore[override]
        return self.ne(other) if _is_comparable(other) else NotImplemented

    # Logic: the named methods take any numbers and ask whether they are not 0; the operators take masks, and bits.

    def logical_and(self, other: Any) -> R:
        """Whether both are not 0."""
        return self._unrecorded(np.logical_and, self, other)

    def logical_or(self, other: Any) -> R:
        """Whether one of them is not 0."""
        return self._unrecorded(np.logical_or, self, other)

    def logical_xor(self, other: Any) -> R:
        """Whether just one of them is not 0."""
        return self._unrecorded(np.logical_xor, self, other)

    def logical_not(self) -> R:
        """Whether it is 0."""
        return self._wrap(np.logical_not(self.data))

    def _bits(self, compute: Callable[[Any, Any], Any], other: Any) -> R:
        for operand in (self, other):
            if np.asarray(getattr(operand, "data", operand)).dtype.kind == "f":
                msg = f"{compute.__name__} takes bools and integers, not floats; logical_and, _or, _xor, _not do"
                raise TypeError(msg)
        return self._unrecorded(compute, self, other)

    def __and__(self, other: Any) -> R:
        return self._bits(np.bitwise_and, other)

    def __or__(self, other: Any) -> R:
        return self._bits(np.bitwise_or, other)

    def __xor__(self, other: Any) -> R:
        return self._bits(np.bitwise_xor, other)

    def __invert__(self) -> R:
        return self ^ (True if self.data.dtype.kind == "b" else -1)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    # In place

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
