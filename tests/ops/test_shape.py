import numpy as np
import pytest

import trainstation as ts

X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize("shape", [(24,), (4, 6), (-1,), (2, -1, 2), (1, 24, 1), (2, 3, 4)])
def test_reshape(shape):
    for result in (ts.tensor(X).reshape(*shape), ts.tensor(X).reshape(shape), ts.tensor(X).reshape(list(shape))):
        assert np.array_equal(result.numpy(), X.reshape(shape))


def test_a_number_is_reshaped():
    assert ts.tensor(1.0).reshape(1, 1).shape == (1, 1)
    assert ts.tensor([1.0]).reshape(()).shape == ()


@pytest.mark.parametrize("shape", [(5, 5), (-1, -1), (0, -1)])
def test_a_shape_of_another_size_is_an_error(shape):
    with pytest.raises(ValueError, match=r".+"):
        ts.tensor(X).reshape(shape)


@pytest.mark.parametrize("dims", [(0, 1), (0, 2), (-1, 0), (1, 1), (-1, -2)])
def test_transpose_exchanges_two_dims(dims):
    assert np.array_equal(ts.tensor(X).transpose(*dims).numpy(), X.swapaxes(*dims))


@pytest.mark.parametrize("dims", [(2, 0, 1), (0, 1, 2), (-1, 0, -2)])
def test_permute(dims):
    assert np.array_equal(ts.tensor(X).permute(*dims).numpy(), X.transpose(dims))
    assert np.array_equal(ts.tensor(X).permute(dims).numpy(), X.transpose(dims))


def test_a_number_is_its_own_transpose():
    for result in (ts.tensor(2.0).T, ts.tensor(2.0).transpose(0, -1), ts.tensor(2.0).permute()):
        assert result.shape == ()


@pytest.mark.parametrize(
    "use",
    [lambda x: x.transpose(0, 3), lambda x: x.permute(0, 1), lambda x: x.permute(0, 0, 1), lambda x: x.permute(5)],
)
def test_dims_that_are_not_there_are_an_error(use):
    with pytest.raises((ValueError, IndexError)):
        use(ts.tensor(X))


def test_t_reverses():
    assert np.array_equal(ts.tensor(X).T.numpy(), X.T)


def test_views_share_memory():
    x = ts.tensor(X)
    for view in (x.T, x.reshape(-1), x.transpose(0, 1), x.permute(2, 0, 1), x[0], x[..., ::-1]):
        assert np.shares_memory(view.numpy(), x.numpy())
