"""The C of kernels/halves.h: each instruction set, thread count and size, against what it means in NumPy."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from cases import FLUSH, THREADS, TOWARD_ZERO, each_isa
from hypothesis import given, settings
from hypothesis import strategies as st

from trainstation import kernels
from trainstation.optimizers.stepping import codec

CODES = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)
GAP = 70  # elements before and behind an array that nothing may touch
PLACE = 1  # which of the hash's bits are drawn
steps = st.integers(0, 2**63 - 1)
halves = pytest.mark.parametrize("is_bfloat16", [True, False], ids=["bfloat16", "float16"])


def widened(codes, is_bfloat16):
    """Read codes as NumPy does: bfloat16 is the upper half of a float32."""
    if is_bfloat16:
        return (codes.astype(np.uint32) << 16).view(np.float32)
    return codes.view(np.float16).astype(np.float32)


def magnitudes(is_bfloat16):
    """Return the numbers of the codes from 0 to infinity, which is where it would be with one more exponent."""
    infinity = 0x7F80 if is_bfloat16 else 0x7C00
    return np.append(widened(CODES[:infinity], is_bfloat16).astype(np.float64), 2.0**128 if is_bfloat16 else 2.0**16)


def rounded(values, is_bfloat16, t=None):
    """Return codes: the nearest, of two that are as near the even one; or what the random bits of step t say."""
    size = np.abs(np.where(np.isfinite(values), values, 0)).astype(np.float64)
    numbers = magnitudes(is_bfloat16)
    code = np.searchsorted(numbers[:-1], size, side="right") - 1
    part = (size - numbers[code]) / (numbers[code + 1] - numbers[code])
    if t is None:
        up = (part > 0.5) | ((part == 0.5) & (code % 2 == 1))
    else:
        random = codec._random(values.size, t, PLACE, 16) / 65536
        up = part + random >= 1 if is_bfloat16 else part > random
    infinity = 0x7F80 if is_bfloat16 else 0x7C00
    code = np.where(np.isinf(values), infinity, np.minimum(code + up, infinity))
    code = np.where(np.isnan(values), infinity | infinity >> 1 & 0x7FFF, code)
    return (code | np.signbit(values).astype(np.uint16) << 15).astype(np.uint16)


def narrowed(values, is_bfloat16, t=None):
    codes = np.full(values.size, 0xA5A5, np.uint16)
    kernels.narrow(values, codes, is_bfloat16=is_bfloat16, t=t)
    return codes


def agree(found, expected, is_bfloat16):
    """Whether codes are the same, but for what kind of NaN one is."""
    infinity = 0x7F80 if is_bfloat16 else 0x7C00
    is_nan = (expected & 0x7FFF) > infinity
    return np.array_equal((found & 0x7FFF) > infinity, is_nan) and np.array_equal(found[~is_nan], expected[~is_nan])


def edges(is_bfloat16):
    """Return every number, the middle and the quarters between any two, and the floats beside each."""
    numbers = magnitudes(is_bfloat16)
    between = [(numbers[:-1] * (4 - k) + numbers[1:] * k) / 4 for k in range(4)]
    bits = np.concatenate([*(each.astype(np.float32) for each in between), np.float32([65536, 1e30])]).view(np.uint32)
    special = np.uint32([2, 0x7FFFFF, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7FFFFFFF])
    bits = np.concatenate([bits, bits + 1, np.maximum(bits, 1) - 1, special])
    return np.concatenate([bits, bits | 0x80000000]).view(np.float32)


@halves
def test_every_code_is_read_and_written_back(is_bfloat16):
    expected = widened(CODES, is_bfloat16)
    nan = np.isnan(expected)
    for isa in each_isa():
        found = np.empty(CODES.size, np.float32)
        kernels.widen(CODES, found, is_bfloat16=is_bfloat16)
        assert np.array_equal(np.isnan(found), nan), isa
        assert found[~nan].tobytes() == expected[~nan].tobytes(), isa
        for t in (None, 7):
            assert agree(narrowed(found, is_bfloat16, t), CODES, is_bfloat16), (isa, t)


@halves
@pytest.mark.parametrize("t", [None, 0, 1, 2**40])
def test_all_edges_of_rounding(is_bfloat16, t):
    values = edges(is_bfloat16)
    expected = rounded(values, is_bfloat16, t)
    for isa in each_isa():
        assert agree(narrowed(values, is_bfloat16, t), expected, is_bfloat16), isa


@halves
@settings(deadline=None, max_examples=100)
@given(bits=hnp.arrays(np.uint32, st.integers(0, 300), elements=st.integers(0, 2**32 - 1)), t=st.none() | steps)
def test_any_bits_of_any_number_of_floats(is_bfloat16, bits, t):
    values = bits.view(np.float32)
    quiet = np.where(np.isnan(values), np.float32(np.nan), values)
    expected = rounded(quiet, is_bfloat16, t)
    assert all(agree(narrowed(quiet, is_bfloat16, t), expected, is_bfloat16) for _ in each_isa())


@pytest.mark.parametrize("t", [0, 5, 2**62])
def test_bfloat16_is_drawn_as_that_of_a_state(t):
    values = np.random.default_rng(0).integers(0, 2**32, 100_000, np.uint32).view(np.float32)
    expected = codec.encode("p", values, "signed", kernels.BFLOAT16_STATE, t, PLACE)["p"]
    for isa in each_isa():
        assert np.array_equal(narrowed(values, True, t), expected), isa


@halves
def test_nothing_beside_is_touched_at_any_size_and_place(is_bfloat16):
    rng = np.random.default_rng(0)
    for n in range(140):
        values = rng.standard_normal(n).astype(np.float32)
        codes = rounded(values, is_bfloat16, 3)
        for _ in each_isa():
            narrow = np.full(n + 2 * GAP + n % 8, 0xA5A5, np.uint16)
            wide = np.full(narrow.size, np.float32(0.3))
            place = slice(GAP + n % 8, GAP + n % 8 + n)
            kernels.narrow(values, narrow[place], is_bfloat16=is_bfloat16, t=3)
            kernels.widen(narrow[place], wide[place], is_bfloat16=is_bfloat16)
            assert np.array_equal(narrow[place], codes)
            assert np.array_equal(wide[place], widened(codes, is_bfloat16))
            assert (np.delete(narrow, np.r_[place]) == 0xA5A5).all()
            assert (np.delete(wide, np.r_[place]) == np.float32(0.3)).all()


@halves
def test_the_bits_are_the_same_on_any_number_of_threads_and_in_any_floating_point_mode(threads, is_bfloat16):
    values = np.random.default_rng(0).integers(0, 0x7F800000, 300_001, np.uint32).view(np.float32)
    values[::2] *= np.float32(1e-30)  # subnormal ones too
    expected = {t: rounded(values, is_bfloat16, t) for t in (None, 9)}
    wide = widened(expected[9], is_bfloat16)
    for number in THREADS:
        kernels.set_num_threads(number)
        for mode in (None, FLUSH, TOWARD_ZERO):
            default = kernels.default_fp_mode()
            kernels.restore_fp_mode(default if mode is None else mode)
            try:
                codes = {t: narrowed(values, is_bfloat16, t) for t in expected}
                found = np.empty_like(wide)
                kernels.widen(expected[9], found, is_bfloat16=is_bfloat16)
            finally:
                kernels.restore_fp_mode(default)
            assert all(np.array_equal(codes[t], expected[t]) for t in expected), (number, mode)
            assert found.tobytes() == wide.tobytes(), (number, mode)


def test_an_array_with_gaps_is_read_and_never_written():
    values = np.arange(12, dtype=np.float32)
    codes = np.zeros(12, np.uint16)
    kernels.narrow(values[::2], codes[:6], is_bfloat16=True)
    assert widened(codes[:6], True).tolist() == [0, 2, 4, 6, 8, 10]
    with pytest.raises(ValueError, match="contiguous"):
        kernels.narrow(values[:6], codes[::2], is_bfloat16=True)
