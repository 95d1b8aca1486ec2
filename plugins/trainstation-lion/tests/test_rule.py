"""The compiled rule: the bits of `update` everywhere, whatever flags it was built with; and what happens without it."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trainstation_lion
from trainstation_lion.lion import Lion

import trainstation as ts
from trainstation import _kernels, kernels
from trainstation.optimizers.stepping import codec

FORMATS = {
    np.float64: [kernels.FLOAT64],
    np.float32: [kernels.FLOAT32, kernels.BFLOAT16_STATE, kernels.EIGHT_BIT_STATE],
}
CASES = [(dtype, fmt) for dtype, formats in FORMATS.items() for fmt in formats]


class Interpreted(Lion):
    rule = None


@pytest.fixture(params=kernels.isas())
def isa(request):
    with kernels.use(request.param):
        yield request.param


def same_bits(a, b):
    """Equal bytes; of a NaN only the position counts."""
    nan = np.isnan(a)
    return np.array_equal(nan, np.isnan(b)) and a[~nan].tobytes() == b[~nan].tobytes()


def kept(m, fmt, t):
    """Return the momentum as it is stored after step t, and its scales."""
    if fmt in (kernels.FLOAT32, kernels.FLOAT64):
        return m.copy(), None
    kept = codec.encode("m", m, "signed", fmt, t, 0)
    return kept["m"], kept.get("m_scale")


def values(m, scale, fmt):
    if fmt in (kernels.FLOAT32, kernels.FLOAT64):
        return m.copy()
    return codec.decode("m", {"m": m, "m_scale": scale}, "signed", fmt)


def check(p, g, m, fmt, *, gscale=1.0, t=5, **hyper):
    """Step once compiled and once in NumPy."""
    optimizer = Lion(**{"lr": 0.01, "betas": (0.9, 0.99), "weight_decay": 0.1, **hyper})
    scalars = optimizer.scalars(optimizer.defaults, t)
    with np.errstate(all="ignore"):
        codes, scale = kept(m, fmt, t - 1)
        expected_p, state = p.copy(), {"exp_avg": values(codes, scale, fmt)}
        optimizer.update(expected_p, g * p.dtype.type(gscale), state, tuple(map(p.dtype.type, scalars)))
        expected_m = values(*kept(state["exp_avg"], fmt, t), fmt)
    p, before = p.copy(), g.copy()
    kernels.run_rule("lion", p, g, [codes], scalars, t=t, gscale=gscale, scales=None if scale is None else [scale])
    assert same_bits(p, expected_p)
    assert same_bits(values(codes, scale, fmt), expected_m)
    assert g.tobytes() == before.tobytes()


def test_the_rule_is_compiled():
    rule = kernels.find_rule("lion")
    assert rule is not None, "trainstation-lion is installed without its library"
    assert (rule.n_scalars, rule.kinds) == (6, ("signed",))
    assert all(rule.supports(fmt) for _, fmt in CASES)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize(("dtype", "fmt"), CASES)
def test_every_size_gives_the_bits_of_update(dtype, fmt):
    for n in (*range(68), 255, 256, 257, 8191, 100_003):
        p, g, m = np.random.default_rng(n).standard_normal((3, n)).astype(dtype)
        check(p, g, m, fmt, gscale=-0.37)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("hyper", [{}, {"weight_decay": 0.0}, {"lr": 0.0}, {"betas": (0.0, 0.0)}, {"lr": 1e30}])
@pytest.mark.parametrize(("dtype", "fmt"), CASES)
def test_special_values_give_the_bits_of_update(dtype, fmt, hyper):
    info = np.finfo(dtype)
    some = [0.0, -0.0, 1.0, -3.0, 1e20, -1e-20, info.max, -info.max, info.tiny, info.smallest_subnormal]
    some += [-5 * info.smallest_subnormal, np.inf, -np.inf, np.nan]
    p, g, m = (np.array(column, dtype) for column in zip(*itertools.product(some, repeat=3), strict=True))
    check(p, g, m, fmt, **hyper)


@pytest.mark.parametrize("options", [{}, {"maximize": True, "weight_decay": 0.1}, {"max_grad_norm": 0.5}])
@pytest.mark.parametrize("state_dtype", [None, "float32", "bfloat16", "8bit"])
def test_a_run_of_the_optimizer_gives_the_bits_of_one_without_the_rule(isa, state_dtype, options):
    def run(kind, threads):
        rng = np.random.default_rng(0)
        parameters = [ts.tensor(rng.standard_normal(n).astype(np.float32), requires_grad=True) for n in (0, 7, 20_001)]
        optimizer = kind(parameters, lr=0.01, state_dtype=state_dtype, **options)
        before = ts.get_num_threads()
        ts.set_num_threads(threads)
        try:
            for _ in range(5):
                for p in parameters:
                    p.grad = rng.standard_normal(p.shape).astype(np.float32)
                optimizer.step()
        finally:
            ts.set_num_threads(before)
        assert optimizer.last_step.isa == ("numpy" if kind is Interpreted else isa)
        arrays = [p.data for p in parameters]
        for p in parameters:
            arrays += map(np.asarray, optimizer.state[p].values())
        return [array.tobytes() for array in arrays]

    expected = run(Interpreted, 1)
    for threads in (1, 3):
        assert run(Lion, threads) == expected


@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_a_gradient_that_is_not_finite_can_be_refused(policy):
    p = ts.Tensor.ones(3, requires_grad=True)
    optimizer = ts.create_optimizer("lion", [p], on_nonfinite=policy)
    p.grad = np.array([1, np.inf, 1], np.float32)
    if policy == "raise":
        with pytest.raises(ts.NonFiniteGradientError):
            optimizer.step()
    else:
        optimizer.step()
        assert optimizer.last_step.skipped
    assert (p.data == 1).all()
    assert not optimizer.state


# Runs in a fresh interpreter that finds a copy of the package before the installed one.
PROGRAM = """
import sys
import numpy as np
import trainstation as ts

sys.meta_path[:] = [finder for finder in sys.meta_path if isinstance(finder, type)]  # an editable one comes first
sys.path.insert(0, sys.argv[1])
p = ts.tensor(np.linspace(-1, 1, 5000, dtype=np.float32), requires_grad=True)
p.grad = p.data - 0.5
try:
    optimizer = ts.create_optimizer("lion", [p], lr=0.5, state_dtype="8bit")
except Exception as error:
    print(type(error).__name__, error, *error.__notes__, sep="|")
else:
    optimizer.step()
    import trainstation_lion
    assert trainstation_lion.__file__.startswith(sys.argv[1])
    print(optimizer.last_step.isa, p.data.tobytes().hex())
"""


@pytest.fixture
def copy(tmp_path):
    """Return a folder with a copy of the package, without its library, and a function to run the program there."""
    folder = tmp_path / "trainstation_lion"
    folder.mkdir()
    for path in Path(trainstation_lion.__file__).parent.glob("*.py"):
        (folder / path.name).write_bytes(path.read_bytes())

    def run():
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, tmp_path], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return folder, run


def test_without_its_library_the_optimizer_steps_in_numpy(copy):
    _, run = copy
    p = ts.tensor(np.linspace(-1, 1, 5000, dtype=np.float32), requires_grad=True)
    p.grad = p.data - 0.5
    Lion([p], lr=0.5, state_dtype="8bit").step()
    assert run() == f"numpy {p.data.tobytes().hex()}"


def test_a_library_of_another_abi_is_an_error_that_names_the_distribution(copy):
    folder, run = copy
    (folder / "_lion.so").write_bytes(Path(_kernels.__file__).read_bytes())
    kind, text, note = run().split("|")
    assert kind == "KernelABIError"
    assert text.startswith(str(folder / "_lion.so"))
    assert "trainstation_plugin_v1" in text
    assert note.startswith("while 'lion' of trainstation-lion ")


def test_what_is_no_library_is_an_error_that_names_the_distribution(copy):
    folder, run = copy
    (folder / "_lion.so").write_text("not a library")
    kind, text, note = run().split("|")
    assert kind == "OSError"
    assert str(folder / "_lion.so") in text
    assert note.startswith("while 'lion' of trainstation-lion ")
