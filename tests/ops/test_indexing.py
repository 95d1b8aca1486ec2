import numpy as np
import pytest

import trainstation as ts
from trainstation.nn.functional import embedding
from trainstation.ops import indexing

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


@pytest.mark.parametrize(
    "index", [(0, slice(None), np.array([3, 0])), (slice(None), 1, np.array([0, 0])), (1, MASK[0])]
)
def test_integers_are_taken_before_arrays_as_in_torch(index):
    first = tuple(part if isinstance(part, int) else slice(None) for part in index)
    rest = tuple(part for part in index if not isinstance(part, int))
    assert np.array_equal(ts.tensor(X)[index].numpy(), X[first][rest])


@pytest.mark.parametrize(("rows", "width"), [(96, 64), (500, 8), (96, 1), (3, 0), (129, 2)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rows_of_a_matrix_are_added_up(rows, width, dtype):
    """Whole numbers, so that every order of adding gives the same."""
    rng = np.random.default_rng(rows)
    indices = rng.integers(0, rows, (16, 64))
    weight = ts.tensor(rng.integers(-9, 9, (rows, width)).astype(dtype), requires_grad=True)
    g = rng.integers(-9, 9, (16, 64, width)).astype(dtype)
    expected = np.zeros((rows, width))
    np.add.at(expected, indices, g)
    for _ in range(2):  # into a place of its own, and added to what is there
        result = embedding(ts.tensor(indices), weight)
        assert np.array_equal(result.numpy(), weight.numpy()[indices])
        result.backward(g)
    assert weight.grad.dtype == dtype
    assert np.array_equal(weight.grad.numpy(), 2 * expected)


def test_a_sum_that_overflows_is_infinite():
    value, vjp = indexing.embedding.forward([True, False], np.zeros((2, 2), np.float32), np.array([0, 0, 1]))
    g = np.full(value.shape, 3e38, np.float32)
    with np.errstate(over="ignore"):
        assert vjp(g, [None, None])[0].tolist() == [[np.inf] * 2, g[2].tolist()]


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([2], IndexError, "embedding: index 2 .* length of 2"),
        ([0, -1], IndexError, "index -1"),
        ([0.0], TypeError, "float32"),
        ([True], TypeError, "bool"),
        (np.array([1], np.uint8), TypeError, "uint8"),
    ],
)
def test_what_names_no_row_is_an_error(indices, error, message):
    with pytest.raises(error, match=message):
        embedding(ts.tensor(indices), ts.Tensor.ones((2, 3)))


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), ()])
def test_an_embedding_is_a_matrix(shape):
    with pytest.raises(ts.ShapeError, match="embedding"):
        embedding(ts.tensor([0]), ts.Tensor.ones(shape))
