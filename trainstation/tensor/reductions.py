"""Reductions as methods of a tensor: one line each, over `trainstation.ops.reductions`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation import ops
from trainstation.tensor.core import Core, R

Dim = int | Sequence[int] | None
_reductions = ops.reductions


class Extreme(NamedTuple, Generic[R]):
    """The largest or smallest elements along a dimension, and where they stand."""

    values: R
    indices: R


class Reductions(Core[R], Generic[R]):
    """The part of `Tensor` that makes few elements of many.

    `dim` is None (all dimensions), one or several, also counted from the end; `axis` is the same; `keepdim` leaves the
    reduced ones with length 1.
    """

    __slots__ = ()

    def sum(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> R:
        """Sum over all dimensions, or over `dim`."""
        return self._apply(_reductions.sum_, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def mean(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> R:
        """Average over all dimensions, or over `dim`."""
        return self._apply(_reductions.mean, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def prod(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> R:
        """Product over all dimensions, or over `dim`."""
        return self._apply(_reductions.prod, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def var(
        self,
        dim: Dim = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
        axis: Dim = None,
    ) -> R:
        """Variance: the sum of squared deviations over n - correction, which is 1, or 0 if not `unbiased`."""
        options = _spread_options(dim, axis, unbiased, keepdim, correction)
        return self._apply(_reductions.var, self, **options)

    def std(
        self,
        dim: Dim = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
        axis: Dim = None,
    ) -> R:
        """Standard deviation, the root of `var`."""
        options = _spread_options(dim, axis, unbiased, keepdim, correction)
        return self._apply(_reductions.std, self, **options)

    def norm(self, p: float | str | None = 2, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> R:
        """sum(|x|^p)^(1/p); p may be inf, -inf and 0 (how many are not 0), and "fro" is 2. The gradient at 0 is 0."""
        exponent = 2.0 if p in {None, "fro"} else float(p)
        return self._apply(_reductions.norm, self, p=exponent, dim=axis if dim is None else dim, keepdim=keepdim)

    def amax(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> R:
        """Largest element; equal ones share the gradient."""
        return self._apply(_reductions.amax, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def amin(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> R:
        """Smallest element; equal ones share the gradient."""
        return self._apply(_reductions.amin, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def max(self, dim: Any = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
        """Largest element of all; along one `dim`, values and indices; beside another tensor, `maximum`."""
        return self._extreme("argmax", axis if dim is None else dim, keepdim=keepdim)

    def min(self, dim: Any = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
        """Smallest element of all; along one `dim`, values and indices; beside another tensor, `minimum`."""
        return self._extreme("argmin", axis if dim is None else dim, keepdim=keepdim)

    def _extreme(self, name: str, dim: Any, *, keepdim: bool) -> Any:
        if isinstance(dim, (Core, np.ndarray)):
            which = ops.elementwise.maximum if name == "argmax" else ops.elementwise.minimum
            return self._apply(which, self, self._operand(dim))
        if dim is None:
            return self.amax() if name == "argmax" else self.amin()
        if self.data.ndim == 0:
            return Extreme(self.amax(dim), self._wrap(_reductions.place(name, self.data, dim, keepdim=keepdim)))
        places = _reductions.place(name, self.data, dim, keepdim=True)
        values = self._apply(_reductions.pick, self, index=places, dim=dim, keepdim=keepdim)
        return Extreme(values, self._wrap(places if keepdim else places.squeeze(dim)))

    def argmax(self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> R:
        """Place of the largest element, the first of equal ones: in the flat tensor, or along `dim`."""
        return self._place("argmax", axis if dim is None else dim, keepdim=keepdim)

    def argmin(self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> R:
        """Place of the smallest element, the first of equal ones: in the flat tensor, or along `dim`."""
        return self._place("argmin", axis if dim is None else dim, keepdim=keepdim)

    def _place(self, name: str, dim: int | None, *, keepdim: bool) -> R:
        if self.data.dtype.kind == "b":
            msg = f"{name} needs a tensor of numbers, not {self.data.dtype}"
            raise TypeError(msg)
        return self._wrap(_reductions.place(name, self.data, dim, keepdim=keepdim))

    def all(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> R:
        """Whether no element is 0 or False."""
        return self._wrap(self.data.all(axis=_truth_axes(self.data, axis if dim is None else dim), keepdims=keepdim))

    def any(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> R:
        """Whether an element is neither 0 nor False."""
        return self._wrap(self.data.any(axis=_truth_axes(self.data, axis if dim is None else dim), keepdims=keepdim))

    def logsumexp(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> R:
        """log(sum(exp(x))) over `dim`, without overflow."""
        return self._apply(_reductions.logsumexp, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def cumsum(self, dim: int | None = None, *, axis: int | None = None) -> R:
        """Sum of each element and those before it along `dim`, which must be given."""
        return self._apply(_reductions.cumsum, self, dim=axis if dim is None else dim)


def _spread_options(dim: Dim, axis: Dim, unbiased: bool, keepdim: bool, correction: float | None) -> dict[str, Any]:
    if isinstance(dim, bool):  # torch's var(unbiased)
        return {"dim": axis, "correction": float(dim), "keepdim": keepdim}
    correction = float(unbiased) if correction is None else correction
    return {"dim": axis if dim is None else dim, "correction": correction, "keepdim": keepdim}


def _truth_axes(x: NDArray[Any], dim: Dim) -> Any:
    """Return NumPy's `axis`. No dims are all dims elsewhere, but none here: that is how torch has it."""
    return () if isinstance(dim, Sequence) and not dim else _reductions.axes_of(x, dim)
