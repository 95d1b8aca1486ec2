"""Each v_ operation of each instruction set over the product of special values, against its meaning in NumPy."""

import numpy as np
import pytest
from cases import each_isa, same_bits
from native import FLAGS, INCLUDES, OPERATIONS, Harness, run

from trainstation import kernels
from trainstation.kernels import BFLOAT16_STATE, EIGHT_BIT_STATE
from trainstation.optimizers.elementwise import flush, maximum, minimum, sign
from trainstation.optimizers.stepping import codec

MEANING = {
    "op_add": lambda p, g: p + g,
    "op_sub": lambda p, g: p - g,
    "op_mul": lambda p, g: p * g,
    "op_div": lambda p, g: p / g,
    "op_sqrt": lambda p, g: np.sqrt(p),
    "op_gt": lambda p, g: (p > g).astype(p.dtype),
    "op_ne": lambda p, g: (p != g).astype(p.dtype),
    "op_max": maximum,
    "op_min": minimum,
    "op_sign": lambda p, g: sign(p),
    "op_flush": lambda p, g: flush(p),
}
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def special(dtype):
    """Return values of every kind, and the neighbours of those where something changes."""
    info = np.finfo(dtype)
    edges = [0.0, info.smallest_subnormal, info.tiny, 1.0, 1.5, 2.0, 1e-20, 1e20, info.max, 1 / 3, info.eps]
    values = np.array(edges, dtype)
    with np.errstate(over="ignore"):
        near = np.concatenate([values, np.nextafter(values, dtype(np.inf)), np.nextafter(values, dtype(0))])
    near = np.unique(near[np.isfinite(near)])
    infinite = np.array([np.inf, -np.inf], dtype)
    patterns = [0x7F800001, 0x7FC00000, 0xFFC00000, 0x7FFFFFFF] if dtype == np.float32 else [0x7FF8 << 48, 0xFFF8 << 48]
    nans = np.array(patterns, np.uint32 if dtype == np.float32 else np.uint64).view(dtype)
    return np.concatenate([near, -near, infinite, nans])


def pairs(dtype):
    """Return all pairs of special values, and many that are drawn, where rounding shows."""
    values = special(dtype)
    rng = np.random.default_rng(0)
    drawn = [(rng.standard_normal(20_000) * 10.0 ** rng.integers(-30, 30, 20_000)).astype(dtype) for _ in range(2)]
    return np.append(np.repeat(values, values.size), drawn[0]), np.append(np.tile(values, values.size), drawn[1])


def meaning(name, p, g):
    with np.errstate(all="ignore"):
        return MEANING[name](p, g)


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """Build the rules as a plugin's author would, and load them."""
    library = tmp_path_factory.mktemp("operations") / "operations.so"
    run(
        "gcc",
        *FLAGS,
        "-O3",
        "-shared",
        "-fPIC",
        "-fvisibility=hidden",
        "-Wall",
        "-Werror",
        *INCLUDES,
        *OPERATIONS,
        "-o",
        library,
    )
    return kernels.load(library)


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    """Build them into a program for AArch64."""
    program = tmp_path_factory.mktemp("arm") / "harness"
    return Harness(
        program, "aarch64-linux-gnu-gcc", "-O3", "-static", runner=["qemu-aarch64"], fp_mode=0, extra=OPERATIONS
    )


def test_every_operation_has_a_rule(rules):
    assert {*MEANING, "op_select", "op_set1", "op_states", "op_inverse"} == set(rules)


@dtypes
@pytest.mark.parametrize("name", MEANING)
def test_an_operation_means_the_same_everywhere(rules, name, dtype):
    p, g = pairs(dtype)
    expected = meaning(name, p, g)
    for isa in each_isa():
        found = p.copy()
        kernels.run_rule(name, found, g, [])
        assert same_bits(found, expected), isa


@pytest.mark.parametrize("isa", ["scalar", "neon"])
@dtypes
@pytest.mark.parametrize("name", MEANING)
def test_an_operation_means_the_same_on_arm(arm, name, dtype, isa):
    p, g = pairs(dtype)
    found = arm.rule(isa, name, int(dtype == np.float64), {"p": p, "g": g}, ())
    assert same_bits(found["p"], meaning(name, p, g))


@dtypes
def test_select_takes_the_bits_of_one_side_and_no_more(rules, arm, dtype):
    p, g = pairs(dtype)
    mask = np.resize(np.array([0.0, 1.0, -0.0, np.nan, np.inf], dtype), p.size)
    expected = np.where(mask != 0, p, g)
    for isa in each_isa():
        found = p.copy()
        kernels.run_rule("op_select", found, g, [mask.copy()])
        assert same_bits(found, expected), isa
    for isa in ("scalar", "neon"):
        found = arm.rule(isa, "op_select", int(dtype == np.float64), {"p": p, "g": g, "s": mask}, ("s",))
        assert same_bits(found["p"], expected), isa


@dtypes
def test_scalars_are_rounded_once_to_the_type_of_the_elements(rules, dtype):
    for scalars in ((0.1, 0.2, 0.3), (1 / 3, 1e-50, -1e-46), (1e39, 1.0, 0.0), (16777217.0, 1.0, 1.0)):
        with np.errstate(all="ignore"):
            a, b, c = map(dtype, scalars)
            expected = np.full(37, (a + b) + c)
        for isa in each_isa():
            found = np.ones(37, dtype)
            kernels.run_rule("op_set1", found, found.copy(), [], scalars)
            assert same_bits(found, expected), isa


@dtypes
def test_four_states_are_read_and_written_in_their_order(rules, dtype):
    for n in (1, 7, 16, 33, 1000):
        rng = np.random.default_rng(n)
        p, g, *states = (rng.standard_normal(n).astype(dtype) for _ in range(6))
        expected = [states[1], states[2], states[3] + g, states[0]]
        for isa in each_isa():
            found, kept = [state.copy() for state in states], p.copy()
            kernels.run_rule("op_states", kept, g, found)
            assert all(map(same_bits, [kept, *found], [p, *expected])), isa


@pytest.mark.parametrize("fmt", [BFLOAT16_STATE, EIGHT_BIT_STATE])
def test_what_lies_behind_the_end_has_no_say_in_the_scale_of_the_last_block(rules, fmt):
    """A rule that makes something of nothing: the lanes that no element fills must not count."""
    one = np.float32(1)
    kinds = {"a": "positive", "b": "signed"}
    for n in (1, 3, 7, 9, 17, 33, 255, 257, 300, 4097):
        given = {"a": np.full(n, 1000, np.float32), "b": np.full(n, 7.5, np.float32)}
        state = {}
        for place, name in enumerate(given):
            state |= codec.encode(name, given[name], kinds[name], fmt, 1, place)
        a, b = (codec.decode(name, state, kinds[name], fmt) for name in given)
        expected = codec.encode("a", np.float32(8) / (a + one), "positive", fmt, 2, 0)
        expected |= codec.encode("b", np.float32(8) - b, "signed", fmt, 2, 1)
        for isa in each_isa():
            found = {name: array.copy() for name, array in state.items()}
            p, scales = np.ones(n, np.float32), [found["a_scale"], found["b_scale"]] if "a_scale" in found else None
            kernels.run_rule("op_inverse", p, p.copy(), [found["a"], found["b"]], [8.0], t=2, scales=scales)
            assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in expected.items()}, (isa, n)
