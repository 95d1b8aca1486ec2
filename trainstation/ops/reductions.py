"""Sums over dimensions. `dim` is None (all), an int or a sequence of ints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainstation.gradtrack import VJP
from trainstation.ops.operation import Array, Needs, operation

Dim = int | Sequence[int] | None
Axes = int | tuple[int, ...] | None


def _axes(x: Array, dim: Dim) -> Axes:
    """Return NumPy's `axis`. As in torch an empty `dim` means every dimension, and a 0-d tensor has 0 and -1."""
    if dim is None:
        return None
    axes = dim if isinstance(dim, int) else tuple(dim) or None
    return None if x.ndim == 0 and axes in (0, -1, (0,), (-1,)) else axes


def _spread(gradient: Array, shape: tuple[int, ...], axes: Axes, *, keepdim: bool) -> Array:
    """Repeat the gradient of a reduction over the dimensions that were reduced."""
    if axes is not None and not keepdim:
        gradient = np.expand_dims(gradient, axes)
    return np.broadcast_to(gradient, shape)


@operation(())
def sum_(needs: Needs, x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Any, VJP]:
    axes, shape = _axes(x, dim), x.shape
    value = x.sum(axis=axes, keepdims=keepdim, dtype=None if x.dtype.kind == "f" else np.int64)
    return value, lambda g, out: (_spread(g, shape, axes, keepdim=keepdim),)


@operation(())
def mean(needs: Needs, x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Any, VJP]:
    if x.dtype.kind != "f":
        msg = f"mean needs a floating-point tensor, not {x.dtype}"
        raise TypeError(msg)
    axes, shape, number = _axes(x, dim), x.shape, x.dtype.type
    # The mean of nothing is NaN; NumPy would warn.
    value = x.mean(axis=axes, keepdims=keepdim) if x.size else x.sum(axis=axes, keepdims=keepdim) + number(np.nan)
    scale = number(np.size(value) / max(x.size, 1))
    return value, lambda g, out: (_spread(g * scale, shape, axes, keepdim=keepdim),)
