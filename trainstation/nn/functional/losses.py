"""Losses of numbers: how far `input` is from `target`.

`reduction` is "mean", "sum" or "none". torch's `size_average` and `reduce`, which it deprecates, are not here; what
stands behind them in its signatures is keyword-only.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from trainstation import ops
from trainstation.errors import ShapeError
from trainstation.tensor import Tensor, apply

__all__ = [
    "as_tensor",
    "binary_cross_entropy_with_logits",
    "check_reduction",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "poisson_nll_loss",
    "reduced",
    "smooth_l1_loss",
]


def as_tensor(target: Any) -> Tensor:
    """Return a tensor as it is, and make one of anything else."""
    return target if isinstance(target, Tensor) else Tensor(target)


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless it is one."""
    if reduction not in {"mean", "sum", "none"}:
        msg = f"reduction is 'mean', 'sum' or 'none', not {reduction!r}"
        raise ValueError(msg)


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """Return the mean, the sum, or the losses themselves."""
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    check_reduction(reduction)
    return losses


def _difference(input: Tensor, target: Any) -> Tensor:
    """input - target; shapes that differ are more often a mistake than meant, which torch says in a warning too."""
    target = as_tensor(target)
    if target.shape != input.shape:
        msg = f"the target's shape {target.shape} is not the input's, {input.shape}: they will broadcast"
        warnings.warn(msg, stacklevel=3)
    return input.sub(target)


def mse_loss(input: Tensor, target: Any, *, reduction: str = "mean") -> Tensor:
    """(x - y)^2."""
    difference = _difference(input, target)
    return reduced(difference * difference, reduction)


def l1_loss(input: Tensor, target: Any, *, reduction: str = "mean") -> Tensor:
    """|x - y|."""
    return reduced(_difference(input, target).abs(), reduction)


def _huber(difference: Tensor, delta: float) -> Tensor:
    # With c = clip(d, -delta, delta) the loss is c * (d - c / 2), and its derivative c: that of c is not needed.
    slope = np.clip(difference.data, -delta, delta)
    return (difference - Tensor.from_numpy(slope * slope.dtype.type(0.5))) * Tensor.from_numpy(slope)


def huber_loss(input: Tensor, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """d^2 / 2 where |d| <= delta, else delta * (|d| - delta / 2), d = x - y (Huber, 1964)."""
    if delta <= 0:
        msg = f"huber_loss needs a positive delta, not {delta}"
        raise ValueError(msg)
    return reduced(_huber(_difference(input, target), delta), reduction)


def smooth_l1_loss(input: Tensor, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, d = x - y (Girshick, 2015)."""
    if beta < 0:
        msg = f"smooth_l1_loss needs a beta that is not negative, not {beta}"
        raise ValueError(msg)
    difference = _difference(input, target)
    return reduced(_huber(difference, beta) / beta if beta else difference.abs(), reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Any,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """-weight * (pos_weight * y * log(sigmoid(x)) + (1 - y) * log(1 - sigmoid(x))), without overflow.

    Raises:
        ShapeError: the target has another shape than the input.

    """
    target = as_tensor(target)
    if target.shape != input.shape:
        msg = f"the target's shape {target.shape} is not the input's, {input.shape}"
        raise ShapeError(msg)
    # log(1 - sigmoid(x)) = -x + log(sigmoid(x)), and -log(sigmoid(x)) = softplus(-x), here without a threshold.
    surprise = apply(ops.activations.softplus, -input, beta=1.0, threshold=math.inf)
    if pos_weight is not None:
        surprise = surprise * ((pos_weight - 1) * target + 1)
    losses = (1 - target) * input + surprise
    return reduced(losses if weight is None else losses * weight, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Any,
    log_input: bool = True,
    *,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """exp(x) - y * x, or x - y * log(x + eps) unless `log_input`.

    `full` adds Stirling's approximation of log(y!), y * log(y) - y + log(2 pi y) / 2, where y > 1.
    """
    target = as_tensor(target)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        above = target.clip(min=1)
        stirling = above * above.log() - above + (above * (2 * math.pi)).log() * 0.5
        losses = losses + stirling.masked_fill(target <= 1, 0)
    return reduced(losses, reduction)
