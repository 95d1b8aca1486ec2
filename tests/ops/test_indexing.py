import numpy as np
import pytest

import trainstation as ts

X = np.arange(24.0).reshape(2, 3, 4)
MASK = X % 5 > 2


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        (1, -2, 3),
        slice(0, 1),
        (slice(None), slice(None, None, -2)),
        ...,
        (..., 0),
        None,
        (None, 1, None),
        [1, 0, 1],
        np.array([1, 1, 1]),
        (np.array([0, 1]), np.array([2, 2])),
        (slice(None), np.array([[0, 2], [1, 1]])),
        (np.array([0, 1]), slice(1, 2), np.array([3, 3])),
        np.array(1),
        np.array([], np.intp),
        MASK,
        MASK[0, 0, 0],
        (0, MASK[0]),
        (slice(None), MASK[0, :, 0]),
        np.zeros((2, 3, 4), bool),
    ],
)
def test_an_index_takes_what_numpy_takes(index):
    x = ts.tensor(X, requires_grad=True)
    result = x[index]
    assert np.array_equal(result.numpy(), X[index])
    weights = np.arange(1.0, result.numpy().size + 1).reshape(result.shape)
    result.backward(weights)
    expected = np.zeros_like(X)
    np.add.at(expected, index, weights)
    assert np.array_equal(x.grad.numpy(), expected)


def test_tensors_are_indices():
    x = ts.tensor(X)
    rows, columns, mask = ts.tensor([1, 0]), ts.tensor([2, 2]), ts.tensor(MASK)
    assert np.array_equal(x[rows].numpy(), X[[1, 0]])
    assert np.array_equal(x[rows, columns].numpy(), X[[1, 0], [2, 2]])
    assert np.array_equal(x[mask].numpy(), X[MASK])
    assert np.array_equal(x[x > 7].numpy(), X[X > 7])
    assert np.array_equal(x[ts.tensor(1)].numpy(), X[1])


def test_a_repeated_index_adds_up():
    x = ts.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x[[0, 2, 0, 0]] * ts.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    assert x.grad.numpy().tolist() == [1101, 0, 10]


@pytest.mark.parametrize("index", [2, -3, (0, 3), [0, 2], np.array([-3])])
def test_an_index_out_of_range_is_an_error(index):
    with pytest.raises(IndexError):
        ts.tensor(X)[index]


@pytest.mark.parametrize("index", [1.0, np.array([1.0]), "a", (0, 0, 0, 0), np.ones(3, bool), ts.tensor([0.5])])
def test_what_is_no_index_is_an_error(index):
    with pytest.raises(IndexError):
        ts.tensor(X)[index]
