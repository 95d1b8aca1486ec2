"""Where arrays lie: for states, in places that suit processors; and where Python's objects say so.

Before each step C looks at the address and the flags of arrays, and at the arrays and gradients of parameters: nobody
is told when one is frozen, moved or replaced, and asking in Python costs 50 ns each. NumPy's own macros PyArray_DATA
and PyArray_FLAGS read the same fields of an array. All places are found by experiment, and nothing is read where the
experiment fails.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from types import MemberDescriptorType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import DTypeLike, NDArray

from trainstation.kernels.native import ffi

__all__ = ["ARRAY", "OFFSETS", "REFERENCE", "copy_beside", "offset_of", "plain", "watch", "zeros_beside"]

Array = NDArray[Any]
ARRAY = np.dtype({"names": ["object", "data"], "formats": [np.uintp, np.uintp], "itemsize": ffi.sizeof("ts_array")})
REFERENCE = np.dtype({"names": ["at", "to"], "formats": [np.uintp, np.uintp], "itemsize": ffi.sizeof("ts_reference")})
WRITEABLE = 0x0400
PAGE_PART = 512  # bytes


def _words(probe: object, dtype: type) -> Array:
    """Return a copy of an object's memory."""
    return np.frombuffer(ffi.buffer(ffi.cast("char *", id(probe)), type(probe).__basicsize__), dtype).copy()


def _find() -> tuple[int, int] | None:
    """Return the offsets of the address and of the flags in an array object; None where objects are no such thing."""
    if sys.implementation.name != "cpython":
        return None
    probe = np.zeros(1)
    places = np.flatnonzero(_words(probe, np.uintp) == probe.ctypes.data)
    before = _words(probe, np.int32)
    probe.flags.writeable = False
    changed = before ^ _words(probe, np.int32)
    flags = np.flatnonzero(changed)
    if len(places) != 1 or len(flags) != 1 or changed[flags[0]] != WRITEABLE:
        return None
    return int(places[0]) * np.dtype(np.uintp).itemsize, int(flags[0]) * np.dtype(np.int32).itemsize


OFFSETS = _find()


_offsets: WeakKeyDictionary[type, dict[str, int | None]] = WeakKeyDictionary()


def offset_of(kind: type, name: str) -> int | None:
    """Return where objects of a class keep what their slot `name` refers to; None where that cannot be found."""
    known = _offsets.setdefault(kind, {})
    if name not in known:
        known[name] = _find_slot(kind, name)
    return known[name]


def _find_slot(kind: type, name: str) -> int | None:
    slot = getattr(kind, name, None)
    if OFFSETS is None or not isinstance(slot, MemberDescriptorType):
        return None
    try:
        probe: object = object.__new__(kind)
        slot.__set__(probe, mark := object())
    except (AttributeError, TypeError):
        return None
    places = np.flatnonzero(_words(probe, np.uintp) == id(mark))
    return int(places[0]) * np.dtype(np.uintp).itemsize if len(places) == 1 else None


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
    wanted = _place(array) if array.itemsize == dtype.itemsize else 0
    begin = (wanted - _place(room)) % PAGE_PART
    return room[begin : begin + size].view(dtype).reshape(shape)


def _place(array: Array) -> int:
    place: int = array.__array_interface__["data"][0]
    return place


def copy_beside(array: Array, values: Any) -> Array:
    """Return a copy of an array of values, in C order, placed by `zeros_beside`."""
    values = np.asarray(values)
    made = zeros_beside(array, values.shape, values.dtype)
    made[...] = values
    return made


def watch(arrays: Sequence[Array]) -> Array:
    """Return a table of arrays that C is to look at; the caller keeps them."""
    if OFFSETS is None:
        return np.zeros(0, ARRAY)
    table = np.zeros(len(arrays), ARRAY)
    table["object"] = [id(array) for array in arrays]
    table["data"] = [_place(array) for array in arrays]
    return table
