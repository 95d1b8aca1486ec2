"""Functions of one element as methods of a tensor: one line each, over `trainstation.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trainstation import ops

if TYPE_CHECKING:
    from trainstation.tensor import Tensor


class Elementary:
    """What `Tensor` inherits; it supplies `_apply`, which runs an operation and records it."""

    __slots__ = ()

    _apply: Callable[..., Tensor]
    _operand: Callable[[Any], Any]

    # Of integers and bools, what has fractions gives float32.

    def exp(self) -> Tensor:
        """e ** x."""
        return self._apply(ops.unary.exp, self)

    def expm1(self) -> Tensor:
        """exp(x) - 1, with all digits where x is small."""
        return self._apply(ops.unary.expm1, self)

    def log(self) -> Tensor:
        """Natural logarithm."""
        return self._apply(ops.unary.log, self)

    def log1p(self) -> Tensor:
        """log(1 + x), with all digits where x is small."""
        return self._apply(ops.unary.log1p, self)

    def sqrt(self) -> Tensor:
        """Square root."""
        return self._apply(ops.unary.sqrt, self)

    def rsqrt(self) -> Tensor:
        """1 / sqrt(x)."""
        return self._apply(ops.unary.rsqrt, self)

    def reciprocal(self) -> Tensor:
        """1 / x."""
        return self._apply(ops.unary.reciprocal, self)

    def sin(self) -> Tensor:
        """Sine of x in radians."""
        return self._apply(ops.unary.sin, self)

    def cos(self) -> Tensor:
        """Cosine of x in radians."""
        return self._apply(ops.unary.cos, self)

    def square(self) -> Tensor:
        """x * x."""
        return self._apply(ops.unary.square, self)

    def abs(self) -> Tensor:
        """Magnitude; its slope at 0 is 0."""
        return self._apply(ops.unary.abs_, self)

    def sign(self) -> Tensor:
        """-1, 0 or 1."""
        return self._apply(ops.unary.sign, self)

    def floor(self) -> Tensor:
        """The whole number at x or below."""
        return self._apply(ops.unary.floor, self)

    def ceil(self) -> Tensor:
        """The whole number at x or above."""
        return self._apply(ops.unary.ceil, self)

    def round(self) -> Tensor:
        """The nearest whole number; halves go to the even one."""
        return self._apply(ops.unary.round_, self)

    __abs__ = abs  # noqa: A003  # the method, as meant

    # What networks put between their layers

    def relu(self) -> Tensor:
        """max(x, 0)."""
        return self._apply(ops.activations.relu, self)

    def leaky_relu(self, negative_slope: float = 0.01) -> Tensor:
        """x where x > 0, else negative_slope * x."""
        return self._apply(ops.activations.leaky_relu, self, negative_slope=negative_slope)

    def tanh(self) -> Tensor:
        """Hyperbolic tangent."""
        return self._apply(ops.activations.tanh, self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x))."""
        return self._apply(ops.activations.sigmoid, self)

    def erf(self) -> Tensor:
        """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
        return self._apply(ops.activations.erf, self)

    def gelu(self, approximate: str = "none") -> Tensor:
        """x * Phi(x), Phi the normal distribution; `approximate="tanh"` is the faster formula."""
        return self._apply(ops.activations.gelu, self, approximate=approximate)

    def silu(self) -> Tensor:
        """x * sigmoid(x)."""
        return self._apply(ops.activations.silu, self)

    def softplus(self, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
        """log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold."""
        return self._apply(ops.activations.softplus, self, beta=beta, threshold=threshold)

    def softmax(self, dim: int = -1) -> Tensor:
        """exp(x) / sum(exp(x)) over `dim`."""
        return self._apply(ops.nn.softmax, self, dim=dim)

    def log_softmax(self, dim: int = -1) -> Tensor:
        """x - log(sum(exp(x))) over `dim`."""
        return self._apply(ops.nn.log_softmax, self, dim=dim)
