"""Detection, the switch between instruction sets, and powers."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import mpmath
import numpy as np
import pytest
from cases import CASES, DEFAULT, FLUSH

import trainstation as ts
from trainstation import kernels


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


@pytest.mark.parametrize("name", kernels.isas())
def test_the_environment_forces_an_instruction_set(name):
    done = run_python("import trainstation as ts; print(ts.kernels.isa())", TRAINSTATION_ISA=name)
    assert done.stdout.strip() == name, done.stderr


@pytest.mark.parametrize("name", ["sse9", "AVX2 ", *({"scalar", "avx2", "avx512", "neon"} - set(kernels.isas()))])
def test_an_unknown_or_absent_instruction_set_is_an_error_of_the_step_not_of_the_import(name):
    code = """
import numpy as np, trainstation as ts
p = ts.Tensor.ones(3, requires_grad=True)
p.grad = np.ones(3, np.float32)
optimizer = ts.optimizers.Adam([p])
try:
    optimizer.step()
except ts.KernelError as error:
    print(error)
assert not optimizer.state and (p.data == 1).all()
"""
    done = run_python(code, TRAINSTATION_ISA=name)
    assert done.stdout.startswith("TRAINSTATION_ISA: "), done.stderr
    assert name in done.stdout


def test_the_widest_instruction_set_is_the_default():
    done = run_python("import trainstation as ts; print(ts.kernels.isa())", TRAINSTATION_ISA="")
    assert done.stdout.strip() == kernels.isas()[-1]


def test_use_holds_inside_the_context_and_in_this_thread_only():
    outside = kernels.isa()
    seen = []
    with kernels.use("scalar"):
        assert kernels.isa() == "scalar"
        thread = threading.Thread(target=lambda: seen.append(kernels.isa()))
        thread.start()
        thread.join()
    assert seen == [outside]
    assert kernels.isa() == outside


def test_use_refuses_an_unknown_instruction_set():
    with pytest.raises(ts.KernelError, match="sse9"), kernels.use("sse9"):
        pass


@pytest.mark.parametrize("name", kernels.isas())
def test_a_step_runs_in_the_instruction_set_in_use(name):
    p = ts.Tensor.ones(3, requires_grad=True)
    p.grad = np.ones(3, np.float32)
    optimizer = ts.optimizers.Adam([p])
    with kernels.use(name):
        optimizer.step()
    assert optimizer.last_step.isa == name


def test_cpu_says_what_is_there():
    found = kernels.cpu()
    assert set(found) == {"arch", "features", "isa", "isas", "rules", "threads"}
    assert {case.rule for case in CASES.values()} <= set(found["rules"])
    assert found["isa"] in found["isas"]
    assert found["isas"][0] == "scalar"


def test_every_compiled_rule_of_the_core_has_a_case_and_takes_what_its_optimizer_gives():
    done = run_python("from trainstation import kernels; print(*kernels.rules())")
    assert set(done.stdout.split()) == {case.rule for case in CASES.values()}, done.stderr
    for case in CASES.values():
        rule = kernels.find_rule(case.rule)
        assert rule.n_scalars == len(case.scalars(1))
        assert rule.kinds == tuple(case.kinds.get(name, "exact") for name in case.states)


def test_a_rule_that_is_not_there_is_an_error():
    one = np.ones(1, np.float32)
    with pytest.raises(ts.KernelError, match="no compiled rule 'adagrad'"):
        kernels.run_rule("adagrad", one, one.copy(), [])
    assert kernels.find_rule("adagrad") is None
    assert kernels.find_rule(None) is None


def test_get_include_is_the_folder_of_the_public_headers():
    include = Path(kernels.get_include()) / "trainstation"
    names = ["trainstation", "loop", "loop_body", "loop_stored", "codec"]
    for name in [*names, "simd/scalar", "simd/avx2", "simd/avx512", "simd/neon"]:
        assert (include / f"{name}.h").is_file()


def test_the_import_leaves_the_floating_point_mode_alone():
    """What a library built with -ffast-math does not: subnormals would be gone from the whole process."""
    code = """
import numpy as np
tiny = np.full(9, 1e-40, np.float32)
import trainstation as ts
from trainstation import kernels
assert (tiny * np.float32(0.5) > 0).all() and 5e-324 * 1.0 > 0
p = ts.Tensor.ones(9, requires_grad=True); p.grad = tiny
ts.optimizers.Adam([p]).step()
assert (tiny * np.float32(0.5) > 0).all() and 5e-324 * 1.0 > 0
print(kernels.default_fp_mode() & ~0x3f)
"""
    done = run_python(code)
    assert done.stdout.strip() == str(DEFAULT), done.stderr  # but for what arithmetic has noted


@pytest.mark.parametrize("base", [0.0, 0.5, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 0.999999, 1.0])
def test_power_is_exact_to_1e_15(base):
    exponents = [0, 1, 2, 3, 7, 10, 63, 64, 1000, 12345, 99_999, 10**6, 10**9]
    with mpmath.workdps(60):
        for t in exponents:
            exact = mpmath.mpf(base) ** t
            assert abs(mpmath.mpf(kernels.power(base, t)) - exact) <= mpmath.mpf("1e-15"), t


def test_power_does_not_depend_on_the_callers_floating_point_mode():
    cases = [(0.9, 7000), (0.999, 1000), (0.5, 1074)]
    expected = [kernels.power(*case) for case in cases]
    default = kernels.default_fp_mode()
    kernels.restore_fp_mode(FLUSH)
    try:
        found = [kernels.power(*case) for case in cases]
    finally:
        kernels.restore_fp_mode(default)
    assert found == expected
