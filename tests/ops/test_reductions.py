import numpy as np
import pytest

import trainstation as ts

X = np.arange(24.0).reshape(2, 3, 4) + 0.5
REDUCTIONS = pytest.mark.parametrize("name", ["sum", "mean"])


@REDUCTIONS
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, 1, -1, -3, (0, 1), (-1, 0), (1,), (0, 1, 2)])
def test_dims_are_numpys_axes(name, dim, keepdim):
    expected = getattr(X, name)(axis=dim, keepdims=keepdim)
    for result in (
        getattr(ts.tensor(X), name)(dim, keepdim),
        getattr(ts.tensor(X), name)(axis=dim, keepdim=keepdim),
        getattr(ts.tensor(X), name)(list(dim) if isinstance(dim, tuple) else dim, keepdim),
    ):
        assert result.shape == expected.shape
        assert np.array_equal(result.numpy(), expected)


@REDUCTIONS
@pytest.mark.parametrize("dim", [(), []])
def test_no_dims_are_all_dims_as_in_torch(name, dim):
    assert getattr(ts.tensor(X), name)(dim).item() == getattr(X, name)()


@REDUCTIONS
@pytest.mark.parametrize("dim", [None, 0, -1, (0,), (-1,), ()])
def test_a_number_has_dims_zero_and_minus_one(name, dim):
    x = ts.tensor(2.5, requires_grad=True)
    result = getattr(x, name)(dim)
    assert result.item() == 2.5
    result.backward()
    assert x.grad.item() == 1


@REDUCTIONS
@pytest.mark.parametrize("dim", [3, -4, (0, 3)])
def test_a_dim_out_of_range_is_an_error(name, dim):
    with pytest.raises(IndexError, match="out of bounds"):
        getattr(ts.tensor(X), name)(dim)


@REDUCTIONS
def test_a_dim_named_twice_is_an_error(name):
    with pytest.raises(ValueError, match="duplicate"):
        getattr(ts.tensor(X), name)((0, -3))


@pytest.mark.parametrize(("dim", "shape"), [(None, ()), (0, (3,)), (1, (0,))])
def test_nothing_sums_to_zero_and_has_no_mean(dim, shape):
    empty = ts.Tensor.zeros((0, 3), requires_grad=True)
    assert np.array_equal(empty.sum(dim).numpy(), np.zeros(shape))
    mean = empty.mean(dim)
    assert mean.shape == shape
    assert np.all(np.isnan(mean.numpy()))
    mean.backward(np.ones(shape))
    assert empty.grad.shape == (0, 3)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "int64"])
def test_integers_sum_to_int64_and_have_no_mean(dtype):
    x = ts.Tensor.ones(300, dtype=dtype)
    assert x.sum().dtype == np.int64
    assert x.sum().item() == 300
    with pytest.raises(TypeError, match=dtype):
        x.mean()


@REDUCTIONS
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_keep_their_dtype(name, dtype):
    assert getattr(ts.Tensor.ones(3, dtype=dtype), name)().dtype == dtype


def test_many_small_numbers_are_summed_exactly_enough():
    x = ts.Tensor.full(1_000_000, 0.1)
    assert x.sum().item() == pytest.approx(1e5, rel=1e-6)
    assert x.mean().item() == pytest.approx(0.1, rel=1e-6)
