"""The C of kernels/functions: each instruction set, thread count and size, against functions of doubles."""

import math

import hypothesis.extra.numpy as hnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings

import trainstation as ts
from trainstation import kernels
from trainstation.kernels import MAPS

examples = settings(deadline=None, max_examples=40)
erf, erfc = np.vectorize(math.erf), np.vectorize(math.erfc)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def gelu_tanh_slope(x):
    u = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    return 0.5 * (1 + np.tanh(u)) + 0.5 * x * (1 - np.tanh(u) ** 2) * np.sqrt(2 / np.pi) * (1 + 0.134145 * x * x)


H = 0.3
# name -> function of doubles (a, g); those that are given a value instead of an input get one
MEANING = {
    "lerp": lambda a, g: a + H * (g - a),
    "relu": lambda a, g: np.maximum(a, 0),
    "relu_grad": lambda a, g: np.where(a > 0, g, 0),
    "leaky_relu": lambda a, g: np.where(a > 0, a, a * H),
    "leaky_relu_grad": lambda a, g: np.where(a > 0, g, g * H),
    "tanh_grad": lambda a, g: g * (1 - a * a),
    "sigmoid": lambda a, g: logistic(a),
    "sigmoid_grad": lambda a, g: g * a * (1 - a),
    "silu": lambda a, g: a * logistic(a),
    "silu_grad": lambda a, g: g * (logistic(a) + a * logistic(a) * logistic(-a)),
    "softplus": lambda a, g: np.logaddexp(a, 0),
    "softplus_grad": lambda a, g: g * logistic(a),
    "erf_of": lambda a, g: erf(a),
    "erf_grad": lambda a, g: g * 2 / math.sqrt(math.pi) * np.exp(-a * a),
    "gelu": lambda a, g: 0.5 * a * erfc(-a / math.sqrt(2)),
    "gelu_grad": lambda a, g: g * (0.5 * erfc(-a / math.sqrt(2)) + a * np.exp(-a * a / 2) / math.sqrt(2 * math.pi)),
    "gelu_tanh": lambda a, g: a * logistic(2 * np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)),
    "gelu_tanh_grad": lambda a, g: g * gelu_tanh_slope(a),
}
# Where two terms cancel, what is left has the error of the terms.
CANCELS = {"lerp", "tanh_grad", "sigmoid_grad", "gelu_grad", "gelu_tanh_grad", "silu_grad"}
# The exponent is rounded before exp sees it: half a unit of an exponent of 30 is 2e-6 of the value.
STEEP = {"erf_grad", "gelu", "gelu_tanh"}
each_isa = pytest.mark.parametrize("isa", kernels.isas())
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def drawn(n, dtype, seed=0, scale=3.0):
    return (np.random.default_rng((n, seed)).standard_normal(n) * scale).astype(dtype)


def test_every_function_has_a_meaning():
    assert set(MEANING) == set(MAPS)


@each_isa
@dtypes
@pytest.mark.parametrize("name", sorted(MEANING))
def test_functions_are_near_those_of_doubles(name, dtype, isa):
    sizes = [0, 1, 2, 7, 15, 16, 17, 33, 1000]
    for n in sizes:
        a, g = drawn(n, dtype), drawn(n, dtype, 1, 1.0)
        with kernels.use(isa):
            found = kernels.map_elements(MAPS[name], a, g, H)
        assert found.dtype == dtype
        expected = MEANING[name](a.astype(np.float64), g.astype(np.float64)) if n else np.empty(0)
        if dtype == np.float64:
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
        else:
            far, near = 5e-6 if name in STEEP else 1e-6, 1e-6 if name in CANCELS else 1e-30
            np.testing.assert_allclose(found, expected, rtol=far, atol=near)


@each_isa
@pytest.mark.parametrize(
    ("name", "least"), [("sigmoid", -80.0), ("erf_of", -6.0), ("softplus", -80.0), ("gelu", -12.0)]
)
def test_tails_are_right_to_their_last_digits(name, least, isa):
    """Where the value is small it is still near in proportion: the normal distribution at -12 is 2e-33."""
    a = np.linspace(least, -least / 8, 500).astype(np.float32)
    exact = {
        "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
        "erf_of": mpmath.erf,
        "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
        "gelu": lambda x: x * mpmath.ncdf(x),
    }[name]
    with kernels.use(isa):
        found = kernels.map_elements(MAPS[name], a)
    expected = np.array([float(exact(mpmath.mpf(float(x)))) for x in a])
    # The square of the input is rounded before exp sees it: the error of x^2 / 2, 72 at the end, shows.
    np.testing.assert_allclose(found, expected, rtol=2e-5 if name == "gelu" else 6e-7, atol=1e-44)


@each_isa
@dtypes
def test_special_values(dtype, isa):
    inf, nan = np.inf, np.nan
    a = np.array([inf, -inf, nan, 0.0, -0.0, 1e30, -1e30], dtype)
    table = {
        "relu": [inf, 0, nan, 0, 0, 1e30, 0],
        "sigmoid": [1, 0, nan, 0.5, 0.5, 1, 0],
        "softplus": [inf, 0, nan, math.log(2), math.log(2), 1e30, 0],
        "erf_of": [1, -1, nan, 0, 0, 1, -1],
        "leaky_relu": [inf, -inf, nan, 0, 0, 1e30, -1e30 * H],
    }
    for name, expected in table.items():
        with kernels.use(isa):
            found = kernels.map_elements(MAPS[name], a, h=H)
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)


def test_float32_functions_are_the_same_bits_on_every_instruction_set():
    a, g = drawn(10_007, np.float32), drawn(10_007, np.float32, 1)
    for name, index in MAPS.items():
        with kernels.use("scalar"):
            expected = kernels.map_elements(index, a, g, H)
        for isa in kernels.isas():
            with kernels.use(isa):
                assert np.array_equal(kernels.map_elements(index, a, g, H), expected), (name, isa)


@pytest.fixture
def threads():
    before = ts.get_num_threads()
    yield ts.set_num_threads
    ts.set_num_threads(before)


def test_any_number_of_threads_gives_the_same_bits(threads):
    rows, columns = 2049, 96
    x, g = (
        drawn(rows * columns, np.float32).reshape(rows, columns),
        drawn(rows * columns, np.float32, 1).reshape(rows, -1),
    )
    weight, targets = drawn(columns, np.float32, 2), np.arange(rows) % columns

    def everything():
        y, statistics = kernels.normalize(x, weight, weight, rows, columns, is_centred=True, epsilon=1e-5)
        soft = kernels.softmax(x)
        return [
            kernels.map_elements(MAPS["gelu"], x),
            soft,
            kernels.softmax_grad(soft, g),
            *kernels.cross_entropy(x, targets, ignored=-1, smoothing=0.1, is_mean=True, wants_gradient=True)[:2],
            y,
            *kernels.normalize_grad(x, g, weight, statistics, columns, is_centred=True, of_x=True, of_weight=True),
        ]

    threads(1)
    alone = everything()
    threads(3)
    for one, many in zip(alone, everything(), strict=True):
        used = slice(None) if one.shape != (32, columns) else slice(2)  # the rest of the sums' room is scratch
        assert np.array_equal(one[used], many[used])


matrices = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)


@each_isa
@dtypes
@examples
@given(shape=matrices)
def test_softmax_of_any_shape(dtype, isa, shape):
    x = drawn(math.prod(shape), dtype).reshape(shape)
    wide = np.exp(x.astype(np.float64) * 0.7)
    expected = wide / wide.sum(axis=1, keepdims=True)
    with kernels.use(isa):
        found, logs = kernels.softmax(x, scale=0.7), kernels.softmax(x, is_log=True)
    tolerance = {"rtol": 2e-6 if dtype == np.float32 else 1e-13}
    np.testing.assert_allclose(found, expected, **tolerance)
    np.testing.assert_allclose(
        np.exp(logs.astype(np.float64)).sum(axis=1), 1, rtol=3e-6 if dtype == np.float32 else 1e-13
    )


@each_isa
@pytest.mark.parametrize("length", [1, 5, 16, 40])
def test_a_causal_softmax_looks_back_only(length, isa):
    x = drawn(3 * length * length, np.float32).reshape(3, length, length)
    masked = np.where(np.tril(np.ones((length, length), bool)), x.astype(np.float64), -np.inf)
    wide = np.exp(masked)
    with kernels.use(isa):
        found = kernels.softmax(x, period=length)
    np.testing.assert_allclose(found, wide / wide.sum(axis=-1, keepdims=True), rtol=2e-6)
    assert np.array_equal(found == 0, masked == -np.inf)


@each_isa
def test_rows_that_overflow_plainly_do_not(isa):
    x = np.array([[1000.0, 999.0, -1000.0], [-1e30, -1e30, -1e30]], np.float32)
    with kernels.use(isa):
        found = kernels.softmax(x)
        losses, _, _ = kernels.cross_entropy(
            x, np.array([1, 0]), ignored=-100, smoothing=0.0, is_mean=False, wants_gradient=False
        )
    np.testing.assert_allclose(found, [[1 / (1 + math.exp(-1)), 1 / (1 + math.e), 0], [1 / 3] * 3], rtol=1e-6)
    np.testing.assert_allclose(losses, [1 + math.log1p(math.exp(-1)), math.log(3)], rtol=1e-6)


def test_a_wrong_target_is_named_and_nothing_is_written():
    with pytest.raises(IndexError, match=r"target 7 of row 2 is not in 0 .. 2"):
        kernels.cross_entropy(
            np.zeros((4, 3), np.float32),
            np.array([0, 1, 7, 9]),
            ignored=-100,
            smoothing=0.0,
            is_mean=True,
            wants_gradient=True,
        )
