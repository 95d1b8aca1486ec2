"""Initial values of parameters; each function writes in place and returns the tensor."""

from __future__ import annotations

import math

from trainstation import random
from trainstation.tensor import Tensor

__all__ = ["kaiming_uniform_", "uniform_"]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Draw uniformly from [a, b)."""
    tensor.data[...] = random.generator().uniform(a, b, tensor.shape)
    tensor._bump_version()
    return tensor


def kaiming_uniform_(tensor: Tensor, a: float = 0.0) -> Tensor:
    """Draw a weight (out, in, ...) uniformly from +-sqrt(6 / ((1 + a^2) * fan_in)), for leaky ReLUs of slope `a`.

    He et al., Delving Deep into Rectifiers, 2015. `a=sqrt(5)` is torch's default for layers: +-1/sqrt(fan_in).
    """
    fan_in = math.prod(tensor.shape[1:])
    bound = math.sqrt(6 / ((1 + a * a) * fan_in)) if fan_in else 0.0
    return uniform_(tensor, -bound, bound)
