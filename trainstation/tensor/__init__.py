"""Tensor: a NumPy array that remembers how it was computed, in parts of which each needs only the core."""

from trainstation.tensor.tensor import Tensor, apply, tensor

__all__ = ["Tensor", "apply", "tensor"]
