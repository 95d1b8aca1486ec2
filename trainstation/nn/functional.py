"""Functions of neural networks, under torch's names."""

from __future__ import annotations

from typing import Any

from trainstation import ops
from trainstation.tensor import Tensor, apply

__all__ = ["cross_entropy", "linear", "log_softmax", "relu", "sigmoid", "tanh"]


def relu(input: Tensor) -> Tensor:  # torch's argument name
    """max(x, 0), element by element."""
    return input.relu()


def tanh(input: Tensor) -> Tensor:  # torch's argument name
    """Hyperbolic tangent, element by element."""
    return input.tanh()


def sigmoid(input: Tensor) -> Tensor:  # torch's argument name
    """1 / (1 + exp(-x)), element by element."""
    return input.sigmoid()


def log_softmax(input: Tensor, dim: int = -1) -> Tensor:  # torch's argument name
    """x - log(sum(exp(x))) over `dim`."""
    return input.log_softmax(dim)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # torch's name
    """input @ weight.T + bias: input (..., in), weight (out, in), bias (out,)."""
    return apply(ops.linalg.linear, input, weight, bias)


def cross_entropy(input: Tensor, target: Any) -> Tensor:  # torch's argument name
    """Mean negative log-likelihood of the classes.

    Args:
        input: logits (N, C), or (C,).
        target: class indices (N,), or (), a tensor or an array of integers.

    Raises:
        ShapeError: the shapes do not belong together.
        TypeError: the targets are not integers.
        IndexError: a target is not in 0 .. C-1.

    """
    return apply(ops.nn.cross_entropy, input, target if isinstance(target, Tensor) else Tensor(target))
