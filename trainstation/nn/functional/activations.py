"""Functions of one element, and softmax."""

from __future__ import annotations

from trainstation import ops
from trainstation.tensor import Tensor, apply

__all__ = ["gelu", "leaky_relu", "log_softmax", "relu", "sigmoid", "silu", "softmax", "softplus", "tanh"]


def relu(input: Tensor) -> Tensor:
    """max(x, 0), element by element."""
    return apply(ops.activations.relu, input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, else negative_slope * x."""
    return apply(ops.activations.leaky_relu, input, negative_slope=negative_slope)


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent, element by element."""
    return apply(ops.activations.tanh, input)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), element by element."""
    return apply(ops.activations.sigmoid, input)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), Phi the normal distribution; `approximate="tanh"` takes the tanh formula."""
    return apply(ops.activations.gelu, input, approximate=approximate)


def silu(input: Tensor) -> Tensor:
    """x * sigmoid(x), element by element."""
    return apply(ops.activations.silu, input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold."""
    return apply(ops.activations.softplus, input, beta=beta, threshold=threshold)


def softmax(input: Tensor, dim: int) -> Tensor:
    """exp(x) / sum(exp(x)) over `dim`, which torch may guess with a warning and we do not."""
    return apply(ops.nn.softmax, input, dim=dim)


def log_softmax(input: Tensor, dim: int = -1) -> Tensor:
    """x - log(sum(exp(x))) over `dim`."""
    return apply(ops.nn.log_softmax, input, dim=dim)
