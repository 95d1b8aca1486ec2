"""The threads of a step: how many, what a fork leaves of them, and who asks for how many."""

import functools
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from cases import CASES, FORMATS, Job, Table, forked, kernel_step, threads_of_this_process

import trainstation as ts
from trainstation import kernels

CASE, FMT, N = CASES["adam"], FORMATS["float32"], 100_003
counted = pytest.mark.skipif(not threads_of_this_process(), reason="this system does not list threads")


@functools.cache
def drawn(seed):
    return CASE.drawn(FMT, N, seed)


@functools.cache
def expected(seed=0):
    return CASE.update(drawn(seed), FMT)["p"].tobytes()


def threaded_step(number=3, seed=0):
    """Step in threads; return the bytes of the parameter."""
    kernels.set_num_threads(number)
    return kernel_step(CASE, FMT, drawn(seed))["p"].tobytes()


def python(code, **environment):
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here.parent / "support"), str(here), *filter(None, [os.environ.get("PYTHONPATH")])])
    clean = {k: v for k, v in os.environ.items() if k not in ("TRAINSTATION_NUM_THREADS", "OMP_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**clean, "PYTHONPATH": paths, **environment},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@counted
def test_a_large_step_uses_helpers_and_many_steps_make_no_more_of_them():
    code = """
from test_pool import N, threaded_step, threads_of_this_process
before = threads_of_this_process()
threaded_step(1)
assert threads_of_this_process() == before
for number in (3, 2, 5, 1, 5, 3):
    for _ in range(20):
        threaded_step(number)
print(threads_of_this_process() - before)
"""
    assert python(code) == "4"


@counted
def test_callers_in_many_threads_share_one_set_of_helpers():
    code = """
import threading, time
from test_pool import CASE, FMT, Job, Table, kernels, threads_of_this_process
before, barrier, found = threads_of_this_process(), threading.Barrier(4), {}
def run(seed, wait=lambda: None):
    job = Job(CASE, FMT, CASE.drawn(FMT, 200_003, seed))
    wait()
    for job.t in range(1, 101):
        Table([job]).step()
    found.setdefault(seed, []).append(job.arrays["p"].tobytes())
kernels.set_num_threads(1)
for seed in range(4):
    run(seed)
kernels.set_num_threads(3)
callers = [threading.Thread(target=run, args=(seed, barrier.wait)) for seed in range(4)]
[caller.start() for caller in callers]
[caller.join() for caller in callers]
while threads_of_this_process() - before > 2:  # the system takes a moment to forget a thread that was joined
    time.sleep(0.01)
print(threads_of_this_process() - before, [together == alone for alone, together in found.values()])
"""
    assert python(code) == "2 [True, True, True, True]"


def test_a_forked_child_steps_in_threads_of_its_own_with_the_same_bits(threads):
    assert threaded_step() == expected()

    def child():
        assert threads_of_this_process() in (0, 1)
        assert threaded_step(1) == threaded_step(3) == threaded_step(7) == expected()
        assert threads_of_this_process() in (0, 7)
        assert forked(lambda: compare(threaded_step(2), expected()), 10) == 0  # and a grandchild

    def compare(a, b):
        assert a == b

    for _ in range(5):
        assert forked(child, 30) == 0
    assert threaded_step() == expected()


def test_a_child_forked_while_another_thread_steps_steps_too(threads):
    stop, wanted = threading.Event(), expected()
    arrays = CASE.drawn(FMT, N)

    def busy():
        while not stop.is_set():
            Table([Job(CASE, FMT, arrays)]).step()

    def child():
        assert threaded_step(3) == wanted

    kernels.set_num_threads(3)
    others = [threading.Thread(target=busy) for _ in range(2)]
    for other in others:
        other.start()
    try:
        codes = [forked(child, 10) for _ in range(20)]
    finally:
        stop.set()
        for other in others:
            other.join()
    assert codes == [0] * 20


def test_multiprocessing_gets_the_same_bits_by_fork_and_by_spawn(threads):
    assert threaded_step() == expected()
    code = """
import multiprocessing, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from test_pool import expected, threaded_step
if __name__ == "__main__":
    assert threaded_step(3) == expected()
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as workers:
            assert workers.map(threaded_step, [1, 2, 3, 7], 1) == [expected()] * 4
            print(method)
"""
    assert set(multiprocessing.get_all_start_methods()) >= {"fork", "spawn"}
    assert python(code).split() == ["fork", "spawn"]


@pytest.mark.parametrize(
    ("environment", "number"),
    [
        ({"TRAINSTATION_NUM_THREADS": "5"}, 5),
        ({"TRAINSTATION_NUM_THREADS": " 5 ", "OMP_NUM_THREADS": "3"}, 5),
        ({"OMP_NUM_THREADS": "4,3"}, 4),
        ({"OMP_NUM_THREADS": "4"}, 4),
        ({"TRAINSTATION_NUM_THREADS": "0", "OMP_NUM_THREADS": "4"}, 4),
        ({"TRAINSTATION_NUM_THREADS": "two", "OMP_NUM_THREADS": "4"}, 4),
        ({"TRAINSTATION_NUM_THREADS": "100000"}, 256),
    ],
)
def test_the_environment_says_how_many_threads(environment, number):
    assert python("import trainstation as ts; print(ts.get_num_threads())", **environment) == str(number)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
@pytest.mark.parametrize("environment", [{}, {"OMP_NUM_THREADS": "-1"}, {"OMP_NUM_THREADS": ""}])
def test_affinity_says_how_many_threads_where_the_environment_does_not(environment):
    code = """
import os
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
import trainstation as ts
print(ts.get_num_threads())
"""
    assert python(code, **environment) == "1"


@pytest.mark.parametrize(
    ("files", "number"),
    [
        ({}, 256),
        ({"cpu.max": "max 100000"}, 256),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "1000 100000"}, 1),
        ({"cpu.max": "nonsense"}, 256),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 256),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "0"}, 256),
    ],
)
def test_a_control_group_limits_the_number_of_threads(tmp_path, files, number):
    from trainstation.kernels.threads import _quota

    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert _quota(tmp_path) == number


def test_the_number_of_threads_is_kept(threads):
    for number in (1, 3, 256):
        ts.set_num_threads(number)
        assert ts.get_num_threads() == number


@pytest.mark.parametrize("n", [0, -1, 257, 1.5, 2.0, True, "2", None, np.float32(2), [2]])
def test_a_senseless_number_of_threads_is_refused(threads, n):
    before = ts.get_num_threads()
    with pytest.raises(ValueError, match="threads"):
        ts.set_num_threads(n)
    assert ts.get_num_threads() == before
