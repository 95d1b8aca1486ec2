"""Layers that normalise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from trainstation.errors import ShapeError
from trainstation.nn import functional
from trainstation.nn.module import Module, Parameter
from trainstation.tensor import Tensor

__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm", "RMSNorm"]


class LayerNorm(Module):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions (Ba, Kiros & Hinton, 2016).

    weight and bias have `normalized_shape`, and start as 1 and 0; neither is there without `elementwise_affine`.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        """Make the parameters."""
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        _register_affine(self, self.normalized_shape, elementwise_affine, elementwise_affine and bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (..., *normalized_shape)."""
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions (Zhang & Sennrich, 2019).

    weight has `normalized_shape` and starts as 1. `eps` of None is the epsilon of the input's dtype.
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        """Make the parameter."""
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter("weight", _filled(self.normalized_shape, 1, dtype) if elementwise_affine else None)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (..., *normalized_shape)."""
        return functional.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class _BatchNorm(Module):
    """What batch normalisation of any number of dimensions shares."""

    ranks: tuple[int, ...] = ()
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:
        """Make the parameters, 1 and 0, and the buffers, 0, 1 and 0."""
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        _register_affine(self, (num_features,), affine, affine and bias, dtype)
        known = dtype or np.float32
        self.register_buffer("running_mean", Tensor.zeros(num_features, dtype=known) if track_running_stats else None)
        self.register_buffer("running_var", Tensor.ones(num_features, dtype=known) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", Tensor.zeros((), dtype=np.int64) if track_running_stats else None)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each channel of (N, C), (N, C, L) or (N, C, H, W), whichever the class is for."""
        if input.ndim not in self.ranks:
            msg = f"{type(self).__name__} needs {' or '.join(map(str, self.ranks))} dimensions, not {input.shape}"
            raise ShapeError(msg)
        momentum = self.momentum or 0.0
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.data += 1
            if self.momentum is None:
                momentum = 1 / self.num_batches_tracked.item()
        return functional.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            momentum,
            self.eps,
        )

    def extra_repr(self) -> str:
        """Return the arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L), for each channel (Ioffe & Szegedy, 2015): see `BatchNorm2d`."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of (N, C, H, W) (Ioffe & Szegedy, 2015).

    In training mean and variance are the batch's, and the buffers `running_mean` and `running_var` move towards them
    by `momentum` (None: they are the average of all batches, which `num_batches_tracked` counts); in evaluation the
    buffers are taken. Without `track_running_stats` there are none, and the batch's are always taken.
    """

    ranks = (4,)


def _shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


def _filled(shape: tuple[int, ...], value: float, dtype: DTypeLike | None) -> Parameter:
    return Parameter(np.full(shape, value, dtype or np.float32))


def _register_affine(
    module: Module, shape: tuple[int, ...], has_weight: bool, has_bias: bool, dtype: DTypeLike | None
) -> None:
    module.register_parameter("weight", _filled(shape, 1, dtype) if has_weight else None)
    module.register_parameter("bias", _filled(shape, 0, dtype) if has_bias else None)
