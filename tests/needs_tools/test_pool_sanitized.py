"""The pool under ThreadSanitizer: several callers, changing numbers of threads, forks; no report, and the same bits."""

import os
import platform
import subprocess

import pytest
from native import SANITIZED, SOURCES, TOOLS, compiled, run

QUIET = {**os.environ, "TSAN_OPTIONS": "die_after_fork=0:halt_on_error=0:exitcode=66"}
# ThreadSanitizer knows where things lie in memory only without randomisation.
FIXED = ["setarch", platform.machine(), "-R"]


def build(folder, compiler, *flags, sources=SOURCES):
    objects = compiled(folder, compiler, flags, [TOOLS / "pool_harness.c", *sources])
    program = folder / "pool_harness"
    run(compiler, *flags, *objects, "-o", program, "-lm", "-lpthread")
    return program


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return build(tmp_path_factory.mktemp("plain"), "gcc", "-O2")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    return build(tmp_path_factory.mktemp("watched"), "gcc", *SANITIZED, "-fsanitize=thread")


def test_several_callers_get_the_bits_of_one_thread(plain):
    run(plain, "long", timeout=120)


def test_children_forked_while_others_step_do_too(plain):
    for _ in range(3):
        run(plain, "fork", timeout=120)


def test_thread_sanitizer_has_nothing_to_report(watched):
    for _ in range(2):
        run(*FIXED, watched, timeout=300, env=QUIET)


def test_thread_sanitizer_has_nothing_to_report_around_a_fork(watched):
    run(*FIXED, watched, "fork", "alone", timeout=300, env=QUIET)


def test_thread_sanitizer_would_see_a_missing_lock(tmp_path):
    """So that its silence means something: a pool whose next job does not wait for the helpers of the last."""
    (pool,) = (source for source in SOURCES if source.name == "pool.c")
    text = pool.read_text()
    waiting = "while (p->active > 0) pthread_cond_wait(&p->done, &p->lock);"
    spinning = "__atomic_load_n(&p->active, __ATOMIC_ACQUIRE) > 0; i++)"
    assert text.count(waiting) == text.count(spinning) == 1
    broken = tmp_path / "pool.c"
    broken.write_text(text.replace(waiting, "").replace(spinning, "0; i++)"))
    others = [source for source in SOURCES if source.name != "pool.c"]
    program = build(tmp_path, "gcc", *SANITIZED, "-fsanitize=thread", sources=[*others, broken])
    # What is broken may also wait for ever: it ends at the first race that is seen.
    env = {**QUIET, "TSAN_OPTIONS": "halt_on_error=1"}
    done = subprocess.run([*FIXED, program], env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0
