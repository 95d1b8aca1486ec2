"""More than 2^31 elements: a few megabytes, seen again and again at rising addresses."""

import ctypes
import mmap
import os
import sys

import numpy as np
import pytest
from cases import BFLOAT16_STATE, CASES, FLOAT32, Job, Table

from trainstation import kernels

BULK = 1 << 22  # bytes that are shared
TAIL = 1 << 16  # elements at both ends of an array that are not
pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create") or sys.maxsize < 2**33, reason="needs Linux, 64 bits")

_c = ctypes.CDLL(None, use_errno=True)
_c.mmap.restype = ctypes.c_void_p
_c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_c.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
FIXED, ANONYMOUS, NORESERVE = 0x10, mmap.MAP_ANONYMOUS, 0x4000


class Huge:
    """An array of zeros of n elements; only those around some places have memory of their own."""

    def __init__(self, n, dtype, own):
        size = np.dtype(dtype).itemsize
        self.bytes = -(-n * size // BULK) * BULK
        fd = os.memfd_create("trainstation")
        os.ftruncate(fd, BULK)
        self.start = self._map(None, self.bytes, 0, mmap.MAP_PRIVATE | ANONYMOUS | NORESERVE, -1)
        own = {block for begin, end in own for block in range(begin * size // BULK, -(-end * size // BULK))}
        for block in range(self.bytes // BULK):
            kind = mmap.MAP_PRIVATE | ANONYMOUS if block in own else mmap.MAP_SHARED
            self._map(self.start + block * BULK, BULK, 3, kind | FIXED, -1 if block in own else fd)
        os.close(fd)
        whole = (ctypes.c_char * (n * size)).from_address(self.start)
        self.array = np.frombuffer(whole, dtype)

    @staticmethod
    def _map(at, size, protection, flags, fd):
        found = _c.mmap(at, size, protection, flags, fd, 0)
        if found in (None, ctypes.c_void_p(-1).value):
            pytest.skip(f"no room for {size} bytes of addresses: {os.strerror(ctypes.get_errno())}")
        return found

    def close(self):
        _c.munmap(self.start, self.bytes)


def drawn(n):
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(n).astype(np.float32) for name in ("p", "g")}


def stepped(case, fmt, dtypes, n, first, number, own):
    """Step a small slot and a huge one; return the huge one's arrays around `own` places, after the step."""
    kernels.set_num_threads(number)
    huge = {name: Huge(n, dtype, own) for name, dtype in dtypes.items()}
    try:
        for each in own:
            values = drawn(each[1] - each[0])
            for name in ("p", "g"):
                huge[name].array[slice(*each)] = values[name]
        small = Job(case, fmt, case.drawn(fmt, first))
        Table([small, Job(case, fmt, {name: each.array for name, each in huge.items()})]).step()
        return [{name: each.array[slice(*place)].copy() for name, each in huge.items()} for place in own]
    finally:
        for each in huge.values():
            each.close()


def test_the_last_of_more_than_2_to_the_31_elements_is_stepped(threads):
    case, n = CASES["sgd without decay"], (1 << 31) + 12_345
    own = [(0, TAIL), (n - TAIL, n)]
    for found in stepped(case, FLOAT32, {"p": np.float32, "g": np.float32}, n, 5, 2, own):
        assert case.agree(found, case.update(drawn(TAIL), FLOAT32), FLOAT32)


@pytest.mark.exhaustive
def test_rounding_beyond_2_to_the_32_elements_depends_on_no_thread_and_no_slot_before(threads):
    case, edge, count = CASES["sgd_momentum"], 1 << 32, 1 << 19
    own = [(0, count), (edge - count, edge + count)]
    dtypes = {"p": np.float32, "g": np.float32, "momentum_buffer": np.uint16}
    results = {
        (first, number): stepped(case, BFLOAT16_STATE, dtypes, edge + count, first, number, own)[1]
        for first in (0, 5, 4096)
        for number in (1, 2, 3)
    }
    wanted = results[0, 1]
    for key, found in results.items():
        different = np.flatnonzero(found["momentum_buffer"] != wanted["momentum_buffer"]) - count
        assert different.size == 0, (key, "elements 2**32 +", different[:3], different[-3:])
        assert found["p"].tobytes() == wanted["p"].tobytes()


@pytest.mark.exhaustive
def test_elements_2_to_the_32_apart_are_rounded_unlike(threads):
    case, edge, count = CASES["sgd_momentum"], 1 << 32, 1 << 16
    dtypes = {"p": np.float32, "g": np.float32, "momentum_buffer": np.uint16}
    places = [(0, count), (edge, edge + count)]
    start, far = stepped(case, BFLOAT16_STATE, dtypes, edge + count, 0, 1, places)
    assert start["p"].tobytes() == far["p"].tobytes()
    assert 0.2 < (start["momentum_buffer"] != far["momentum_buffer"]).mean() < 0.8
