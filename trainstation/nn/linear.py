"""Linear, and what stands beside it: Identity, Flatten, Dropout, Embedding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from trainstation import ops
from trainstation.errors import ShapeError
from trainstation.nn import functional, init
from trainstation.nn.module import Module, Parameter
from trainstation.tensor import Tensor, apply

__all__ = ["Dropout", "Embedding", "Flatten", "Identity", "Linear"]


class Linear(Module):
    """y = x @ weight.T + bias, with weight (out_features, in_features), bias (out_features,).

    Both start uniform in +-1/sqrt(in_features).
    """

    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, dtype: DTypeLike | None = None
    ) -> None:
        """Make the parameters, float32 unless told otherwise."""
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(np.empty((out_features, in_features), dtype or np.float32))
        self.register_parameter("bias", Parameter(np.empty(out_features, dtype or np.float32)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        return functional.linear(input, self.weight, self.bias)

    def forward_relu(self, input: Tensor) -> Tensor:
        """Return what a ReLU would make of the result, in one pass less: `Sequential` calls this."""
        if self.bias is None:
            return self.forward(input).relu()
        return apply(ops.linear.linear_relu, input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    """What comes in; arguments are accepted and mean nothing, so that it can stand for any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Forget the arguments."""

    def forward(self, input: Any) -> Any:
        """Return the input itself."""
        return input


class Flatten(Module):
    """Makes one dimension of those from `start_dim` to `end_dim`, both included."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        """Keep the dimensions."""
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, ...) to (N, L)."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Dropout(Module):
    """Zeroes each element with probability `p` and divides the others by 1 - p; in evaluation it does nothing."""

    def __init__(self, p: float = 0.5) -> None:
        """Keep the probability; ValueError if it is none."""
        if not 0 <= p <= 1:
            msg = f"a probability is in 0 .. 1, not {p}"
            raise ValueError(msg)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to every element."""
        return functional.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        """Return the arguments; torch has `inplace`, which we do not."""
        return f"p={self.p}, inplace=False"


class Embedding(Module):
    """A row of weight (num_embeddings, embedding_dim) for each integer; the rows start as standard normal.

    The row `padding_idx` starts as zeros and gets no gradient.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *, dtype: DTypeLike | None = None
    ) -> None:
        """Make the parameter; ShapeError if there is no row `padding_idx`."""
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                msg = f"padding_idx {padding_idx} is not a row of {num_embeddings}"
                raise ShapeError(msg)
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.weight = Parameter(np.empty((num_embeddings, embedding_dim), dtype or np.float32))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameter anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    def forward(self, input: Tensor) -> Tensor:
        """Map integers (...,) to (..., embedding_dim)."""
        return functional.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Return the arguments."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
