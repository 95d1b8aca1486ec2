"""Convolution and pooling against torch's over drawn shapes: sizes, values and gradients, and what both refuse."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from references.windows import REFERENCES
from samples.common import distinct, values
from samples.windows import AVG, MAX, PLAIN

import trainstation as ts
from trainstation.ops import OPERATIONS
from trainstation.tensor import apply

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
drawn = settings(deadline=None, max_examples=300)


def of_dims(dims, least, most):
    """One number for all dimensions, or one for each."""
    numbers = st.integers(least, most)
    return numbers | st.tuples(*[numbers] * dims)


@st.composite
def convolutions(draw):
    dims = draw(st.integers(1, 2))
    groups = draw(st.integers(1, 3))
    wide, narrow = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    size, kernel = (draw(st.lists(st.integers(1, most), min_size=dims, max_size=dims)) for most in (14, 4))
    weight = (groups * wide, narrow, *kernel)
    options = {
        "stride": draw(of_dims(dims, 1, 3)),
        "padding": draw(of_dims(dims, 0, 4) | st.sampled_from(["same", "valid"])),
        "dilation": draw(of_dims(dims, 1, 3)),
        "groups": groups,
    }
    bias = draw(st.booleans())
    arrays = values(draw(st.integers(0, 3)), groups * narrow, *size), values(*weight, seed=1)
    return "conv", (*arrays, values(weight[0], seed=2) if bias else None), PLAIN | options


@st.composite
def pools(draw, name):
    shape = draw(st.tuples(st.integers(0, 2), st.integers(1, 2), *[st.integers(3, 9)] * 2))
    options = {
        "kernel_size": draw(of_dims(2, 1, 4)),
        "stride": draw(st.none() | of_dims(2, 1, 4)),
        "padding": draw(of_dims(2, 0, 2)),
        "ceil_mode": draw(st.booleans()),
    }
    if name == "avg_pool":
        return name, (values(*shape),), AVG | options | {"count_include_pad": draw(st.booleans())}
    # Where a window would see nothing, torch writes outside its array: planes are as large as the largest dilation.
    return name, (distinct(*shape),), MAX | options | {"dilation": draw(of_dims(2, 1, 3))}


def compare(name, arrays, options):
    ours = [x if x is None else ts.tensor(x, requires_grad=True) for x in arrays]
    theirs = [x if x is None else torch.tensor(x, requires_grad=True) for x in arrays]
    try:
        reference = REFERENCES[name](*theirs, **options)
    except RuntimeError:
        with pytest.raises(ValueError, match=r"conv|pool|must be|padding"):
            apply(OPERATIONS[name], *ours, **options)
        return
    value = apply(OPERATIONS[name], *ours, **options)
    assert value.shape == tuple(reference.shape)
    np.testing.assert_allclose(value.numpy(), reference.detach().numpy(), **CLOSE)
    along = np.random.default_rng(0).standard_normal(value.shape)
    value.backward(along)
    reference.backward(torch.tensor(along))
    for our, their in zip(ours, theirs, strict=True):
        if our is not None:
            np.testing.assert_allclose(our.grad.numpy(), their.grad.numpy(), **CLOSE)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@drawn
@given(case=convolutions())
def test_any_convolution(case):
    compare(*case)


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
@drawn
@given(data=st.data())
def test_any_pooling(name, data):
    compare(*data.draw(pools(name)))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@drawn
@given(data=st.data())
def test_numbers_that_are_none_and_ties(number, data):
    """Integers have ties, of which the first is the largest; of NaNs it is the last, in torch's way to the gradient."""
    _, (x,), options = data.draw(pools("max_pool"))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.choice([0.0, 1.0, number], x.shape)
    compare("max_pool", (x,), options)
