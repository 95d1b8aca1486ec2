"""Normalisation of features, of batches, of vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainstation import ops
from trainstation.errors import ShapeError
from trainstation.gradtrack import mark_written
from trainstation.tensor import Tensor, apply

__all__ = ["batch_norm", "layer_norm", "normalize", "rms_norm"]


def _last_dims(name: str, input: Tensor, normalized_shape: Sequence[int]) -> int:
    """Return how many dimensions are normalised."""
    count = len(normalized_shape)
    if count == 0 or input.shape[-count:] != tuple(normalized_shape):
        msg = f"{name} over {tuple(normalized_shape)} needs an input that ends with this shape, not {input.shape}"
        raise ShapeError(msg)
    return count


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions, which have `normalized_shape`."""
    dims = _last_dims("layer_norm", input, normalized_shape)
    return apply(ops.norms.layer_norm, input, weight, bias, dims=dims, eps=eps)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions; `eps` of None is the dtype's epsilon."""
    dims = _last_dims("rms_norm", input, normalized_shape)
    known = float(np.finfo(input.dtype).eps) if eps is None else eps
    return apply(ops.norms.rms_norm, input, weight, dims=dims, eps=known)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of (N, C, ...).

    In training, mean and variance are the batch's, and the running ones become (1 - momentum) * themselves +
    momentum * the batch's (the variance with correction 1), in place; else they are the running ones.

    Raises:
        ShapeError: there is not one value a channel.
        ValueError: the batch has one value a channel, which has no variance, or running statistics are missing.

    """
    if input.ndim < 2:  # noqa: PLR2004  # N, C
        msg = f"batch_norm needs an input (N, C, ...), not {input.shape}"
        raise ShapeError(msg)
    if not training:
        if running_mean is None or running_var is None:
            msg = "batch_norm needs running statistics, or training=True"
            raise ValueError(msg)
        known = running_mean.data, running_var.data
        return apply(ops.batch_norm.batch_norm, input, weight, bias, eps=eps, statistics=known)
    count = math.prod(input.shape) // max(input.shape[1], 1)
    if count == 1:
        msg = f"batch_norm in training needs more than 1 value a channel, not an input {input.shape}"
        raise ValueError(msg)

    def see(mean: NDArray[np.floating], variance: NDArray[np.floating]) -> None:
        unbiased = variance * (count / max(count - 1, 1))
        for running, now in ((running_mean, mean), (running_var, unbiased)):
            if running is not None:
                if running.shape != now.shape:
                    msg = f"batch_norm has {len(now)} channels and running statistics {running.shape}"
                    raise ShapeError(msg)
                running.data *= 1 - momentum
                running.data += momentum * now
                mark_written(running)

    return apply(ops.batch_norm.batch_norm, input, weight, bias, eps=eps, see=see)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(the p-norm of x over `dim`, eps)."""
    return input / input.norm(p, dim, keepdim=True).clip(min=eps)
