"""The C of kernels/: clean under both compilers, free of fused operations, and of constructors that change modes."""

import subprocess
import sys

import pytest
from native import INCLUDES, MODULE, OPERATIONS, ROOT, TOOLS, run

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
FUSED = {
    "x86": ("vfmadd", "vfmsub", "vfnmadd", "vfnmsub"),
    "arm": ("fmla", "fmls", "fmadd", "fmsub", "fnmadd", "fnmsub"),
}


@pytest.mark.parametrize(
    "source", [*MODULE, *OPERATIONS, TOOLS / "harness.c", TOOLS / "pool_harness.c"], ids=lambda path: path.name
)
@pytest.mark.parametrize("compiler", ["gcc", "clang", "aarch64-linux-gnu-gcc"])
def test_compiles_without_a_warning(compiler, source, tmp_path):
    run(compiler, *STRICT, "-O3", *INCLUDES, "-c", source, "-o", tmp_path / "out.o")


@pytest.mark.parametrize("source", [path for path in MODULE if path.name != "isa_neon.c"], ids=lambda path: path.name)
@pytest.mark.parametrize("flags", ["-O3", "-O3 -march=haswell", "-O3 -march=native -std=gnu11", "-O2 -mfma"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_flag_brings_fused_operations_on_x86(compiler, flags, source, tmp_path):
    run(compiler, *flags.split(), *INCLUDES, "-c", source, "-o", tmp_path / "out.o")
    text = run("objdump", "-d", "--no-show-raw-insn", tmp_path / "out.o").decode()
    assert "ret" in text
    assert not [line for line in text.splitlines() if any(name in line for name in FUSED["x86"])]


@pytest.mark.parametrize("source", [path for path in MODULE if "avx" not in path.name], ids=lambda path: path.name)
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
    run(compiler, "-Wall", "-Werror", "-fPIC", *INCLUDES, "-c", generated, "-o", tmp_path / "out.o")


@pytest.mark.parametrize("flag", ["-ffast-math", "-ffinite-math-only"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_fast_math_is_refused(compiler, flag, tmp_path):
    (step,) = (source for source in MODULE if source.name == "step.c")
    command = [compiler, flag, *INCLUDES, "-c", str(step), "-o", str(tmp_path / "out.o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "-ffast-math" in done.stderr


def test_only_one_function_writes_the_floating_point_mode_and_none_runs_at_load(tmp_path):
    """B21 of pitfalls.md: a constructor of -ffast-math flushes subnormals in the whole process that loads it."""
    for source in MODULE:
        run("gcc", "-O3", "-fPIC", *INCLUDES, "-c", source, "-o", tmp_path / "out.o")
        text = run("objdump", "-d", "--no-show-raw-insn", tmp_path / "out.o").decode()
        assert text.count("ldmxcsr") == (source.name == "fpmode.c"), source.name
        sections = run("objdump", "-h", tmp_path / "out.o").decode()
        assert ".init_array" not in sections, source.name
        assert ".ctors" not in sections, source.name


def test_the_installed_module_writes_the_floating_point_mode_in_one_place():
    from trainstation import _kernels

    assert run("objdump", "-d", "--no-show-raw-insn", _kernels.__file__).decode().count("ldmxcsr") == 1


def test_the_installed_module_has_no_fused_operation():
    from trainstation import _kernels

    text = run("objdump", "-d", "--no-show-raw-insn", _kernels.__file__).decode()
    assert "vsqrtps" in text
    assert not [line for line in text.splitlines() if any(name in line for name in FUSED["x86"])]
