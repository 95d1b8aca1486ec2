"""Gradients of another library's tensors, taken by one call that holds the GIL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels.native import ffi, lib
from trainstation.kernels.step import DONE

__all__ = ["Tensors"]

Array = NDArray[Any]

NAME = "grad"
EXCHANGE = "__dlpack_c_exchange_api__"
PLACE, VERSION = 5, 1  # of dltensor_from_py_object_no_sync, in words; of DLPack, the major one


class Tensors:
    """Tensors of one class, each with the slot that is to have the address of its gradient.

    cffi would let go of the GIL, and to get it back may take 5 ms where other threads compute; ctypes does not.
    """

    def __init__(self, tensors: Sequence[Any], slots: Array, at: Sequence[int]) -> None:
        """Note the tensors, of a class with DLPack's C exchange interface; whether they fit is seen when taking.

        Args:
            tensors: their gradients are attributes "grad".
            slots: dtype `SLOT`.
            at: for each tensor the index of its slot.

        """
        self._objects = np.fromiter(tensors, object, len(tensors))
        self._gradients, self._at, self._slots = np.zeros(len(tensors), np.uintp), np.array(at, np.int64), slots
        self._call = call = ffi.new("ts_tensors *")
        call.tensors = ffi.cast("void **", self._objects.ctypes.data)
        call.gradients = ffi.cast("void **", self._gradients.ctypes.data)
        call.at = ffi.cast("int64_t *", self._at.ctypes.data)
        call.slots = ffi.cast("ts_slot *", ffi.from_buffer(slots))
        call.n = len(tensors)
        call.name, call.none = ffi.cast("void *", id(NAME)), ffi.cast("void *", id(None))
        self._take, self._let_go, get, release = _python()
        call.get, call.release = ffi.cast("void *(*)(void *, void *)", get), ffi.cast("void (*)(void *)", release)
        if tensors:
            call.exchange = ffi.cast("int (*)(void *, void *)", _exchange(type(tensors[0]), EXCHANGE))
        self._place = int(ffi.cast("uintptr_t", call))

    def take(self) -> bool:
        """Point each slot to the gradient of the moment, and hold that.

        False if a tensor has none, if its memory is not that of its slot, or if its gradient is of another dtype or
        layout. What the library raises of a tensor that has no memory of that kind comes through.
        """
        return bool(self._take(self._place) == DONE)

    def let_go(self) -> None:
        """Hold no gradient any longer."""
        self._let_go(self._place)


@cache
def _python() -> tuple[Callable[[int], int], Callable[[int], None], int, int]:
    """Return the two calls, and the addresses of the two functions of Python that they need."""
    import ctypes  # slow to import, and few need it

    def address(function: Any) -> int:
        return ctypes.cast(function, ctypes.c_void_p).value or 0

    def held(name: str, result: Any) -> Any:
        place = int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))
        return ctypes.PYFUNCTYPE(result, ctypes.c_void_p)(place)

    get, release = address(ctypes.pythonapi.PyObject_GetAttr), address(ctypes.pythonapi.Py_DecRef)
    return held("ts_tensors_take", ctypes.c_int), held("ts_tensors_let_go", None), get, release


def _exchange(kind: type, name: str) -> int:
    """Return the address of the function that describes a tensor of a class, without ownership."""
    import ctypes

    typed = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)  # not `pythonapi`'s, which all share
    place = typed(("PyCapsule_GetPointer", ctypes.pythonapi))(getattr(kind, name), b"dlpack_exchange_api")
    words = ctypes.cast(place, ctypes.POINTER(ctypes.c_size_t))
    major = ctypes.cast(place, ctypes.POINTER(ctypes.c_uint32))[0]
    if major != VERSION or not words[PLACE]:
        msg = f"{kind.__module__}.{kind.__qualname__} offers DLPack {major}, not {VERSION}, or cannot describe a tensor"
        raise ImportError(msg)
    return int(words[PLACE])
