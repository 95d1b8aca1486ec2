"""The C of kernels/: clean under both compilers, free of fused operations, and the same bits on AArch64."""

import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from cases import DTYPES, RULES, drawn, numpy_step, same_bits, scalars_of, special

from trainstation import kernels

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for path in (ROOT / "kernels").glob("*.c") if path.name != "kernels.csrc.c")
INCLUDES = ["-I", str(ROOT / "kernels"), "-I", str(ROOT / "kernels" / "include")]
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
FUSED = {
    "x86": ("vfmadd", "vfmsub", "vfnmadd", "vfnmsub"),
    "arm": ("fmla", "fmls", "fmadd", "fmsub", "fnmadd", "fnmsub"),
}


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, **options)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@pytest.mark.parametrize("source", [*SOURCES, ROOT / "tests/needs_tools/harness.c"], ids=lambda path: path.name)
@pytest.mark.parametrize("compiler", ["gcc", "clang", "aarch64-linux-gnu-gcc"])
def test_compiles_without_a_warning(compiler, source, tmp_path):
    run(compiler, *STRICT, "-O3", *INCLUDES, "-c", source, "-o", tmp_path / "out.o")


@pytest.mark.parametrize("source", [path for path in SOURCES if path.name != "isa_neon.c"], ids=lambda path: path.name)
@pytest.mark.parametrize("flags", ["-O3", "-O3 -march=haswell", "-O3 -march=native -std=gnu11", "-O2 -mfma"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_flag_brings_fused_operations_on_x86(compiler, flags, source, tmp_path):
    run(compiler, *flags.split(), *INCLUDES, "-c", source, "-o", tmp_path / "out.o")
    text = run("objdump", "-d", "--no-show-raw-insn", tmp_path / "out.o").decode()
    assert "ret" in text
    assert not [line for line in text.splitlines() if any(name in line for name in FUSED["x86"])]


@pytest.mark.parametrize("source", [path for path in SOURCES if "avx" not in path.name], ids=lambda path: path.name)
@pytest.mark.parametrize("flags", ["-O3", "-O3 -std=gnu11 -mcpu=neoverse-n1"])
def test_no_flag_brings_fused_operations_on_arm(flags, source, tmp_path):
    run("aarch64-linux-gnu-gcc", *flags.split(), *INCLUDES, "-c", source, "-o", tmp_path / "out.o")
    text = run("aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", tmp_path / "out.o").decode()
    assert "ret" in text
    assert not [line for line in text.splitlines() if any(name in line.split() for name in FUSED["arm"])]


def test_the_check_would_see_a_fused_operation(tmp_path):
    source = tmp_path / "fused.c"
    source.write_text("float f(float a, float b, float c) { return a * b + c; }")
    run("gcc", "-O3", "-march=haswell", "-std=gnu11", "-c", source, "-o", tmp_path / "out.o")
    assert "vfmadd" in run("objdump", "-d", tmp_path / "out.o").decode()


def test_the_check_would_see_a_fused_operation_on_arm(tmp_path):
    source = tmp_path / "fused.c"
    source.write_text("float f(float a, float b, float c) { return a * b + c; }")
    run("aarch64-linux-gnu-gcc", "-O3", "-std=gnu11", "-c", source, "-o", tmp_path / "out.o")
    text = run("aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", tmp_path / "out.o").decode()
    assert [line for line in text.splitlines() if any(name in line.split() for name in FUSED["arm"])]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_generated_file_compiles_without_a_warning(compiler, tmp_path):
    sources = [ROOT / "kernels" / name for name in ("kernels.cdef.txt", "kernels.csrc.c")]
    generated = tmp_path / "_kernels.c"
    run(sys.executable, "-m", "cffi.gen_src", "read-sources", "trainstation._kernels", *sources, generated)
    python = ["-I", sysconfig.get_path("include")]
    run(compiler, "-Wall", "-Werror", "-fPIC", *python, *INCLUDES, "-c", generated, "-o", tmp_path / "out.o")


@pytest.mark.parametrize("flag", ["-ffast-math", "-ffinite-math-only"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_fast_math_is_refused(compiler, flag, tmp_path):
    command = [compiler, flag, *INCLUDES, "-c", str(SOURCES[0]), "-o", str(tmp_path / "out.o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "-ffast-math" in done.stderr


def test_the_installed_module_has_no_fused_operation():
    from trainstation import _kernels

    text = run("objdump", "-d", "--no-show-raw-insn", _kernels.__file__).decode()
    assert "vsqrtps" in text
    assert not [line for line in text.splitlines() if any(name in line for name in FUSED["x86"])]


@pytest.fixture(scope="module")
def on_arm(tmp_path_factory):
    """Run cases in the harness, on an emulated AArch64 processor."""
    program = tmp_path_factory.mktemp("arm") / "harness"
    flags = ["-O3", "-std=c99", "-ffp-contract=off", "-fno-math-errno", "-static"]
    files = [ROOT / "tests/needs_tools/harness.c", *SOURCES]
    run("aarch64-linux-gnu-gcc", *flags, *INCLUDES, *files, "-o", program, "-lm")
    return lambda sent: run("qemu-aarch64", program, input=sent)


def case(isa, rule, arrays, scalars, gscale=1.0, fp_mode=0):
    index = {"scalar": 0, "neon": 3}[isa]
    padded = [*scalars, *[0.0] * (kernels.MAX_SCALARS - len(scalars))]
    p = arrays[0]
    fields = (index, kernels.rule_index(rule), DTYPES.index(p.dtype), len(arrays) - 2, p.size, fp_mode, gscale)
    return struct.pack(f"<4iqQd{len(padded)}d", *fields, *padded) + b"".join(array.tobytes() for array in arrays)


def compare(received, expected, dtype):
    for array in expected:
        found = np.frombuffer(received[: array.nbytes], dtype)
        received = received[array.nbytes :]
        assert same_bits(found, array)
    return received


@pytest.mark.parametrize("isa", ["scalar", "neon"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_arm_gives_the_bits_of_update(on_arm, rule, dtype, isa):
    _, scalars = scalars_of(rule)
    sizes = [*range(68), 100_003]
    inputs = [drawn(rule, dtype, n, seed=n) for n in sizes]
    received = on_arm(b"".join(case(isa, rule, arrays, scalars, -1.0) for arrays in inputs))
    for arrays in inputs:
        received = compare(received, numpy_step(rule, arrays, scalars, -1.0), dtype)
    assert received == b""


@pytest.mark.parametrize("fp_mode", [0, 1 << 24], ids=["default", "flush to zero"])
@pytest.mark.parametrize("isa", ["scalar", "neon"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_arm_gives_the_bits_of_update_for_special_values(on_arm, rule, dtype, isa, fp_mode):
    _, scalars = scalars_of(rule, t=1)
    arrays = special(rule, dtype)
    received = on_arm(case(isa, rule, arrays, scalars, fp_mode=fp_mode))
    assert compare(received, numpy_step(rule, arrays, scalars), dtype) == b""


def test_arm_gives_the_same_powers(on_arm):
    cases = [(base, t) for base in (0.0, 0.5, 0.9, 0.999, 0.9999) for t in (0, 1, 2, 3, 10, 1000, 123_457, 10**6)]
    padding = [0.0] * (kernels.MAX_SCALARS - 1)
    sent = b"".join(struct.pack("<4iqQd16d", -1, 0, 0, 0, t, 0, 1.0, base, *padding) for base, t in cases)
    expected = struct.pack(f"<{len(cases)}d", *(kernels.power(base, t) for base, t in cases))
    assert on_arm(sent) == expected
