"""The functions of networks on AArch64: what NEON computes beside what plain C does, there and here."""

import numpy as np
import pytest
from native import ISAS, SOURCES, TOOLS, compiled, run

from trainstation import kernels

N = 9 * 37


def program(folder, compiler, *flags):
    objects = compiled(folder, compiler, flags, [TOOLS / "functions_harness.c", *SOURCES])
    run(compiler, *flags, *objects, "-o", folder / "functions", "-lm", "-lpthread")
    return folder / "functions"


def results(isa, command):
    return np.frombuffer(run(*command, str(ISAS.index(isa))), np.float32)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return results("scalar", [program(tmp_path_factory.mktemp("here"), "gcc", "-O2")])


@pytest.mark.parametrize("isa", ["scalar", "neon"])
def test_aarch64_computes_what_plain_c_does_here(isa, here, tmp_path):
    made = program(tmp_path, "aarch64-linux-gnu-gcc", "-O2")
    found = results(isa, ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", made])
    maps = len(kernels.MAPS) * N
    assert found.size == here.size > maps + 8 * N
    assert np.isfinite(here).all()
    assert np.array_equal(found[:maps], here[:maps])
    np.testing.assert_allclose(found[maps:], here[maps:], rtol=2e-5, atol=1e-6)  # sums in another order
