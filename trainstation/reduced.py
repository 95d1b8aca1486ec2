"""Reductions as methods of a tensor: one line each, over `trainstation.ops.reductions`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation import ops

if TYPE_CHECKING:
    from trainstation.tensor import Tensor

Dim = int | Sequence[int] | None
_reductions = ops.reductions


class Extreme(NamedTuple):
    """The largest or smallest elements along a dimension, and where they stand."""

    values: Tensor
    indices: Tensor


class Reduced:
    """What `Tensor` inherits; it supplies the array, and `_apply`, which runs an operation and records it.

    `dim` is None (all dimensions), one or several, also counted from the end; `axis` is the same; `keepdim` leaves the
    reduced ones with length 1.
    """

    __slots__ = ()

    data: NDArray[Any]
    _apply: Callable[..., Tensor]
    _wrap: Callable[[Any], Tensor]
    maximum: Callable[[Any], Tensor]
    minimum: Callable[[Any], Tensor]

    def sum(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
        """Sum over all dimensions, or over `dim`."""
        return self._apply(_reductions.sum_, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def mean(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
        """Average over all dimensions, or over `dim`."""
        return self._apply(_reductions.mean, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def var(
        self,
        dim: Dim = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
        axis: Dim = None,
    ) -> Tensor:
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
    ) -> Tensor:
        """Standard deviation, the root of `var`."""
        options = _spread_options(dim, axis, unbiased, keepdim, correction)
        return self._apply(_reductions.std, self, **options)

    def norm(self, p: float | str | None = 2, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
        """sum(|x|^p)^(1/p); p may be inf, -inf and 0 (how many are not 0), and "fro" is 2. The gradient at 0 is 0."""
        exponent = 2.0 if p in {None, "fro"} else float(p)
        return self._apply(_reductions.norm, self, p=exponent, dim=axis if dim is None else dim, keepdim=keepdim)

    def amax(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
        """Largest element; equal ones share the gradient."""
        return self._apply(_reductions.amax, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def amin(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
        """Smallest element; equal ones share the gradient."""
        return self._apply(_reductions.amin, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def max(self, dim: Any = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
        """Largest element of all; along one `dim`, values and indices; beside another tensor, `maximum`."""
        return self._extreme("argmax", axis if dim is None else dim, keepdim=keepdim)

    def min(self, dim: Any = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
        """Smallest element of all; along one `dim`, values and indices; beside another tensor, `minimum`."""
        return self._extreme("argmin", axis if dim is None else dim, keepdim=keepdim)

    def _extreme(self, name: str, dim: Any, *, keepdim: bool) -> Any:
        if isinstance(dim, (Reduced, np.ndarray)):
            return self.maximum(dim) if name == "argmax" else self.minimum(dim)
        if dim is None:
            return self.amax() if name == "argmax" else self.amin()
        if self.data.ndim == 0:
            return Extreme(self.amax(dim), self._wrap(_place(name, self.data, dim, keepdim=keepdim)))
        places = _place(name, self.data, dim, keepdim=True)
        values = self._apply(_reductions.pick, self, index=places, dim=dim, keepdim=keepdim)
        return Extreme(values, self._wrap(places if keepdim else places.squeeze(dim)))

    def argmax(self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Tensor:
        """Place of the largest element, the first of equal ones: in the flat tensor, or along `dim`."""
        return self._wrap(_place("argmax", self.data, axis if dim is None else dim, keepdim=keepdim))

    def argmin(self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Tensor:
        """Place of the smallest element, the first of equal ones: in the flat tensor, or along `dim`."""
        return self._wrap(_place("argmin", self.data, axis if dim is None else dim, keepdim=keepdim))

    def all(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
        """Whether no element is 0 or False."""
        axes = _reductions.axes_of(self.data, axis if dim is None else dim)
        return self._wrap(np.asarray(self.data.all(axis=axes, keepdims=keepdim)))

    def any(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
        """Whether an element is neither 0 nor False."""
        axes = _reductions.axes_of(self.data, axis if dim is None else dim)
        return self._wrap(np.asarray(self.data.any(axis=axes, keepdims=keepdim)))

    def logsumexp(self, dim: Dim = None, keepdim: bool = False, *, axis: Dim = None) -> Tensor:
        """log(sum(exp(x))) over `dim`, without overflow."""
        return self._apply(_reductions.logsumexp, self, dim=axis if dim is None else dim, keepdim=keepdim)

    def cumsum(self, dim: int, *, axis: int | None = None) -> Tensor:
        """Sum of each element and those before it along `dim`."""
        return self._apply(_reductions.cumsum, self, dim=dim if axis is None else axis)


def _spread_options(dim: Dim, axis: Dim, unbiased: bool, keepdim: bool, correction: float | None) -> dict[str, Any]:
    if isinstance(dim, bool):  # torch's var(unbiased)
        return {"dim": axis, "correction": float(dim), "keepdim": keepdim}
    correction = float(unbiased) if correction is None else correction
    return {"dim": axis if dim is None else dim, "correction": correction, "keepdim": keepdim}


def _place(name: str, x: NDArray[Any], dim: int | None, *, keepdim: bool) -> NDArray[Any]:
    """Return where the largest ("argmax") or the smallest element stands, the first of equal ones; of all for None."""
    axis = _reductions.axes_of(x, dim)
    if not x.size:
        msg = f"{name}: there is nothing to choose from in shape {x.shape}"
        raise IndexError(msg)
    function: Any = x.argmax if name == "argmax" else x.argmin
    return np.asarray(function(axis=axis, keepdims=keepdim))
