"""Where NumPy's array object keeps the address of its elements and its flags.

C looks there before each step: NumPy tells nobody when an array is frozen or moved, and asking in Python costs 50 ns an
array. NumPy's own macros PyArray_DATA and PyArray_FLAGS read the same two fields. Their places are found by experiment,
and nothing is read where the experiment fails.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels.native import ffi

__all__ = ["ARRAY", "OFFSETS", "watch"]

Array = NDArray[Any]
ARRAY = np.dtype({"names": ["object", "data"], "formats": [np.uintp, np.uintp], "itemsize": ffi.sizeof("ts_array")})
WRITEABLE = 0x0400


def _find() -> tuple[int, int] | None:
    """Return the offsets of the address and of the flags in an array object; None where objects are no such thing."""
    if sys.implementation.name != "cpython":
        return None
    probe = np.zeros(1)

    def words(dtype: type) -> Array:
        return np.frombuffer(ffi.buffer(ffi.cast("char *", id(probe)), np.ndarray.__basicsize__), dtype).copy()

    places = np.flatnonzero(words(np.uintp) == probe.ctypes.data)
    before = words(np.int32)
    probe.flags.writeable = False
    changed = before ^ words(np.int32)
    flags = np.flatnonzero(changed)
    if len(places) != 1 or len(flags) != 1 or changed[flags[0]] != WRITEABLE:
        return None
    return int(places[0]) * np.dtype(np.uintp).itemsize, int(flags[0]) * np.dtype(np.int32).itemsize


OFFSETS = _find()


def watch(arrays: Sequence[Array]) -> Array:
    """Return a table of arrays that C is to look at; the caller keeps them."""
    if OFFSETS is None:
        return np.zeros(0, ARRAY)
    table = np.zeros(len(arrays), ARRAY)
    table["object"] = [id(array) for array in arrays]
    table["data"] = [array.__array_interface__["data"][0] for array in arrays]
    return table
