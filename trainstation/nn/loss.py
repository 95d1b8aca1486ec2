"""Losses as layers. torch's deprecated `size_average` and `reduce` are not here; what stands behind is keyword-only."""

from __future__ import annotations

from typing import Any

from trainstation.nn import functional
from trainstation.nn.module import Module
from trainstation.tensor import Tensor

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
]


class MSELoss(Module):
    """(x - y)^2: `functional.mse_loss`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        """Keep the reduction."""
        self.reduction = reduction

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        return functional.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Module):
    """|x - y|: `functional.l1_loss`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        """Keep the reduction."""
        self.reduction = reduction

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        return functional.l1_loss(input, target, reduction=self.reduction)


class HuberLoss(Module):
    """Quadratic up to delta, then linear: `functional.huber_loss`."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        """Keep the arguments."""
        self.reduction, self.delta = reduction, delta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        return functional.huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(Module):
    """Quadratic below beta, then linear with slope 1: `functional.smooth_l1_loss`."""

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        """Keep the arguments."""
        self.reduction, self.beta = reduction, beta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        return functional.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class CrossEntropyLoss(Module):
    """Negative log-likelihood of classes, by their logits: `functional.cross_entropy`."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        """Keep the arguments; the weight is a buffer."""
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Map logits (N, C, ...) and classes (N, ...), or probabilities (N, C, ...), to a loss."""
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(Module):
    """Negative log-likelihood of classes, by their log-probabilities: `functional.nll_loss`."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        """Keep the arguments; the weight is a buffer."""
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Map log-probabilities (N, C, ...) and classes (N, ...) to a loss."""
        return functional.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class BCEWithLogitsLoss(Module):
    """Cross-entropy of yes and no, by their logits: `functional.binary_cross_entropy_with_logits`."""

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        """Keep the arguments; the weights are buffers."""
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Compare logits with targets in 0 .. 1 of the same shape."""
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class PoissonNLLLoss(Module):
    """Negative log-likelihood of counts, by their rates or logarithms of them: `functional.poisson_nll_loss`."""

    def __init__(
        self, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean"
    ) -> None:
        """Keep the arguments."""
        self.log_input, self.full, self.eps, self.reduction = log_input, full, eps, reduction

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        return functional.poisson_nll_loss(
            input, target, self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )
