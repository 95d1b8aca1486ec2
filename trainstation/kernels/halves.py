"""Arrays of bfloat16 and float16: the C of kernels/halves.h."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray

from trainstation.kernels.arrays import plain
from trainstation.kernels.isa import active
from trainstation.kernels.native import ffi, lib
from trainstation.kernels.threads import get_num_threads

__all__ = ["narrow", "narrow_later", "widen"]

Array = NDArray[Any]

_from_buffer, _widen, _narrow = ffi.from_buffer, lib.ts_widen, lib.ts_narrow


def widen(codes: Array, out: Array, *, is_bfloat16: bool) -> None:
    """Write the values of 16-bit codes into an array.

    Args:
        codes: of bfloat16 or float16, in any dtype of 16 bits.
        out: float32, contiguous, of the same size, over other memory.
        is_bfloat16: or else the codes are of float16.

    """
    places = _from_buffer(out), _from_buffer(plain(codes))
    _widen(active(), get_num_threads(), not is_bfloat16, *places, codes.size)


def narrow(values: Array, out: Array, *, is_bfloat16: bool, t: int | None = None) -> None:
    """Round values to bfloat16 or float16, and write their codes into an array.

    A magnitude that is rounded beyond the largest number becomes infinity; a quiet NaN stays one.

    Args:
        values: float32.
        out: any dtype of 16 bits, contiguous, of the same size, over other memory.
        is_bfloat16: or else to float16.
        t: None rounds to the nearest, ties to even. A step >= 0 rounds to the neighbour below or above with the
            probability that keeps the mean, by random bits that are a function of the step and of the element's index.

    """
    narrow_later(plain(values), out, is_bfloat16=is_bfloat16, t=t)()


def narrow_later(values: Array, out: Array, *, is_bfloat16: bool, t: int | None = None) -> Callable[[], object]:
    """Return a function of C that does so, with the values of then, which are contiguous."""
    places = _from_buffer(out), _from_buffer(values)
    threads = get_num_threads()
    return partial(_narrow, active(), threads, not is_bfloat16, t is not None, t or 0, *places, values.size)
