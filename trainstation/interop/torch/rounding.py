"""Stochastic rounding of float32 to 16 bits, from a stream of random bits that is a function of element and step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels import narrow

__all__ = ["round_stochastically"]

Array = NDArray[Any]


def round_stochastically(values: Array, t: int, to_bfloat16: bool) -> Array:
    """Return the int16 codes of bfloat16 or float16 numbers: the neighbour below or above, so that the mean stays.

    Args:
        values: float32.
        t: the step; with the index of an element in memory it says which random bits are drawn.
        to_bfloat16: or else to float16.

    """
    codes = np.empty(values.shape, np.int16)
    narrow(values, codes, is_bfloat16=to_bfloat16, t=t)
    return codes
