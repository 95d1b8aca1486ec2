"""More than 2^31 elements: a few megabytes, seen again and again at rising addresses."""

import ctypes
import mmap
import os
import sys

import numpy as np
import pytest
from cases import BFLOAT16_STATE, CASES, FLOAT32, Job, Table

from trainstation import kernels
from trainstation.optimizers import stored

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


def stepped(case, fmt, dtypes, n, first, number, own):
    """Step a small slot and a huge one; return the huge one's arrays around `own` places, after the step."""
    kernels.set_num_threads(number)
    huge = {name: Huge(n, dtype, own) for name, dtype in dtypes.items()}
    rng = np.random.default_rng(0)
    try:
        for each in own:
            for name in ("p", "g"):
                huge[name].array[slice(*each)] = rng.standard_normal(each[1] - each[0])
        small = Job(case, fmt, case.drawn(fmt, first))
        Table([small, Job(case, fmt, {name: each.array for name, each in huge.items()})]).step()
        return [{name: each.array[slice(*place)].copy() for name, each in huge.items()} for place in own]
    finally:
        for each in huge.values():
            each.close()


def test_the_last_of_more_than_2_to_the_31_elements_is_stepped(threads):
    case, n = CASES["sgd without decay"], (1 << 31) + 12_345
    own = [(0, TAIL), (n - TAIL, n)]
    rng = np.random.default_rng(0)
    for found in stepped(case, FLOAT32, {"p": np.float32, "g": np.float32}, n, 5, 2, own):
        p, g = (rng.standard_normal(TAIL).astype(np.float32) for _ in range(2))
        assert case.agree(found, case.update({"p": p, "g": g}, FLOAT32), FLOAT32)


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("first", [0, 5, 4096])
def test_rounding_beyond_2_to_the_32_elements_depends_on_no_thread(threads, first, number):
    case, n = CASES["sgd_momentum"], (1 << 32) + (1 << 20)
    middle = (1 << 32) - (1 << 19)
    own = [(middle, n)]
    dtypes = {"p": np.float32, "g": np.float32, "momentum_buffer": np.uint16}
    (found,) = stepped(case, BFLOAT16_STATE, dtypes, n, first, number, own)
    rng = np.random.default_rng(0)
    p, g = (rng.standard_normal(n - middle).astype(np.float32) for _ in range(2))
    h = tuple(map(np.float32, case.scalars(3)))
    state = {"momentum_buffer": np.zeros(n - middle, np.float32)}
    case.optimizer.update(p, g, state, h)
    assert found["p"].tobytes() == p.tobytes()
    i = np.arange(middle, n, dtype=np.uint64)
    keys = np.array([stored._key(3, 0), stored._key(3, 1)], np.uint64)[(i >> np.uint64(32)).astype(int)]
    random = ((i * np.uint64(stored.WEYL) & np.uint64(stored.MASK32)) ^ keys).astype(np.uint32) & np.uint32(0xFFFF)
    wanted = stored._encode_bfloat16(state["momentum_buffer"], "signed", random)
    different = np.flatnonzero(found["momentum_buffer"] != wanted)
    assert different.size == 0, (different[:3] + middle, different[-3:] + middle)
