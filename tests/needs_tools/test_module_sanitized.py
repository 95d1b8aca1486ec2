"""The compiled module with AddressSanitizer and UndefinedBehaviorSanitizer, under the tests that call it."""

import os
import subprocess
import sys

import pytest
from native import MODULE, ROOT, SANITIZED, compiled, run

FLAGS = [*SANITIZED, "-fPIC", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return a function that runs Python with our package beside a sanitized module: exit code, output, reports."""
    folder = tmp_path_factory.mktemp("sanitized")
    package = folder / "trainstation"
    package.mkdir()
    for path in (ROOT / "trainstation").iterdir():
        if path.name != "__pycache__":
            (package / path.name).symlink_to(path)
    generated = folder / "_kernels.c"
    texts = [ROOT / "kernels" / name for name in ("kernels.cdef.txt", "kernels.csrc.c")]
    run(sys.executable, "-m", "cffi.gen_src", "read-sources", "trainstation._kernels", *texts, generated)
    objects = compiled(folder, "gcc", FLAGS, [*MODULE, generated])
    run("gcc", "-shared", *FLAGS, *objects, "-o", package / "_kernels.abi3.so", "-lm")
    libraries = [run("gcc", f"-print-file-name=lib{name}.so").decode().strip() for name in ("asan", "ubsan")]
    site = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": f"detect_leaks=0:log_path={folder}/report",  # leaks: the interpreter's
        "UBSAN_OPTIONS": f"log_path={folder}/report:print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": os.pathsep.join([str(folder), *site]),
        "OPENBLAS_NUM_THREADS": "1",
    }

    def call(*arguments):
        # Without site, or an editable install would put its own package first; without the current folder.
        command = [sys.executable, "-S", "-P", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        reports = sorted(folder.glob("report*"))
        said = "".join(report.read_text(errors="replace") for report in reports)
        for report in reports:
            report.unlink()
        return done.returncode, done.stdout[-3000:] + done.stderr[-3000:], said[:5000]

    return call


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tests/kernels/test_bits.py", "every_size or codes or blocks or scaled"),
        ("tests/kernels/test_threads.py", "several_slots or once or changing or nothing"),
        ("tests/kernels/test_squares.py", ""),
        ("tests/kernels/test_functions.py", "near or special or any_number or causal or target"),
        ("tests/kernels/test_windows.py", ""),
        ("tests/optimizers/stepping/test_noticed.py", ""),
        ("tests/optimizers/test_clipping.py", "measure_nothing or scaling or leaves_everything"),
        ("tests/optimizers/test_errors.py", ""),
        ("tests/optimizers/stepping/test_meanwhile.py", ""),
        ("tests/optimizers/stepping/test_random_walk.py", ""),
        ("tests/optimizers/functional/test_functional_random_walk.py", ""),
    ],
)
def test_no_test_makes_a_report(python, path, words):
    code, output, reports = python("-m", "pytest", "-q", "-p", "no:cacheprovider", path, "-k", words)
    assert not reports
    assert code == 0, output


@pytest.mark.parametrize(
    ("steps", "seed"), [(300, 3), pytest.param(15_000, 4, marks=pytest.mark.exhaustive)], ids=["few", "many"]
)
def test_steps_that_signals_interrupt_make_no_report(python, steps, seed):
    code, output, reports = python("tests/support/signalled.py", str(steps), str(seed))
    assert not reports
    assert code == 0, output
    print(output.splitlines()[-1])


def test_an_array_that_is_too_short_would_be_seen(python):
    code = """
import numpy as np
from trainstation import kernels
p, g = np.ones(5000, np.float32), np.ones(4000, np.float32)
kernels.run_rule("sgd", p, g, [], (0, 0, 1, 0, 0.1))
"""
    code, _, reports = python("-c", code)
    assert "heap-buffer-overflow" in reports
    assert code != 0


def test_memory_that_was_freed_would_be_seen(python):
    code = """
import numpy as np
from trainstation import kernels
p = np.ones(5000, np.float32)
slots = np.zeros(1, kernels.SLOT)
room, step = kernels.Scalars(1), np.zeros(1, np.int64)
room.writer(0, 5)(1, 0, 0, 1, 0, 0.1)
gradient = np.ones(5000, np.float32)
slots["p"], slots["g"], slots["n"] = kernels.address(p), kernels.address(gradient), 5000
slots["step"], slots["scalars"], slots["gscale"] = kernels.address(step), room.start, 1
slots["rule"] = kernels.find_rule("sgd").index
call = kernels.Call(slots)
call()
del gradient
call()
step[0] = 0
call()
"""
    code, _, reports = python("-c", code)
    assert "heap-use-after-free" in reports
    assert code != 0
