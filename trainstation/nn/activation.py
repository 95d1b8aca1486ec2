"""Activations as layers."""

from __future__ import annotations

from trainstation.nn import functional
from trainstation.nn.module import Module
from trainstation.tensor import Tensor

__all__ = ["GELU", "LeakyReLU", "LogSoftmax", "ReLU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh"]


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to every element."""
        return functional.relu(input)


class LeakyReLU(Module):
    """x where it is positive, else negative_slope * x."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        """Keep the slope."""
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to every element."""
        return functional.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"negative_slope={self.negative_slope}"


class GELU(Module):
    """x * Phi(x), Phi the normal distribution; `approximate="tanh"` takes the tanh formula."""

    def __init__(self, approximate: str = "none") -> None:
        """Keep the name of the formula."""
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to every element."""
        return functional.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x * sigmoid(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to every element."""
        return functional.silu(input)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to every element."""
        return functional.tanh(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to every element."""
        return functional.sigmoid(input)


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        """Keep the arguments."""
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to every element."""
        return functional.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softmax(Module):
    """exp(x) / sum(exp(x)) over `dim`."""

    def __init__(self, dim: int) -> None:
        """Keep the dimension, which torch may guess with a warning and we do not."""
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Apply it; the shape stays."""
        return functional.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """The logarithm of softmax over `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply it; the shape stays."""
        return functional.log_softmax(input, self.dim)
