"""Softmax and its relatives: one node and one pass each, for their parts would be slower or less exact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trainstation import kernels
from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import OUTPUT, Array, Needs, floating, of_floats, operation


def _along(dim: int, x: Array, function: Callable[..., Array], *others: Array, is_log: bool) -> Array:
    """Apply a function of the last dimension to another one."""
    if dim in (-1, x.ndim - 1) and x.ndim:
        return function(x, *others, is_log=is_log)
    if not -max(x.ndim, 1) <= dim < max(x.ndim, 1):
        msg = f"dim {dim} is not a dimension of shape {x.shape}"
        raise IndexError(msg)
    if x.ndim == 0:
        return function(*(np.reshape(array, 1) for array in (x, *others)), is_log=is_log).reshape(())
    moved = (np.moveaxis(array, dim, -1) for array in (x, *others))
    return np.moveaxis(function(*moved, is_log=is_log), -1, dim)


@operation((OUTPUT,))
@of_floats(takes_integers=False)
def softmax(needs: Needs, x: Array, *, dim: int) -> tuple[Array, VJP]:
    value = _along(dim, floating("softmax", x), kernels.softmax, is_log=False)
    return value, lambda g, out: (_along(dim, value, kernels.softmax_grad, g, is_log=False),)


@operation((OUTPUT,))
@of_floats(takes_integers=False)
def log_softmax(needs: Needs, x: Array, *, dim: int) -> tuple[Array, VJP]:
    value = _along(dim, floating("log_softmax", x), kernels.softmax, is_log=True)
    return value, lambda g, out: (_along(dim, value, kernels.softmax_grad, g, is_log=True),)


@operation((), ())
@of_floats(takes_integers=False)
def cross_entropy(
    needs: Needs,
    logits: Array,
    targets: Array,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> tuple[Array, VJP]:
    """-log_softmax(logits)[target]: logits (N, C), targets (N,) of class indices; or (C,) and ().

    The gradient is computed with the value: nothing else is kept.
    """
    if targets.dtype.kind not in "iu":
        msg = f"cross_entropy needs class indices as integers, not {targets.dtype}"
        raise TypeError(msg)
    shape = logits.shape
    if len(shape) not in (1, 2) or targets.shape != shape[:-1]:
        msg = f"cross_entropy needs logits (N, C) and targets (N,), not {shape} and {targets.shape}"
        raise ShapeError(msg)
    rows = floating("cross_entropy", logits)
    losses, gradient, count = kernels.cross_entropy(
        rows if rows.ndim > 1 else rows[None],
        np.ascontiguousarray(targets, np.int64).reshape(-1),
        ignored=ignore_index,
        smoothing=label_smoothing,
        is_mean=reduction == "mean",
        wants_gradient=needs[0],
    )
    if reduction == "none":
        value = losses.reshape(targets.shape)
    else:
        total = np.add.reduce(losses)
        value = total if reduction == "sum" else total / total.dtype.type(count) if count else total * np.nan

    def vjp(g: Array, out: Out) -> Gradients:
        assert gradient is not None
        scaled = gradient * g.reshape(-1, 1) if reduction == "none" else gradient if g == 1 else gradient * g
        return scaled.reshape(shape), None

    return value, vjp
