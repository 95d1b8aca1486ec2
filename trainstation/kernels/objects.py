"""Where Python's objects keep what C follows before each step: arrays, and the arrays and gradients of parameters.

C reads an array's fields as NumPy's own macros do, and the slots of a class where they were found by experiment; what
has no slot is an attribute, which C asks for as Python would. kernels/objects.c is the other side.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from types import MemberDescriptorType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels.arrays import place_of
from trainstation.kernels.native import ffi, lib

__all__ = [
    "ARRAY",
    "ENTRY",
    "NO_ARRAY",
    "NO_ROW",
    "NO_SLOT",
    "RANGE",
    "exchange_of",
    "followed",
    "given_by",
    "step",
    "watch",
]

Array = NDArray[Any]
Getter = TypeVar("Getter", bound=Callable[..., Any])

NO_SLOT, NO_ROW = lib.TS_NO_SLOT, lib.TS_NO_ROW
NO_ARRAY = 1  # in the place of an object, where C asks for none
ATTRIBUTE = -1  # in the place of an offset
EXCHANGE = "__dlpack_c_exchange_api__"
PLACE, VERSION = 5, 1  # of dltensor_from_py_object_no_sync, in words; of DLPack, the major one


def _dtype(name: str) -> np.dtype[Any]:
    """Describe a struct of C to NumPy: its pointers and numbers of 64 bits, its flags of 32."""
    fields = ffi.typeof(name).fields
    narrow = {field for field, _ in fields if field.startswith("is_")}
    return np.dtype(
        {
            "names": [field for field, _ in fields],
            "formats": [
                np.int32
                if field in narrow
                else np.int64
                if field.endswith("_at") or field in ("slot", "n")
                else np.uintp
                for field, _ in fields
            ],
            "offsets": [field.offset for _, field in fields],
            "itemsize": ffi.sizeof(name),
        }
    )


ARRAY, RANGE, ENTRY = map(_dtype, ("ts_array", "ts_range", "ts_entry"))


def _function() -> Callable[..., int]:
    """Make the function that steps. cffi would let go of the GIL before it; ctypes, which is asked once, does not."""
    place = int(ffi.cast("uintptr_t", ffi.addressof(lib, "ts_step_function")))
    made: Callable[..., int] = ctypes.PYFUNCTYPE(ctypes.py_object)(place)()
    return made


# step(address of a ts_call, isa, threads, stamp, actions): what came of it, see `trainstation.kernels.step`.
step = _function()

_offsets: WeakKeyDictionary[type, dict[str, int]] = WeakKeyDictionary()


def given_by(slot: str) -> Callable[[Getter], Getter]:
    """Mark the getter of a property that returns what a slot of the class holds: C may read that itself."""

    def mark(getter: Getter) -> Getter:
        getter.given_by = slot  # type: ignore[attr-defined]  # a function has attributes
        return getter

    return mark


def offset_of(kind: type, name: str) -> int:
    """Return where objects of a class keep what their attribute `name` is; ATTRIBUTE where only Python can tell."""
    known = _offsets.setdefault(kind, {})
    if name not in known:
        found = getattr(kind, name, None)
        known[name] = _find_slot(kind, getattr(getattr(found, "fget", None), "given_by", name))
    return known[name]


def _find_slot(kind: type, name: str) -> int:
    slot = getattr(kind, name, None)
    if (
        not isinstance(slot, MemberDescriptorType)
        or type.__getattribute__(kind, "__getattribute__") is not object.__getattribute__
    ):
        return ATTRIBUTE
    try:
        probe: object = object.__new__(kind)
        slot.__set__(probe, mark := object())
    except (AttributeError, TypeError):
        return ATTRIBUTE
    words = np.frombuffer(ffi.buffer(ffi.cast("char *", id(probe)), kind.__basicsize__), np.uintp).copy()
    places = np.flatnonzero(words == id(mark))
    return int(places[0]) * np.dtype(np.uintp).itemsize if len(places) == 1 else ATTRIBUTE


def followed(parameter: Any, owner: Any) -> tuple[int, int, int, int]:
    """Return where C finds the array of a parameter and its gradient, and what owns that one.

    Args:
        parameter: has `data` and `grad`.
        owner: its `grad`: an array, or an object whose `data` is one.

    Returns:
        `data_at`, `grad_at`, `owner_kind` and `owner_at` of an entry.

    """
    kind, of = type(parameter), type(owner)
    return offset_of(kind, "data"), offset_of(kind, "grad"), id(of), offset_of(of, "data")


def watch(arrays: Sequence[Array]) -> Array:
    """Return a table of arrays that C is to look at; the caller keeps them."""
    table = np.zeros(len(arrays), ARRAY)
    table["object"] = [id(array) for array in arrays]
    table["data"] = [place_of(array) for array in arrays]
    return table


@cache
def exchange_of(kind: type) -> int:
    """Return the address of the function that describes a tensor of a class, without ownership.

    Raises:
        ImportError: the class has another version of DLPack's C exchange interface, or none.

    """
    typed = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)  # not `pythonapi`'s, which all share
    capsule = getattr(kind, EXCHANGE, None)
    place = (
        None if capsule is None else typed(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, b"dlpack_exchange_api")
    )
    words = ctypes.cast(place or 0, ctypes.POINTER(ctypes.c_size_t))
    major = ctypes.cast(place or 0, ctypes.POINTER(ctypes.c_uint32))[0] if place else 0
    if major != VERSION or not words[PLACE]:
        msg = f"{kind.__module__}.{kind.__qualname__} offers DLPack {major}, not {VERSION}, or cannot describe a tensor"
        raise ImportError(msg)
    return int(words[PLACE])
