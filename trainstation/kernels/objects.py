"""Where Python's objects keep what C looks at before each step.

C sees the address and the flags of arrays, and the arrays and gradients of parameters: there is no notice when one is
frozen, moved or replaced, and asking in Python costs 50 ns each. NumPy's own macros PyArray_DATA and PyArray_FLAGS read
the same fields of an array. All places are found by experiment, and nothing is read where the experiment fails.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import MemberDescriptorType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels.arrays import place_of
from trainstation.kernels.native import ffi

__all__ = ["ARRAY", "OFFSETS", "REFERENCE", "offset_of", "watch"]

Array = NDArray[Any]
ARRAY = np.dtype({"names": ["object", "data"], "formats": [np.uintp, np.uintp], "itemsize": ffi.sizeof("ts_array")})
REFERENCE = np.dtype({"names": ["at", "to"], "formats": [np.uintp, np.uintp], "itemsize": ffi.sizeof("ts_reference")})
WRITEABLE = 0x0400  # NPY_ARRAY_WRITEABLE


def _words(probe: object, dtype: type) -> Array:
    """Return a copy of an object's memory."""
    return np.frombuffer(ffi.buffer(ffi.cast("char *", id(probe)), type(probe).__basicsize__), dtype).copy()


def _find() -> tuple[int, int] | None:
    """Return the offsets of the address and of the flags in an array object; None where objects have no addresses."""
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


def watch(arrays: Sequence[Array]) -> Array:
    """Return a table of arrays that C is to look at; the caller keeps them."""
    if OFFSETS is None:
        return np.zeros(0, ARRAY)
    table = np.zeros(len(arrays), ARRAY)
    table["object"] = [id(array) for array in arrays]
    table["data"] = [place_of(array) for array in arrays]
    return table
