"""Where arrays lie: for states, in places that suit processors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from trainstation.kernels.native import ffi

__all__ = ["PAGE_PART", "address", "copy_beside", "place_of", "plain", "zeros_beside"]

Array = NDArray[Any]
PAGE_PART = 512  # bytes

# What is freed in megabytes glibc gives back to the system, and to ask for it again, page by page, takes longer than
# the arithmetic: 2.4 of the 3.6 ms of a LeNet's convolutions and pools. Freeing, once, the largest block that it learns
# from teaches it to keep smaller ones for the next step; untouched, the block costs no memory.
np.empty((32 << 20) - (1 << 16), np.uint8)


def plain(array: Array) -> Array:
    """Return the array, or a copy that C can walk."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else array.copy("C")


def zeros_beside(array: Array, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Return zeros that a kernel can walk side by side with an array.

    Where two of them lie 64 bytes apart, but for whole pages, processors take what is loaded from one for what was just
    stored to the other, and wait; and vectors that cross cache lines cost twice. So the place within 512 bytes is that
    of the other array, or the beginning if elements are of another size.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < 8 * PAGE_PART:
        return np.zeros(shape, dtype)
    room = np.zeros(size + PAGE_PART, np.uint8)
    wanted = place_of(array) if array.itemsize == dtype.itemsize else 0
    begin = (wanted - place_of(room)) % PAGE_PART
    return room[begin : begin + size].view(dtype).reshape(shape)


def place_of(array: Array) -> int:
    """Return where the first element of any array lies."""
    place: int = array.__array_interface__["data"][0]
    return place


def copy_beside(array: Array, values: Any) -> Array:
    """Return a copy of an array of values, in C order, placed by `zeros_beside`."""
    values = np.asarray(values)
    made = zeros_beside(array, values.shape, values.dtype)
    made[...] = values
    return made


def address(array: Array | bytearray) -> int:
    """Return where the first element of a contiguous array lies."""
    return int(ffi.cast("uintptr_t", ffi.from_buffer(array)))
