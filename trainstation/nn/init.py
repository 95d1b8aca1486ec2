"""Initial values of parameters; each function writes in place and returns the tensor.

`generator` is a NumPy generator; without one the shared stream (`manual_seed`) is drawn from.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainstation import random
from trainstation.errors import ShapeError
from trainstation.gradtrack import mark_written
from trainstation.tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

if TYPE_CHECKING:
    Generator = np.random.Generator | None  # importing numpy.random takes as long as importing all of trainstation
_MATRIX = 2  # dimensions


def _written(tensor: Tensor, values: NDArray[Any] | float) -> Tensor:
    tensor.data[...] = values
    mark_written(tensor)
    return tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> Tensor:
    """Draw uniformly from [a, b)."""
    return _written(tensor, (generator or random.generator()).uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator = None) -> Tensor:
    """Draw from the normal distribution of this mean and standard deviation."""
    return _written(tensor, (generator or random.generator()).normal(mean, std, tensor.shape))


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator = None
) -> Tensor:
    """Draw from the normal distribution, of it what lies in [a, b]."""
    if not (a < b and std > 0):
        msg = f"trunc_normal_ needs a < b and a positive std, not {a}, {b} and {std}"
        raise ValueError(msg)
    draws = generator or random.generator()
    # Uniform draws, each kept with the density there over the highest of the window: any window is served, and what
    # is ten deviations from the highest need not be looked at.
    top = min(max(a, mean), b)
    low, high = max(a, top - 10 * std), min(b, top + 10 * std)
    values = np.empty(tensor.data.size)
    missing = np.arange(values.size)
    while missing.size:
        drawn = draws.uniform(low, high, missing.size)
        density = np.exp((((top - mean) / std) ** 2 - ((drawn - mean) / std) ** 2) / 2)
        kept = draws.random(missing.size) < density
        values[missing[kept]] = drawn[kept]
        missing = missing[~kept]
    return _written(tensor, values.reshape(tensor.shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with a number."""
    return _written(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return _written(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return _written(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """Make a matrix the identity, as far as it goes."""
    if tensor.ndim != _MATRIX:
        msg = f"eye_ needs a matrix, not {tensor.shape}"
        raise ShapeError(msg)
    return _written(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs an output has, and outputs an input, of a weight (out, in, ...)."""
    if tensor.ndim < _MATRIX:
        msg = f"a weight has at least two dimensions, not {tensor.shape}"
        raise ShapeError(msg)
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps the variance through a nonlinearity; `param` is leaky_relu's slope, or 0.01."""
    if nonlinearity == "leaky_relu":
        if not (param is None or (isinstance(param, (int, float)) and not isinstance(param, bool))):
            msg = f"a slope is a number, not {param!r}"
            raise ValueError(msg)
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    gains = dict.fromkeys(("linear", "conv1d", "conv2d", "sigmoid"), 1.0)
    gains |= {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
    if nonlinearity not in gains:
        msg = f"nonlinearity is one of {', '.join(gains)}, leaky_relu, not {nonlinearity!r}"
        raise ValueError(msg)
    return gains[nonlinearity]


def _xavier(tensor: Tensor, gain: float) -> float:
    total = sum(_fans(tensor))
    return gain * math.sqrt(2 / total) if total else 0.0


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Draw uniformly with the deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio, 2010)."""
    bound = math.sqrt(3) * _xavier(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Draw normally with the deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio, 2010)."""
    return normal_(tensor, 0.0, _xavier(tensor, gain), generator)


def _kaiming(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in {"fan_in", "fan_out"}:
        msg = f"mode is 'fan_in' or 'fan_out', not {mode!r}"
        raise ValueError(msg)
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator = None
) -> Tensor:
    """Draw a weight (out, in, ...) uniformly with the deviation gain / sqrt(fan) (He et al., 2015).

    `a` is the slope of a leaky ReLU. `a=sqrt(5)` is the default of layers: +-1/sqrt(fan_in).
    """
    bound = math.sqrt(3) * _kaiming(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator = None
) -> Tensor:
    """Draw a weight (out, in, ...) normally with the deviation gain / sqrt(fan) (He et al., 2015)."""
    return normal_(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator = None) -> Tensor:
    """Make (rows, ...) a random matrix whose rows, or columns if there are fewer, are orthonormal, times the gain.

    Saxe, McClelland & Ganguli, 2013.
    """
    if tensor.ndim < _MATRIX:
        msg = f"orthogonal_ needs at least two dimensions, not {tensor.shape}"
        raise ShapeError(msg)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    drawn = (generator or random.generator()).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.where(np.diag(r) < 0, -1, 1)  # else the signs would not be random
    return _written(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))
