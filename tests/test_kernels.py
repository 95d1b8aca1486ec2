"""Bits, detection, and the switch between instruction sets."""

import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import mpmath
import numpy as np
import pytest
from cases import DTYPES, RULES, drawn, numpy_step, same_bits, scalars_of, special

import trainstation as ts
from trainstation import kernels
from trainstation.optimizers import Adam, AdamW

# The bits of the control register that flush subnormals to zero.
FLUSH = {"x86_64": 0x1F80 | 0x8040, "aarch64": 1 << 24, "arm64": 1 << 24}[platform.machine()]
TOWARD_ZERO = {"x86_64": 0x1F80 | 0x6000, "aarch64": 3 << 22, "arm64": 3 << 22}[platform.machine()]
DEFAULT = {"x86_64": 0x1F80, "aarch64": 0, "arm64": 0}[platform.machine()]
GUARD = 128  # bytes before and behind each array that nothing may touch


def kernel_step(rule, arrays, scalars, gscale=1.0):
    """Run the compiled rule in place."""
    p, g, *states = arrays
    step = np.array([7], np.int64)
    values = np.zeros(kernels.MAX_SCALARS)
    values[: len(scalars)] = scalars
    slots = np.zeros(1, kernels.SLOT)
    slot = slots[0]
    slot["p"], slot["g"], slot["step"], slot["scalars"] = map(kernels.address, (p, g, step, values))
    slot["state"][: len(states)] = [kernels.address(state) for state in states]
    slot["n"], slot["gscale"] = p.size, gscale
    slot["rule"], slot["dtype"] = kernels.rule_index(rule), DTYPES.index(p.dtype)
    kernels.run(slots)
    assert step[0] == 8


def at_offset(array, offset):
    """A copy that begins `offset` bytes behind a 64-byte boundary, and the whole buffer around it."""
    buffer = np.full(GUARD + 64 + offset + array.nbytes + GUARD, 0xA5, np.uint8)
    start = GUARD + (-kernels.address(buffer[GUARD:])) % 64 + offset
    copy = np.frombuffer(buffer, array.dtype, array.size, start)
    copy[...] = array
    return copy, buffer, start


@pytest.fixture(params=kernels.isas())
def isa(request):
    with kernels.use(request.param):
        yield request.param


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_every_size_and_byte_offset_gives_the_bits_of_update_and_touches_nothing_else(isa, rule, dtype):
    _, scalars = scalars_of(rule)
    for n in range(68):
        arrays = drawn(rule, dtype, n, seed=n)
        expected = numpy_step(rule, arrays, scalars)
        for offset in range(0, 61, 4):
            placed = [at_offset(array, offset) for array in arrays]
            kernel_step(rule, [copy for copy, _, _ in placed], scalars)
            results = [expected[0], arrays[1], *expected[1:]]
            for (copy, buffer, start), result in zip(placed, results, strict=True):
                assert same_bits(copy, result), (n, offset)
                outside = np.concatenate([buffer[:start], buffer[start + result.nbytes :]])
                assert (outside == 0xA5).all(), (n, offset)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_a_large_array_gives_the_bits_of_update(isa, rule, dtype):
    _, scalars = scalars_of(rule)
    arrays = drawn(rule, dtype, 1_000_003)
    expected = numpy_step(rule, arrays, scalars, gscale=-1.0)
    kernel_step(rule, arrays, scalars, gscale=-1.0)
    assert all(map(same_bits, [arrays[0], *arrays[2:]], expected))


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_special_values_give_the_bits_of_update(isa, rule, dtype, weight_decay):
    _, scalars = scalars_of(rule, t=1, weight_decay=weight_decay)
    arrays = special(rule, dtype)
    expected = numpy_step(rule, arrays, scalars)
    kernel_step(rule, arrays, scalars)
    assert all(map(same_bits, [arrays[0], *arrays[2:]], expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_flush_to_zero_in_the_caller_changes_no_bit_and_is_still_set_afterwards(isa, rule, dtype):
    _, scalars = scalars_of(rule, t=1)
    arrays = special(rule, dtype)
    expected = numpy_step(rule, arrays, scalars)
    default = kernels.default_fp_mode()
    try:
        kernels.restore_fp_mode(FLUSH)
        tiny = np.finfo(np.float32).smallest_subnormal * np.ones(4, np.float32)
        flushes = not (tiny * np.float32(1)).view(np.uint32).any()
        kernel_step(rule, arrays, scalars)
        after = kernels.default_fp_mode()
    finally:
        kernels.restore_fp_mode(default)
    assert flushes
    assert after & FLUSH == FLUSH
    assert all(map(same_bits, [arrays[0], *arrays[2:]], expected))


@pytest.mark.parametrize("optimizer", [Adam, AdamW, ts.optimizers.SGD, ts.optimizers.RMSprop])
@pytest.mark.parametrize("compiled", [True, False])
def test_flush_to_zero_changes_no_bit_of_a_whole_step(optimizer, compiled):
    kind = optimizer if compiled else type("Interpreted", (optimizer,), {"rule": None})
    tiny = np.finfo(np.float32).smallest_subnormal * np.arange(1, 50, dtype=np.float32)

    def run(mode):
        p = ts.Tensor.from_numpy(tiny.copy())
        p.grad = tiny[::-1].copy()
        made = kind([p], lr=0.5)
        default = kernels.default_fp_mode()
        kernels.restore_fp_mode(mode)
        try:
            made.step()
            made.step()
        finally:
            kernels.restore_fp_mode(default)
        return [p.data.tobytes(), *(np.asarray(s).tobytes() for s in made.state[p].values())]

    assert run(FLUSH) == run(DEFAULT)


@pytest.mark.parametrize("optimizer", [Adam, AdamW, ts.optimizers.SGD, ts.optimizers.RMSprop])
def test_another_rounding_in_the_caller_changes_no_bit_of_a_whole_step(optimizer):
    def run(mode):
        p = ts.tensor(np.linspace(-1, 1, 100), requires_grad=True)
        p.grad = np.linspace(1, 3, 100)
        made = optimizer([p], lr=0.1, weight_decay=0.3)
        default = kernels.default_fp_mode()
        kernels.restore_fp_mode(mode)
        try:
            for _ in range(3):
                made.step()
        finally:
            kernels.restore_fp_mode(default)
        return [p.data.tobytes(), *(np.asarray(s).tobytes() for s in made.state[p].values())]

    assert run(TOWARD_ZERO) == run(DEFAULT)


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


def test_cpu_says_what_is_there():
    found = kernels.cpu()
    assert set(found) == {"arch", "features", "isa", "isas", "rules", "threads"}
    assert set(RULES) <= set(found["rules"])
    assert found["isa"] in found["isas"]
    assert found["isas"][0] == "scalar"


def test_compiled_rules_take_the_states_and_scalars_that_their_optimizers_give():
    for rule, (optimizer, names) in RULES.items():
        assert kernels.rules()[rule] == (len(names), len(optimizer().scalars(optimizer().defaults, 1)))


def test_get_include_is_the_folder_of_the_public_headers():
    include = Path(kernels.get_include())
    for name in ("trainstation.h", "loop.h", "simd/scalar.h", "simd/avx2.h", "simd/avx512.h", "simd/neon.h"):
        assert (include / "trainstation" / name).is_file()


def test_the_number_of_threads_is_kept():
    before = ts.get_num_threads()
    try:
        ts.set_num_threads(3)
        assert ts.get_num_threads() == 3
    finally:
        ts.set_num_threads(before)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2", None])
def test_a_senseless_number_of_threads_is_refused(n):
    with pytest.raises(ValueError, match="threads"):
        ts.set_num_threads(n)
