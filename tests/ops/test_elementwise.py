import operator

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from samples.common import values

import trainstation as ts
from trainstation import ops
from trainstation.tensor import apply
from trainstation.testing import check_grad

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


def gradients(function, *inputs):
    leaves = [ts.tensor(np.array(x), requires_grad=True) for x in inputs]
    function(*leaves).sum().backward()
    return [leaf.grad.numpy().tolist() for leaf in leaves]


@pytest.mark.parametrize(("name", "winner"), [("maximum", [1, 0]), ("minimum", [0, 1])])
def test_the_winner_gets_the_gradient_and_ties_share_it(name, winner):
    by_x, by_y = gradients(getattr(ts.Tensor, name), [3.0, 1.0, 2.0], [2.0, 1.0, 3.0])
    assert by_x == [winner[0], 0.5, winner[1]]
    assert by_y == [winner[1], 0.5, winner[0]]


def test_clip_passes_the_gradient_inside_and_at_its_bounds():
    x = [-2.0, -1.0, 0.0, 1.0, 2.0]
    for options, slope in [
        ({"min": -1, "max": 1}, [0, 1, 1, 1, 0]),
        ({"min": -1}, [0, 1, 1, 1, 1]),
        ({"max": np.float64(1)}, [1, 1, 1, 1, 0]),
        ({"min": 1, "max": -1}, [0, 0, 0, 0, 0]),
    ]:
        for name in ("clip", "clamp"):
            assert gradients(lambda x, name=name, options=options: getattr(x, name)(**options), x) == [slope]
            assert np.array_equal(getattr(ts.tensor(x), name)(**options).numpy(), np.float32(np.clip(x, **options)))


@pytest.mark.parametrize("fill", [np.nan, np.inf, -np.inf])
def test_what_is_not_chosen_does_not_touch_the_gradient(fill):
    mask = ts.tensor([True, False])
    assert gradients(lambda x, y: x.where(mask, y), [1.0, fill], [fill, 2.0]) == [[1, 0], [0, 1]]
    assert gradients(lambda x: x.masked_fill(mask, fill)[1], [1.0, 2.0]) == [[0, 1]]


@settings(deadline=None, max_examples=60)
@given(drawn=hnp.mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_side=3, max_dims=3))
def test_choices_of_any_shapes_that_broadcast(drawn):
    first, second, third = drawn.input_shapes
    mask = ts.tensor(values(*third, seed=2) > 0)
    x, y = (ts.tensor(values(*shape, seed=seed), requires_grad=True) for seed, shape in enumerate((first, second)))
    check_grad(lambda x, y: x.where(mask, y), [x, y])
    check_grad(lambda x: x.masked_fill(mask, 2.5), [x])
    check_grad(lambda x, y: x.maximum(y) - 2 * x.minimum(y) + x % y, [x, y])


@pytest.mark.parametrize(
    ("x", "y", "dtype"),
    [(1, 2, "int64"), (1, 2.5, "float32"), (1.0, 2.0, "float32"), (True, False, "bool"), (np.ones(2), 2, "float64")],
)
def test_where_of_numbers_is_a_tensor_of_the_default_dtype(x, y, dtype):
    result = apply(ops.elementwise.where, ts.tensor([True, False]), ts.tensor(x) if isinstance(x, np.ndarray) else x, y)
    assert result.dtype == dtype
    assert result.numpy().tolist() == [1, y]


@pytest.mark.parametrize(("dtype", "value"), [("float32", 2.5), ("int64", 2), ("uint8", 2), ("bool", True)])
def test_masked_fill_keeps_the_dtype(dtype, value):
    for number in (2.5, ts.tensor(2.5), np.float64(2.5)):
        result = ts.Tensor.zeros(2, dtype=dtype).masked_fill(ts.tensor([True, False]), number)
        assert result.dtype == dtype
        assert result.numpy().tolist() == [value, 0]


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("name", ["floor", "ceil", "round", "sign"])
def test_a_result_has_memory_of_its_own(dtype, name):
    x = ts.Tensor.ones(2, dtype=dtype)
    if dtype != "bool" or name == "sign":
        assert not np.shares_memory(getattr(x, name)().numpy(), x.numpy())


X2, BOOLS, INTS = ts.Tensor.ones(2), ts.tensor([True, False]), ts.tensor([1, 0])


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda: X2.maximum(0.0), TypeError, "maximum needs two tensors; clip"),
        (lambda: X2.minimum(1), TypeError, "minimum needs two tensors; clip"),
        (X2.clip, ValueError, "min or a max"),
        (lambda: X2.clip(X2), TypeError, "clip takes numbers, not Tensor"),
        (lambda: X2.clip("low"), TypeError, "str"),
        (lambda: X2.where(INTS, X2), TypeError, "where needs a tensor of bools as its condition, not int64"),
        (lambda: X2.where(True, X2), TypeError, "where needs a tensor of bools as its condition, not bool"),
        (lambda: X2.masked_fill(INTS, 1), TypeError, "masked_fill needs a tensor of bools as its condition, not int64"),
        (lambda: X2.masked_fill(BOOLS, X2), ts.ShapeError, r"0-d tensor, not one of shape \(2,\)"),
        (lambda: X2.where(BOOLS, ts.Tensor.ones(3)), ts.ShapeError, r"where: .*\(2,\) \(2,\) \(3,\)"),
        (lambda: X2.masked_fill(ts.tensor([True] * 3), 1), ts.ShapeError, r"masked_fill: .*\(3,\) \(\) \(2,\)"),
        (lambda: X2.maximum(ts.Tensor.ones(3)), ts.ShapeError, r"maximum: .*\(2,\) \(3,\)"),
        (lambda: INTS // 0, ZeroDivisionError, "floor division"),
        (lambda: 1 // INTS, ZeroDivisionError, "floor division"),
        (lambda: INTS % INTS, ZeroDivisionError, "remainder"),
        (lambda: BOOLS**BOOLS, TypeError, "power of bools"),
        (lambda: BOOLS // BOOLS, TypeError, "floor division of bools"),
        (lambda: BOOLS % True, TypeError, "remainder of bools"),
        (lambda: BOOLS - BOOLS, TypeError, "bitwise_xor"),
        (lambda: -BOOLS, TypeError, "negative"),
        (lambda: INTS**-1, ValueError, "negative integer powers"),
        *[(getattr(BOOLS, name), TypeError, f"{name} of bools") for name in ("abs", "floor", "ceil", "round")],
    ],
)
def test_what_is_refused_is_named(function, error, message):
    with pytest.raises(error, match=message):
        function()
