"""Sums over dimensions. `dim` is None (all), an int or a tuple of ints."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainstation.gradtrack import VJP
from trainstation.ops.operation import Array, operation

Dim = int | tuple[int, ...] | None


def _spread(gradient: Array, like: Array, dim: Dim, *, keepdim: bool) -> Array:
    """Repeat the gradient of a reduction over the dimensions that were reduced."""
    if dim is not None and not keepdim:
        gradient = np.expand_dims(gradient, dim)
    return np.broadcast_to(gradient, like.shape)


@operation(())
def sum_(x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Any, VJP]:
    return x.sum(axis=dim, keepdims=keepdim), lambda g, needs: (_spread(g, x, dim, keepdim=keepdim),)


@operation(())
def mean(x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Any, VJP]:
    if x.dtype.kind != "f":
        msg = f"mean needs a floating-point tensor, not {x.dtype}"
        raise TypeError(msg)
    value = x.mean(axis=dim, keepdims=keepdim)
    scale = np.size(value) / max(x.size, 1)
    return value, lambda g, needs: (_spread(g * x.dtype.type(scale), x, dim, keepdim=keepdim),)
