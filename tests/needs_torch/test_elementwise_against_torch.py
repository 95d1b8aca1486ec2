"""Element-wise operations at the edges: zeros, ties, infinities, NaN, integers and bools, and what torch refuses."""

import itertools
import operator

import numpy as np
import pytest
import torch
from samples import unary

import trainstation as ts

EDGES = np.array([0.0, -0.0, 0.5, 1.0, 1.5, 2.0, 2.5, -0.5, -1.0, -2.0, -2.5, 3.0, np.inf, -np.inf, np.nan])
FIRST, SECOND = (grid.ravel() for grid in np.meshgrid(EDGES, EDGES))
WHOLE = {
    dtype: np.array(values, dtype)
    for dtype, values in [("int64", [3, -4, 0]), ("int8", [3, -4, 0]), ("uint8", [3, 4, 0]), ("bool", [1, 1, 0])]
}
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod, operator.floordiv]
CHOICES = [operator.methodcaller("clip", *bounds) for bounds in [(-1, 2), (None, 0.5), (1, -1), (-np.inf, 2)]]

quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy says that it gives an infinity or NaN


def compare(function, *inputs, rtol=1e-10, has_gradient=True):
    """Compare values, dtypes and, of floats, gradients; or see that both refuse."""
    try:
        theirs = [torch.tensor(x, requires_grad=has_gradient and x.dtype.kind == "f") for x in inputs]
        reference = function(*theirs)
    except (RuntimeError, TypeError):
        with pytest.raises((TypeError, ValueError, ZeroDivisionError, ts.TrainStationError)):
            function(*map(ts.tensor, inputs))
        return
    ours = [ts.tensor(x, requires_grad=has_gradient and x.dtype.kind == "f") for x in inputs]
    value = function(*ours)
    assert str(value.dtype) == str(reference.dtype).removeprefix("torch.")
    np.testing.assert_allclose(value.numpy(), reference.detach().numpy(), rtol)
    if value.requires_grad:
        value.backward(np.ones(value.shape))
        reference.sum().backward()
        for our, their in zip(ours, theirs, strict=True):
            if our.requires_grad:
                np.testing.assert_allclose(our.grad.numpy(), their.grad.numpy(), rtol)


@quiet
@pytest.mark.parametrize("name", unary.SAMPLES)
@pytest.mark.parametrize("x", [EDGES, *WHOLE.values()], ids=lambda x: str(x.dtype))
def test_functions_of_one_element(name, x):
    compare(operator.methodcaller(name), x, rtol=1e-10 if x.dtype.kind == "f" else 1e-6)


@quiet
@pytest.mark.parametrize("operate", BINARY[:5])
def test_arithmetic(operate):
    compare(operate, FIRST, SECOND)


@quiet
@pytest.mark.parametrize("operate", BINARY[:5])
@pytest.mark.parametrize("number", EDGES.tolist())
def test_arithmetic_beside_a_number(operate, number):
    # Of -0 and -infinity torch takes a root where we take the power 0.5: IEEE 754 has them differ.
    edges = EDGES[~np.isin(EDGES, [0, -np.inf])] if operate is operator.pow and abs(number) == 0.5 else EDGES
    compare(lambda x: operate(x, number), edges)
    compare(lambda x: operate(number, x), EDGES)


@quiet
@pytest.mark.parametrize("operate", BINARY[5:])
def test_division_that_rounds_down(operate):
    compare(operate, FIRST, SECOND, has_gradient=False)
    if operate is operator.mod:
        for number in (1.5, -2, 0.0, np.inf):
            compare(lambda x, number=number: operate(x, number), EDGES)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremes(name):
    compare(lambda x, y: getattr(x, name)(y), FIRST, SECOND)
    compare(lambda x: getattr(x, name)(x), EDGES)


@pytest.mark.parametrize("choose", CHOICES)
@pytest.mark.parametrize("x", [EDGES, WHOLE["int64"], WHOLE["bool"]], ids=lambda x: str(x.dtype))
def test_clip(choose, x):
    compare(choose, x)


@pytest.mark.parametrize("value", [2.5, -np.inf, np.nan, 1, True])
def test_where_and_masked_fill(value):
    mask = EDGES > 0
    compare(lambda x, mask: x.where(mask, value), EDGES, mask)
    compare(lambda x, mask: x.masked_fill(mask, value), EDGES, mask)


def pairs():
    """All but two differences: torch refuses to subtract any bool, and beside an uint8 it takes -1 for 255."""
    for operate, first, second in itertools.product(BINARY, WHOLE, [*WHOLE, "float32", 2, 2.0, -1, 0]):
        is_bool = operate is operator.sub and "bool" in (first, second)
        if not is_bool and (first, second) != ("uint8", -1):
            yield operate, first, second


@quiet
@pytest.mark.parametrize(("operate", "first", "second"), list(pairs()))
def test_integers_and_bools(operate, first, second):
    x = WHOLE[first]
    if isinstance(second, str):
        y = np.array([2, 1, 3], second) if second != "float32" else np.array([2, 0.5, 0], np.float32)
        compare(operate, x, y, rtol=1e-6, has_gradient=False)
        return
    compare(lambda x: operate(x, second), x, rtol=1e-6)
    # An integer to a negative integer is 0 in torch, ours an error.
    compare(lambda x: operate(second, x), np.abs(x) if operate is operator.pow else x, rtol=1e-6)
