"""The compiled rules: the bits of `update` everywhere; and what happens without them."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trainstation_classics

import trainstation as ts
from trainstation import _kernels, kernels
from trainstation.optimizers.stepping import codec

# Optimizers, hyper-parameters and steps that between them take every branch of every rule.
CASES = [
    ("adagrad", {}, 1),
    ("adagrad", {"weight_decay": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2}, 5),
    ("adadelta", {}, 5),
    ("adadelta", {"weight_decay": 0.1, "rho": 0.5}, 5),
    ("adamax", {}, 5),
    ("adamax", {"weight_decay": 0.1, "lr": 1e30}, 1),
    ("nadam", {}, 1),
    ("nadam", {"weight_decay": 0.1}, 5),
    ("nadam", {"weight_decay": 0.1, "decoupled_weight_decay": True}, 1000),
    ("radam", {}, 5),  # not rectified
    ("radam", {}, 6),
    ("radam", {"weight_decay": 0.1}, 50),
    ("radam", {"weight_decay": 0.1, "decoupled_weight_decay": True}, 50),
    ("asgd", {}, 5),
    ("asgd", {"weight_decay": 0.1, "lambd": 0.1, "t0": 1}, 5),
    ("rprop", {}, 1),
    ("rprop", {"step_sizes": (1e-3, 2)}, 5),
]
NAMES = list(dict.fromkeys(name for name, _, _ in CASES))
FORMATS = {"float32": kernels.FLOAT32, "float64": kernels.FLOAT64}
FORMATS |= {"bfloat16": kernels.BFLOAT16_STATE, "8bit": kernels.EIGHT_BIT_STATE}
names = pytest.mark.parametrize("name", NAMES)
cases = pytest.mark.parametrize(("name", "hyper", "t"), CASES)
formats = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)


@pytest.fixture(params=kernels.isas())
def isa(request):
    with kernels.use(request.param):
        yield request.param


def same_bits(a, b):
    """Equal bytes; of a NaN only the position counts."""
    nan = np.isnan(a)
    return np.array_equal(nan, np.isnan(b)) and a[~nan].tobytes() == b[~nan].tobytes()


def dtype_of(fmt):
    return np.float64 if fmt == kernels.FLOAT64 else np.float32


def kinds_of(optimizer):
    """Return for each state, in order, how a narrower format keeps it."""
    kinds = optimizer.state_kinds(optimizer.defaults)
    return {state: kinds.get(state, "exact") for state in optimizer.states}


def kept(values, kinds, fmt, t):
    """Return states as they are stored after step t, with their scales."""
    made = {name: array.copy() for name, array in values.items()}
    for place, (name, kind) in enumerate(kinds.items()):
        if name in codec.narrow(kinds, fmt):
            made |= codec.encode(name, values[name], kind, fmt, t, place)
    return made


def values_of(made, kinds, fmt):
    """Return copies of the states that are stored."""
    narrower = codec.narrow(kinds, fmt)
    return {
        name: codec.decode(name, made, kind, fmt) if name in narrower else made[name].copy()
        for name, kind in kinds.items()
    }


def check(optimizer, t, arrays, fmt, gscale=1.0):
    """Step p, g and states once in NumPy, and compiled for every instruction set."""
    kinds = kinds_of(optimizer)
    scalars = optimizer.scalars(optimizer.defaults, t)
    p, g, *states = arrays.astype(dtype_of(fmt))
    with np.errstate(all="ignore"):
        stored_states = kept(dict(zip(kinds, states, strict=True)), kinds, fmt, t - 1)
        expected_p, state = p.copy(), values_of(stored_states, kinds, fmt)
        optimizer.update(expected_p, g * p.dtype.type(gscale), state, tuple(map(p.dtype.type, scalars)))
        expected = values_of(kept(state, kinds, fmt, t), kinds, fmt)
    before = g.copy()
    for isa in kernels.isas():
        found, made = p.copy(), {name: array.copy() for name, array in stored_states.items()}
        scales = [made.get(f"{name}_scale") for name in kinds] if fmt == kernels.EIGHT_BIT_STATE else None
        with kernels.use(isa):
            kernels.run_rule(
                optimizer.rule, found, g, [made[name] for name in kinds], scalars, t=t, gscale=gscale, scales=scales
            )
        assert same_bits(found, expected_p), isa
        for name, array in values_of(made, kinds, fmt).items():
            assert same_bits(array, expected[name]), (isa, name)
        assert g.tobytes() == before.tobytes()


@names
def test_the_rule_is_compiled(name):
    optimizer = ts.create_optimizer(name)
    rule = kernels.find_rule(optimizer.rule)
    assert rule is not None, "trainstation-classics is installed without its library"
    assert rule.n_scalars == len(optimizer.scalars(optimizer.defaults, 1))
    assert rule.kinds == tuple(kinds_of(optimizer).values())
    assert all(rule.supports(fmt) for fmt in FORMATS.values())


@formats
@cases
def test_every_size_gives_the_bits_of_update(name, hyper, t, fmt):
    optimizer = ts.create_optimizer(name, **hyper)
    for n in (*range(68), 255, 256, 257, 8191):
        rng = np.random.default_rng(n)
        states = rng.standard_normal((len(optimizer.states), n)) * 10.0 ** rng.integers(-9, 3, n)
        states *= rng.random(n) < 0.9
        for array, kind in zip(states, kinds_of(optimizer).values(), strict=True):
            if kind == "positive":
                np.abs(array, out=array)
        check(optimizer, t, np.concatenate([rng.standard_normal((2, n)), states]), fmt, gscale=-0.37)


@formats
@cases
def test_special_values_give_the_bits_of_update(name, hyper, t, fmt):
    optimizer = ts.create_optimizer(name, **hyper)
    info = np.finfo(dtype_of(fmt))
    some = [0.0, -0.0, 1.0, -3.0, 1e20, -1e-20, info.max, -info.max, info.tiny, info.smallest_subnormal]
    some += [-5 * info.smallest_subnormal, np.inf, -np.inf, np.nan]
    arrays = np.array([*zip(*itertools.product(some, repeat=2 + len(optimizer.states)), strict=True)])
    check(optimizer, t, arrays, fmt)


@names
@pytest.mark.parametrize("options", [{}, {"maximize": True}, {"max_grad_norm": 0.5}])
@pytest.mark.parametrize("state_dtype", [None, "float32", "bfloat16", "8bit"])
def test_a_run_of_the_optimizer_gives_the_bits_of_one_without_the_rule(isa, name, state_dtype, options):
    kind = ts.get_optimizer(name)
    interpreted = type(kind.__name__, (kind,), {"rule": None})

    def run(kind, threads):
        rng = np.random.default_rng(0)
        parameters = [ts.tensor(rng.standard_normal(n).astype(np.float32), requires_grad=True) for n in (0, 7, 20_001)]
        optimizer = kind(parameters, lr=0.01, state_dtype=state_dtype, **options)
        before = ts.get_num_threads()
        ts.set_num_threads(threads)
        try:
            for _ in range(7):
                for p in parameters:
                    p.grad = rng.standard_normal(p.shape).astype(np.float32)
                optimizer.step()
        finally:
            ts.set_num_threads(before)
        assert optimizer.last_step.isa == ("numpy" if kind is interpreted else isa)
        arrays = [p.data for p in parameters]
        for p in parameters:
            arrays += map(np.asarray, optimizer.state[p].values())
        return [array.tobytes() for array in arrays]

    expected = run(interpreted, 1)
    for threads in (1, 3):
        assert run(kind, threads) == expected


# Runs in a fresh interpreter that finds a copy of the package before the installed one.
PROGRAM = """
import sys
import numpy as np
import trainstation as ts

sys.meta_path[:] = [finder for finder in sys.meta_path if isinstance(finder, type)]  # an editable one comes first
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    p = ts.tensor(np.linspace(-1, 1, 5000, dtype=np.float32), requires_grad=True)
    p.grad = p.data - 0.5
    try:
        optimizer = ts.create_optimizer(name, [p], lr=0.5, state_dtype="8bit")
    except Exception as error:
        print(type(error).__name__, error, *error.__notes__, sep="|")
    else:
        optimizer.step()
        import trainstation_classics
        assert trainstation_classics.__file__.startswith(sys.argv[1])
        print(optimizer.last_step.isa, p.data.tobytes().hex())
"""


@pytest.fixture
def copy(tmp_path):
    """Return a folder with a copy of the package, without its library, and a function to run the program there."""
    folder = tmp_path / "trainstation_classics"
    folder.mkdir()
    for path in Path(trainstation_classics.__file__).parent.glob("*.py"):
        (folder / path.name).write_bytes(path.read_bytes())

    def run():
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, tmp_path, *NAMES], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return folder, run


def test_without_the_library_all_step_in_numpy(copy):
    _, run = copy
    for name, line in zip(NAMES, run(), strict=True):
        p = ts.tensor(np.linspace(-1, 1, 5000, dtype=np.float32), requires_grad=True)
        p.grad = p.data - 0.5
        ts.create_optimizer(name, [p], lr=0.5, state_dtype="8bit").step()
        assert line == f"numpy {p.data.tobytes().hex()}"


def test_a_library_of_another_abi_is_an_error_that_names_the_distribution(copy):
    folder, run = copy
    (folder / "_classics.so").write_bytes(Path(_kernels.__file__).read_bytes())
    for name, line in zip(NAMES, run(), strict=True):
        kind, text, note = line.split("|")
        assert kind == "KernelABIError"
        assert text.startswith(str(folder / "_classics.so"))
        assert note.startswith(f"while '{name}' of trainstation-classics ")
