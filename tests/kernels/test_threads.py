"""Tables of many slots on any number of threads: the bits of each slot alone."""

import numpy as np
import pytest
from cases import CASES, FORMATS, THREADS, Job, Table, cases, formats, grid

from trainstation import kernels
from trainstation.kernels import step

CHUNK = 4096  # pieces are cut at multiples of it


def check(jobs, isas=None, numbers=THREADS):
    """Step copies of the jobs on several numbers of threads, and compare with `update`."""
    expected = [job.case.update(job.arrays, job.fmt, job.t, job.gscale) for job in jobs]
    for isa in isas or kernels.isas():
        for number in numbers:
            kernels.set_num_threads(number)
            copies = [
                Job(job.case, job.fmt, {name: array.copy() for name, array in job.arrays.items()}, job.t, job.gscale)
                for job in jobs
            ]
            with kernels.use(isa):
                Table(copies).step()
            for place, (job, result) in enumerate(zip(copies, expected, strict=True)):
                assert job.case.agree(job.arrays, result, job.fmt), (isa, number, place, job.arrays["p"].size)


def jobs_of(sizes, fmt="float32", case="adam", seed=0):
    return [Job(CASES[case], FORMATS[fmt], CASES[case].drawn(FORMATS[fmt], n, seed + i)) for i, n in enumerate(sizes)]


@grid
@formats
@cases
def test_a_large_array_gives_the_bits_of_update_on_any_number_of_threads(threads, case, fmt, whole):
    for n in (1_000_003, 262_147, 32_771) if whole else (100_003,):
        check([Job(case, fmt, case.drawn(fmt, n), t=7, gscale=-1.0)])


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_million_elements_give_the_bits_of_update(threads, fmt):
    check(jobs_of([1_000_003], fmt), numbers=(1, 3))


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(
    "sizes",
    [
        [0, 0, 40_000, 1, 0, 40_000, 0],
        [100_000, 0],
        [0, 100_000],
        [5, 99_999, 3, 4095, 4096, 4097, 8192, 16_383, 16_384, 16_385, 7],
        [1] * 300 + [33_000] + [1] * 300,
        [100] * 350,
        [4095] * 20,
        [4097] * 20,
    ],
    ids=[
        "empty ones",
        "empty last",
        "empty first",
        "edges",
        "single elements",
        "small ones",
        "a chunk less",
        "a chunk more",
    ],
)
def test_tables_of_several_slots(threads, sizes, fmt):
    check(jobs_of(sizes, fmt), isas=("scalar", kernels.isas()[-1]), numbers=(1, 3) if len(sizes) > 100 else THREADS)


@grid
@pytest.mark.parametrize("fmt", ["float32", "8bit"])
def test_every_total_around_the_edges_of_chunks(threads, fmt, whole):
    """Among them the least total for which another thread is woken."""
    for chunks in range(1, 40) if whole else (1, 2, 4, 8, 12, 16, 20):
        for n in (chunks * CHUNK - 1, chunks * CHUNK, chunks * CHUNK + 1):
            check(jobs_of([n], fmt), isas=kernels.isas()[-1:], numbers=(1, 2, 7))
            check(jobs_of([n // 3, 0, n - n // 3], fmt), isas=kernels.isas()[-1:], numbers=(2, 7))


@grid
def test_tables_of_all_rules_and_formats_at_once(threads, whole):
    rng = np.random.default_rng(0)
    for seed in range(40 if whole else 4):
        sizes = [int(rng.choice([0, 1, 5, 257, 4096, 20_001, int(rng.integers(70_000))])) for _ in range(30)]
        jobs = [
            Job(
                case,
                fmt,
                case.drawn(fmt, n, seed),
                t=int(rng.integers(1, 50)),
                gscale=float(rng.choice([1.0, -1.0, 0.3])),
            )
            for n in sizes
            for case in [list(CASES.values())[rng.integers(len(CASES))]]
            for fmt in [list(FORMATS.values())[rng.integers(4)]]
        ]
        check(jobs, numbers=(1, 2, 7))


def test_one_table_steps_again_and_again_on_changing_numbers_of_threads(threads):
    case, fmt = CASES["adamw_amsgrad"], FORMATS["8bit"]
    arrays = case.drawn(fmt, 150_001)
    expected = {name: array.copy() for name, array in arrays.items()}
    job = Job(case, fmt, arrays, t=1)
    for t in range(1, 9):
        kernels.set_num_threads((7, 1, 2, 3)[t % 4])
        job.t = t
        Table([job]).step()
        expected = case.update(expected, fmt, t)
    assert case.agree(arrays, expected, fmt)


def test_a_counter_that_is_not_that_of_the_scalars_stops_the_step_before_anything_moves():
    jobs = jobs_of([10, 20])
    table = Table(jobs)
    before = [job.arrays["p"].tobytes() for job in jobs]
    table.steps[1] += 1
    assert table.call() == step.STALE
    assert [job.arrays["p"].tobytes() for job in jobs] == before
    assert table.steps.tolist() == [2, 3]


def test_a_table_without_slots_is_a_step_of_nothing():
    assert Table([]).call() == kernels.DONE
