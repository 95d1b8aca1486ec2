"""Arrays that begin behind, or end before, a page that must not be touched: one byte too far ends the process."""

import ctypes
import faulthandler
import mmap

import numpy as np
import pytest
from cases import Job, Table, cases, each_isa, forked, formats, grid

from trainstation import kernels

PAGE = mmap.PAGESIZE
SIZES = [*range(36), 47, 48, 49, 63, 64, 65, 127, 128, 129, 255, 256, 257]


class Room:
    """A few pages between two forbidden ones."""

    def __init__(self, size):
        self.size = -(-size // PAGE) * PAGE
        self._map = mmap.mmap(-1, self.size + 2 * PAGE)
        self._bytes = np.frombuffer(self._map, np.uint8)
        self._start = kernels.address(self._bytes)
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        for edge in (self._start, self._start + PAGE + self.size):
            if protect(ctypes.c_void_p(edge), ctypes.c_size_t(PAGE), 0):
                raise OSError(ctypes.get_errno(), "mprotect")

    def place(self, array, offset):
        """Put an array so many bytes behind the first forbidden page, or (negative: -1 is none) before the last."""
        start = PAGE + (offset if offset >= 0 else self.size - array.nbytes + offset + 1)
        placed = np.frombuffer(self._map, array.dtype, array.size, start)
        placed[...] = array
        return placed


def test_a_forbidden_page_ends_the_process():
    room = Room(100)

    def touch(first, last):
        faulthandler.disable()  # it is meant
        room._bytes[first:last] ^= 1

    assert forked(lambda: touch(PAGE, PAGE + room.size)) == 0
    assert forked(lambda: touch(PAGE - 1, PAGE)) < 0
    assert forked(lambda: touch(PAGE + room.size, PAGE + room.size + 1)) < 0


@grid
@formats
@cases
def test_no_rule_reads_or_writes_a_byte_beside_its_arrays(case, fmt, whole):
    def run():
        rooms = {}
        for n in range(258) if whole else SIZES:
            arrays = case.drawn(fmt, n, seed=n)
            expected = case.update(arrays, fmt)
            for offset in range(-64, 64) if whole else (0, -1, n % 3 + 1, -2 - n % 3):
                for isa in each_isa():
                    for name, array in arrays.items():
                        if name not in rooms:
                            rooms[name] = Room(258 * 8 + 64)
                        placed[name] = rooms[name].place(array, offset)
                    Table([Job(case, fmt, placed)]).step()
                    assert case.agree(placed, expected, fmt), (isa, n, offset)

    placed = {}
    assert forked(run, seconds=600) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_sum_of_squares_reads_no_byte_beside_its_array(dtype):
    def run():
        room = Room(4200 * 8)
        for n in [*SIZES, 4095, 4096, 4097, 4112]:
            array = np.ones(n, dtype)
            for offset in (0, 1, -1, -2):
                for isa in each_isa():
                    assert kernels.squares(room.place(array, offset)) == n, (isa, n, offset)

    assert forked(run) == 0
