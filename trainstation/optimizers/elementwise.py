"""What the C operations mean in NumPy, where NumPy's own function of the same name differs.

An author's `update` that uses these equals its C rule at NaN, zero and infinity too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["flush", "l2", "maximum", "minimum", "sign", "sum_of_squares"]

Array = NDArray[Any]
CHUNK, LANES = 4096, 16


def flush(a: Array) -> Array:
    """Return the elements, with +0 for subnormals (v_flush).

    A state that decays towards zero would stay subnormal for ever, and take up to five times as long.
    """
    return np.where(np.abs(a) < np.finfo(a.dtype).tiny, a.dtype.type(0), a)


def l2(p: Array, g: Array, weight_decay: Any) -> Array:
    """Return the gradient with the penalty `weight_decay * p`; without decay as it is, for 0 * p may be NaN."""
    return g if weight_decay == 0 else g + weight_decay * p


def maximum(a: Array, b: Array) -> Array:
    """Return the larger of two elements (v_max); a NaN on either side stays, of equal ones (+0 and -0) the second."""
    return np.where(a > b, a, np.where(a != a, a, b))  # noqa: PLR0124  # a != a finds NaN


def minimum(a: Array, b: Array) -> Array:
    """Return the smaller of two elements (v_min); a NaN on either side stays, and of equal ones the second."""
    return np.where(b > a, a, np.where(a != a, a, b))  # noqa: PLR0124  # a != a finds NaN


def sign(a: Array) -> Array:
    """Return 1, -1, +0 for either zero, and NaN for NaN (v_sign)."""
    one = a.dtype.type(1)
    return np.where(a > 0, one, np.where(a < 0, -one, np.where(a != a, a, one - one)))  # noqa: PLR0124  # as above


def sum_of_squares(a: Array) -> float:
    """Return the sum of the squares of all elements, in double, as every step adds them up (kernels/squares.h).

    Chunks of 4,096 elements in order; within one, element i is added in lane i % 16, then the lanes in halves.
    """
    flat = np.ascontiguousarray(a).reshape(-1).astype(np.float64)
    total = 0.0
    for begin in range(0, flat.size, CHUNK):
        chunk = flat[begin : begin + CHUNK]
        squares = np.zeros(-(-chunk.size // LANES) * LANES)
        squares[: chunk.size] = chunk * chunk
        lanes = np.add.accumulate(squares.reshape(-1, LANES), axis=0)[-1]
        while lanes.size > 1:
            lanes = lanes[: lanes.size // 2] + lanes[lanes.size // 2 :]
        total += float(lanes[0])
    return total
