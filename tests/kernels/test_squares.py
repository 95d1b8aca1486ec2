"""The sum of squares that norms are made of: one order of adding, whatever adds."""

import math

import numpy as np
import pytest
from cases import CASES, FORMATS, THREADS, Job, Table, each_isa, forked

from trainstation import kernels
from trainstation.optimizers.elementwise import sum_of_squares

SIZES = [*range(68), 127, 4080, 4095, 4096, 4097, 4111, 4112, 8191, 8192, 8193, 100_003, 1_000_003]
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def drawn(n, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(n) * 10.0 ** rng.integers(-6, 7, n)).astype(dtype)


@dtypes
def test_every_size_gives_the_bits_of_the_numpy_text(dtype):
    for n in SIZES:
        array = drawn(n, dtype, n)
        expected = sum_of_squares(array)
        for isa in each_isa():
            assert kernels.squares(array) == expected, (isa, n)


@dtypes
def test_no_byte_offset_changes_a_bit(dtype):
    for n in (1, 15, 16, 17, 100, 4099):
        array = drawn(n, dtype)
        expected = sum_of_squares(array)
        for offset in range(61):
            moved = np.frombuffer(bytes(offset) + array.tobytes(), dtype, n, offset)
            for isa in each_isa():
                assert kernels.squares(moved) == expected, (isa, n, offset)


@dtypes
def test_another_order_of_adding_would_give_other_bits(dtype):
    """So that the tests above see one."""
    arrays = [np.random.default_rng(seed).standard_normal(4099).astype(dtype) for seed in range(9)]
    wide = [array.astype(np.float64) ** 2 for array in arrays]
    sums = [sum_of_squares(array) for array in arrays]
    assert sums == pytest.approx([math.fsum(each) for each in wide], rel=1e-14)
    for lanes in (1, 8, 32):
        padded = [np.append(each, np.zeros(-4099 % lanes)).reshape(-1, lanes) for each in wide]
        assert sums != [np.add.accumulate(each)[-1].sum() for each in padded], lanes


@dtypes
@pytest.mark.parametrize("place", [0, 7, 16, 4095, 4096, 4999])
def test_one_element_that_is_not_finite_shows_wherever_it_stands(dtype, place):
    for value in (np.nan, np.inf, -np.inf):
        array = drawn(5000, dtype)
        array[place] = value
        for isa in each_isa():
            assert not math.isfinite(kernels.squares(array)), (isa, value)


def test_squares_of_floats_are_made_in_double():
    array = np.array([3e38, 1e-40, 1e-30], np.float32)
    for isa in each_isa():
        assert kernels.squares(array) == sum_of_squares(array) < math.inf, isa
    assert kernels.squares(array[1:]) > 0


@pytest.mark.parametrize("name", ["float32", "float64", "8bit"])
def test_a_measured_step_has_the_same_norm_on_any_number_of_threads(threads, name):
    case, fmt = CASES["adam"], FORMATS[name]
    sizes = [0, 5, 4096, 40_001, 0, 4097, 70_000, 1, 0]
    arrays = [case.drawn(fmt, n, seed) for seed, n in enumerate(sizes)]
    total = 0.0
    for each in arrays:
        total += sum_of_squares(each["g"])
    norm = math.sqrt(total)
    factor = 1.0 / (norm + 1e-6)
    expected = [case.update(each, fmt, gscale=factor) for each in arrays]
    for isa in each_isa():
        for number in THREADS:
            kernels.set_num_threads(number)
            jobs = [Job(case, fmt, {key: array.copy() for key, array in each.items()}) for each in arrays]
            table = Table(jobs)
            assert table.call.measured(1.0, stop=True, actions=()) == kernels.DONE
            assert math.sqrt(table.call.squares) == norm, (isa, number)
            assert all(case.agree(job.arrays, want, fmt) for job, want in zip(jobs, expected, strict=True))
            assert table.steps.tolist() == [3] * len(jobs)


def test_the_first_slot_that_is_not_finite_is_named_on_any_number_of_threads(threads):
    case, fmt = CASES["sgd"], FORMATS["float32"]
    arrays = [case.drawn(fmt, n, n) for n in (10, 0, 50_000, 40_000, 3)]
    arrays[3]["g"][-1] = np.inf
    arrays[4]["g"][0] = np.nan
    before = [each["p"].tobytes() for each in arrays]
    for number in THREADS:
        kernels.set_num_threads(number)
        table = Table([Job(case, fmt, each) for each in arrays])
        assert table.call.measured(None, stop=True, actions=()) == kernels.NONFINITE
        assert table.call.wrong_slot == 3
        assert [each["p"].tobytes() for each in arrays] == before
        assert table.steps.tolist() == [2] * 5


@pytest.mark.parametrize("stop", [False, True])
def test_a_measured_step_of_no_slots_reads_none(stop, threads):
    """What lies before an empty table would send it through 2^55 elements."""

    def child():
        whole = np.zeros(1, kernels.SLOT)
        whole["n"] = 1 << 55
        kernels.set_num_threads(2)
        call = kernels.Call(whole[1:])
        assert call.measured(1.0, stop=stop, actions=()) == kernels.DONE
        assert call.squares == 0

    assert forked(child, 10) == 0
