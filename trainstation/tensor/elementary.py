"""Functions of one element as methods of a tensor: one line each, over `trainstation.ops`."""

from __future__ import annotations

from typing import Generic

from trainstation import ops
from trainstation.tensor.core import Core, R


class Elementary(Core[R], Generic[R]):
    """The part of `Tensor` with functions of one element."""

    __slots__ = ()

    # Of integers and bools, what has fractions gives float32.

    def exp(self) -> R:
        """e ** x."""
        return self._apply(ops.unary.exp, self)

    def expm1(self) -> R:
        """exp(x) - 1, with all digits where x is small."""
        return self._apply(ops.unary.expm1, self)

    def log(self) -> R:
        """Natural logarithm."""
        return self._apply(ops.unary.log, self)

    def log1p(self) -> R:
        """log(1 + x), with all digits where x is small."""
        return self._apply(ops.unary.log1p, self)

    def sqrt(self) -> R:
        """Square root."""
        return self._apply(ops.unary.sqrt, self)

    def rsqrt(self) -> R:
        """1 / sqrt(x)."""
        return self._apply(ops.unary.rsqrt, self)

    def reciprocal(self) -> R:
        """1 / x."""
        return self._apply(ops.unary.reciprocal, self)

    def sin(self) -> R:
        """Sine of x in radians."""
        return self._apply(ops.unary.sin, self)

    def cos(self) -> R:
        """Cosine of x in radians."""
        return self._apply(ops.unary.cos, self)

    def square(self) -> R:
        """x * x."""
        return self._apply(ops.unary.square, self)

    def abs(self) -> R:
        """Magnitude; its slope at 0 is 0."""
        return self._apply(ops.unary.abs_, self)

    def sign(self) -> R:
        """-1, 0 or 1."""
        return self._apply(ops.unary.sign, self)

    def floor(self) -> R:
        """The whole number at x or below."""
        return self._apply(ops.unary.floor, self)

    def ceil(self) -> R:
        """The whole number at x or above."""
        return self._apply(ops.unary.ceil, self)

    def round(self) -> R:
        """The nearest whole number; halves go to the even one."""
        return self._apply(ops.unary.round_, self)

    __abs__ = abs  # noqa: A003  # the method, as meant

    # What networks put between their layers

    def relu(self) -> R:
        """max(x, 0)."""
        return self._apply(ops.activations.relu, self)

    def leaky_relu(self, negative_slope: float = 0.01) -> R:
        """x where x > 0, else negative_slope * x."""
        return self._apply(ops.activations.leaky_relu, self, negative_slope=negative_slope)

    def tanh(self) -> R:
        """Hyperbolic tangent."""
        return self._apply(ops.activations.tanh, self)

    def sigmoid(self) -> R:
        """1 / (1 + exp(-x))."""
        return self._apply(ops.activations.sigmoid, self)

    def erf(self) -> R:
        """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
        return self._apply(ops.activations.erf, self)

    def gelu(self, approximate: str = "none") -> R:
        """x * Phi(x), Phi the normal distribution; `approximate="tanh"` is the faster formula."""
        return self._apply(ops.activations.gelu, self, approximate=approximate)

    def silu(self) -> R:
        """x * sigmoid(x)."""
        return self._apply(ops.activations.silu, self)

    def softplus(self, beta: float = 1.0, threshold: float = 20.0) -> R:
        """log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold."""
        return self._apply(ops.activations.softplus, self, beta=beta, threshold=threshold)

    def softmax(self, dim: int = -1) -> R:
        """exp(x) / sum(exp(x)) over `dim`."""
        return self._apply(ops.nn.softmax, self, dim=dim)

    def log_softmax(self, dim: int = -1) -> R:
        """x - log(sum(exp(x))) over `dim`."""
        return self._apply(ops.nn.log_softmax, self, dim=dim)
