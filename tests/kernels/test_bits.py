"""Every rule, instruction set and format: the bits of `update`, and not a byte beside them."""

import itertools

import numpy as np
import pytest
from cases import CASES, FLUSH, FORMATS, TOWARD_ZERO, Job, Table, cases, each_isa, formats, grid, kernel_step

from trainstation import kernels
from trainstation.optimizers.stepping import codec

GAP = 96  # bytes before and behind each array that nothing may touch


class Arena:
    """One stretch of memory in which arrays begin at any byte; and what is to stand in it."""

    def __init__(self, arrays, copies):
        size = copies * sum(array.nbytes + 2 * GAP + 128 for array in arrays)
        whole = np.full(size + 64, 0xA5, np.uint8)
        self.found = whole[-kernels.address(whole) % 64 :][:size]
        self.expected = self.found.copy()
        self._end = 0

    def place(self, array, offset, result):
        """Put an array `offset` bytes behind a 64-byte boundary, and note what it is to become."""
        start = (self._end + GAP + 63) // 64 * 64 + offset
        self._end = start + array.nbytes + GAP
        placed = np.frombuffer(self.found, array.dtype, array.size, start)
        placed[...] = array
        self.expected[start : start + array.nbytes] = np.frombuffer(result.tobytes(), np.uint8)
        return placed


def offsets_of(n, whole):
    """Where the first array of each slot begins; the kth one of a slot lies k * 13 bytes further."""
    return range(61) if whole else [0, (7 * n + 4) % 61, (23 * n + 1) % 61, 16 * n % 64]


@grid
@formats
@cases
def test_every_size_and_byte_offset_gives_the_bits_of_update_and_touches_nothing_else(case, fmt, whole):
    for n in range(68):
        t = (1, 3, 1000, 2**31 + n)[n % 4]
        arrays = case.drawn(fmt, n, seed=n)
        expected = case.update(arrays, fmt, t)
        offsets = offsets_of(n, whole)
        for isa in each_isa():
            arena = Arena(arrays.values(), len(offsets))
            jobs = []
            for offset in offsets:
                placed = {
                    name: arena.place(array, (offset + 13 * k) % 61, expected[name])
                    for k, (name, array) in enumerate(arrays.items())
                }
                jobs.append(Job(case, fmt, placed, t))
            Table(jobs).step()
            assert arena.found.tobytes() == arena.expected.tobytes(), (isa, n)


@formats
@cases
def test_the_gradient_is_scaled_by_a_number_that_is_rounded_once(case, fmt):
    arrays = case.drawn(fmt, 521)
    for gscale in (-1.0, 0.37, 1e-30, float(np.float32(1e30)) * (1 + 1e-9)):
        expected = case.update(arrays, fmt, gscale=gscale)
        for isa in each_isa():
            assert case.agree(kernel_step(case, fmt, arrays, gscale=gscale), expected, fmt), (isa, gscale)


@formats
@cases
def test_special_values_give_the_bits_of_update(case, fmt):
    arrays = case.special(fmt)
    for t in (1, 2):
        expected = case.update(arrays, fmt, t)
        for isa in each_isa():
            assert case.agree(kernel_step(case, fmt, arrays, t), expected, fmt), (isa, t)


@pytest.mark.parametrize("mode", [FLUSH, TOWARD_ZERO], ids=["flush to zero", "toward zero"])
@formats
@cases
def test_the_callers_floating_point_mode_changes_no_bit_and_is_still_set_afterwards(case, fmt, mode):
    arrays = case.special(fmt)
    expected = case.update(arrays, fmt)
    tiny = np.full(4, np.finfo(np.float32).smallest_subnormal)
    for isa in each_isa():
        found = {name: array.copy() for name, array in arrays.items()}
        table = Table([Job(case, fmt, found)])
        default = kernels.default_fp_mode()
        try:
            kernels.restore_fp_mode(mode)
            flushes = not (tiny * np.float32(1)).view(np.uint32).any()
            cuts = np.float32(1) + np.float32(2**-24 * 1.5) == 1
            table.step()
            after = kernels.default_fp_mode()
        finally:
            kernels.restore_fp_mode(default)
        assert flushes if mode == FLUSH else cuts
        assert after & mode == mode
        assert case.agree(found, expected, fmt), isa


def test_a_thread_that_helps_flushes_nothing(threads):
    case, fmt = CASES["adam"], FORMATS["float32"]
    arrays = {name: array * np.float32(1e-38) for name, array in case.drawn(fmt, 300_007).items()}
    expected = case.update(arrays, fmt)
    default = kernels.default_fp_mode()
    kernels.set_num_threads(3)
    try:
        kernels.restore_fp_mode(FLUSH)
        found = [kernel_step(case, fmt, arrays) for _ in range(10)]
    finally:
        kernels.restore_fp_mode(default)
    assert all(case.agree(each, expected, fmt) for each in found)


@pytest.mark.parametrize("name", ["bfloat16", "8bit"])
@pytest.mark.parametrize("case", [CASES["sgd_momentum"], CASES["rmsprop"]], ids=["signed", "positive"])
def test_every_code_that_can_be_stored_is_read_as_numpy_reads_it(case, name):
    fmt, state = FORMATS[name], case.states[0]
    codes = np.arange(65536, dtype=np.uint16) if name == "bfloat16" else np.tile(np.arange(256, dtype=np.uint8), 225)
    if name == "bfloat16" and case.kinds[state] == "positive":
        codes = codes[codes <= 0x7FC0]
    ones = np.ones(codes.size, np.float32)
    arrays = {"p": ones, "g": ones / 7, state: codes}
    if name == "8bit":
        arrays[f"{state}_scale"] = np.arange(31, 256, dtype=np.uint8)
    expected = case.update(arrays, fmt)
    for isa in each_isa():
        assert case.agree(kernel_step(case, fmt, arrays), expected, fmt), isa


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("name", ["bfloat16", "8bit"])
def test_blocks_of_any_range_are_stored_as_numpy_stores_them(name, place):
    """A block's largest value is 2 ** e, the others reach down by d binades."""
    case, fmt = (CASES["sgd_momentum"], CASES["adam"], CASES["adam_amsgrad"])[place], FORMATS[name]
    rng = np.random.default_rng(place)
    ranges = itertools.product(range(-149, 128, 7), range(-60, 2, 3))
    blocks = [np.append(rng.standard_normal(255) * 2.0 ** (e + rng.integers(d, 2, 255)), 2.0**e) for e, d in ranges]
    with np.errstate(over="ignore"):
        flat = np.concatenate(blocks).astype(np.float32)
    arrays = {name: np.zeros(flat.size, np.float32) for name in ("p", *case.states)}
    arrays = case.keep(arrays | {"g": flat if place == 0 else np.sqrt(np.abs(flat))}, fmt)
    for t in (1, 2, 77):
        expected = case.update(arrays, fmt, t)
        for isa in each_isa():
            assert case.agree(kernel_step(case, fmt, arrays, t), expected, fmt), (isa, t)


@pytest.mark.parametrize("name", ["bfloat16", "8bit"])
@pytest.mark.parametrize("case", [CASES["sgd_momentum"], CASES["adam_amsgrad"], CASES["rmsprop"]], ids=lambda c: c.rule)
def test_a_nan_of_any_payload_is_stored_as_one(case, name):
    """Its bits are no number: rounded up they would become those of zero."""
    fmt = FORMATS[name]
    payloads = np.array([0x7F800001, 0x7FC00000, 0x7FFF0001, 0x7FFFFFFF, 0xFF800001, 0xFFC00000, 0xFFFFFFFF], np.uint32)
    for n in (1, 9, 40, 300):
        arrays = {key: np.zeros(n, np.float32) for key in ("p", *case.states)}
        arrays = case.keep(arrays | {"g": np.resize(payloads, n).view(np.float32)}, fmt)
        for t in range(1, 40):
            expected = case.update(arrays, fmt, t)
            for isa in each_isa():
                found = kernel_step(case, fmt, arrays, t)
                assert case.agree(found, expected, fmt), (isa, n, t)
                for state, kind in case.narrower(fmt).items():
                    assert np.isnan(codec.decode(state, found, kind, fmt)).all(), (isa, n, t)
