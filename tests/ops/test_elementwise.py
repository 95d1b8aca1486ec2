import operator

import numpy as np
import pytest

import trainstation as ts

X = np.array([[-2.0, -0.5, 0.0], [0.5, 1.0, 3.0]])
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("operate", OPERATORS)
@pytest.mark.parametrize(
    "shapes", [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 3)), ((4, 1, 3), (2, 1)), ((0, 3), (3,)), ((0, 1), (1, 4))]
)
def test_operators_broadcast_as_numpy(operate, shapes):
    rng = np.random.default_rng(0)
    x, y = (np.asarray(rng.uniform(1, 2, shape)) for shape in shapes)
    assert np.array_equal(operate(ts.tensor(x), ts.tensor(y)).numpy(), operate(x, y))
    assert np.array_equal(operate(ts.tensor(x), y).numpy(), operate(x, y))
    assert np.array_equal(operate(x, ts.tensor(y)).numpy(), operate(x, y))


@pytest.mark.parametrize("operate", [*OPERATORS, operator.pow])
@pytest.mark.parametrize("number", [2, 2.5, np.float32(2.5), np.int64(2)])
def test_numbers_stand_on_either_side(operate, number):
    x = np.abs(X) + 1
    assert np.allclose(operate(ts.tensor(x), number).numpy(), operate(x, number), rtol=1e-15, atol=0)
    assert np.allclose(operate(number, ts.tensor(x)).numpy(), operate(number, x), rtol=1e-15, atol=0)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow"])
def test_methods_are_the_operators(name):
    operate = {"div": operator.truediv}.get(name) or getattr(operator, name)
    x = np.abs(X) + 1
    assert np.array_equal(getattr(ts.tensor(x), name)(ts.tensor(x)).numpy(), operate(x, x))


@pytest.mark.parametrize("operate", [*OPERATORS, operator.pow])
def test_shapes_that_do_not_fit_are_an_error(operate):
    with pytest.raises(ValueError, match=r"\(2,3\) \(4,\)"):
        operate(ts.tensor(X), ts.Tensor.ones(4, dtype="float64"))


def test_augmented_assignment_makes_a_new_tensor():
    x = ts.tensor([1.0, 2.0], requires_grad=True)
    y = x
    y += 1
    assert y is not x
    assert x.numpy().tolist() == [1, 2]


@pytest.mark.parametrize("other", [2, 2.0, ts.tensor([2, 4]), ts.tensor([2.0, 4.0])])
def test_integers_divide_to_float32(other):
    result = ts.tensor([1, 2]) / other
    assert result.dtype == np.float32
    assert result.numpy()[0] == 0.5


def test_functions_of_one_element():
    x = ts.tensor(X)
    assert np.array_equal((-x).numpy(), -X)
    assert np.array_equal(x.relu().numpy(), np.maximum(X, 0))
    assert np.array_equal(x.tanh().numpy(), np.tanh(X))
    assert np.allclose(x.sigmoid().numpy(), 1 / (1 + np.exp(-X)), rtol=1e-15, atol=0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (5,)])
def test_functions_keep_shape_and_dtype(name, dtype, shape):
    result = getattr(ts.Tensor.ones(shape, dtype=dtype), name)()
    assert (result.shape, result.dtype) == (shape, dtype)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64"])
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_integers_become_float32(name, dtype):
    result = getattr(ts.Tensor.ones(2, dtype=dtype), name)()
    assert result.dtype == np.float32
    assert np.array_equal(result.numpy(), getattr(ts.Tensor.ones(2), name)().numpy())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_sigmoid_of_large_numbers_is_exact_and_silent(dtype):
    x = ts.tensor(np.array([-1000.0, 1000.0, -np.inf, np.inf, 0.0], dtype), requires_grad=True)
    value = x.sigmoid()
    assert value.numpy().tolist() == [0, 1, 0, 1, 0.5]
    value.sum().backward()
    assert x.grad.numpy().tolist() == [0, 0, 0, 0, 0.25]


def test_the_sigmoid_of_a_small_number_keeps_its_digits():
    assert ts.tensor(-40.0, "float64").sigmoid().item() == pytest.approx(np.exp(-40.0), rel=1e-15)


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid"])
def test_nan_stays(name):
    assert np.isnan(getattr(ts.tensor(np.nan), name)().item())


def test_the_slope_of_relu_at_zero_is_zero():
    x = ts.tensor([-1.0, 0.0, -0.0, 1.0], requires_grad=True)
    x.relu().sum().backward()
    assert x.grad.numpy().tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("x", "y", "by_x", "by_y"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 1.0, 1.0, 0.0),
        (0.0, 2.0, 0.0, 0.0),
        (-2.0, 0.0, 0.0, None),
        (-2.0, 3.0, 12.0, None),
        (2.0, 3.0, 12.0, 8 * np.log(2)),
    ],
)
def test_the_slopes_of_a_power(x, y, by_x, by_y):
    for exponent in (ts.tensor(np.array([y])), y):
        base = ts.tensor(np.array([x]), requires_grad=True)
        (base**exponent).backward()
        assert base.grad.item() == by_x
    if by_y is not None:
        for base in (ts.tensor(np.array([x])), x):
            exponent = ts.tensor(np.array([y]), requires_grad=True)
            (base**exponent).backward()
            assert exponent.grad.item() == pytest.approx(by_y, rel=1e-15)
