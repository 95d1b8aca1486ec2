"""Layers and losses, with torch's arguments, initial values and parameter shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from trainstation.nn import functional, init
from trainstation.nn.module import Module, Parameter
from trainstation.tensor import Tensor

__all__ = ["CrossEntropyLoss", "Linear", "ReLU", "Sequential", "Sigmoid", "Tanh"]


class Linear(Module):
    """y = x @ weight.T + bias, with weight (out_features, in_features), bias (out_features,).

    Both start uniform in +-1/sqrt(in_features).
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        """Make the parameters."""
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self.bias: Parameter | None = None
        if bias:
            self.bias = Parameter(np.empty(out_features, np.float32))
            bound = 1 / math.sqrt(in_features) if in_features else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:  # torch's argument name
        """Map (..., in_features) to (..., out_features)."""
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, input: Tensor) -> Tensor:  # torch's argument name
        """Apply it to every element."""
        return input.relu()


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:  # torch's argument name
        """Apply it to every element."""
        return input.tanh()


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:  # torch's argument name
        """Apply it to every element."""
        return input.sigmoid()


class Sequential(Module):
    """One module after the other."""

    def __init__(self, *modules: Module) -> None:
        """Keep the modules under the names 0, 1, ..."""
        for index, module in enumerate(modules):
            if not isinstance(module, Module):
                msg = f"Sequential takes modules; argument {index} is a {type(module).__name__}"
                raise TypeError(msg)
            setattr(self, str(index), module)

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]

    def forward(self, input: Any) -> Any:  # torch's argument name
        """Feed each module what the one before it gave."""
        for module in self:
            input = module(input)  # torch's argument name
        return input


class CrossEntropyLoss(Module):
    """Mean negative log-likelihood of class indices: `functional.cross_entropy`."""

    def forward(self, input: Tensor, target: Any) -> Tensor:  # torch's argument name
        """Map logits (N, C) and class indices (N,) to a loss."""
        return functional.cross_entropy(input, target)
