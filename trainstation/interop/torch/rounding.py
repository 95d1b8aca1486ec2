"""Stochastic rounding of float32 to 16 bits, from a stream of random bits that is a function of element and step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels import BFLOAT16_STATE
from trainstation.optimizers import stored

__all__ = ["round_stochastically"]

Array = NDArray[Any]

PLACE = 1  # which of the hash's bits are drawn: not those of a rule's first state
INFINITY, NAN = 0x7C00, 0x7E00  # codes of float16
FLOAT16_LIMIT = np.float32(65536)  # the number after the largest, had float16 one more exponent


def round_stochastically(values: Array, t: int, to_bfloat16: bool) -> Array:
    """Return the int16 codes of bfloat16 or float16 numbers: the neighbour below or above, so that the mean stays.

    Args:
        values: float32.
        t: the step; with the index of an element in memory it says which random bits are drawn.
        to_bfloat16: or else to float16.

    """
    flat = np.ascontiguousarray(values).reshape(-1)
    if to_bfloat16:
        codes = stored.encode("p", flat, "signed", BFLOAT16_STATE, t, PLACE)["p"]
        return codes.view(np.int16).reshape(values.shape)
    with np.errstate(all="ignore"):
        size = np.abs(flat)
        below = np.minimum(size, np.float32(65504)).astype(np.float16)
        below = np.where(below.astype(np.float32) > size, below.view(np.uint16) - 1, below.view(np.uint16))
        above = (below + 1).astype(np.uint16)
        low = below.astype(np.uint16).view(np.float16).astype(np.float32)
        high = np.where(above == INFINITY, FLOAT16_LIMIT, above.view(np.float16).astype(np.float32))
        random = stored._random(flat.size, t, PLACE, 16).astype(np.float32) / np.float32(65536)
        chosen = np.where((size - low) / (high - low) > random, above, below)
        chosen = np.where(size >= FLOAT16_LIMIT, INFINITY, chosen)
        chosen = np.where(np.isnan(size), NAN, chosen) | (np.signbit(flat).astype(np.uint16) << 15)
    rounded: Array = chosen.astype(np.uint16).view(np.int16).reshape(values.shape)
    return rounded
