import operator

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainstation as ts

X = np.arange(1.0, 25).reshape(2, 3, 4)
MASK = X % 5 > 2
ROWS = np.array([1, 0, 1])


def leaf(array):
    return ts.tensor(array, requires_grad=True)


# Taking


def expected_gradient(take):
    """What 1, 2, 3 ... as the gradient of `take(x)` come to: found by taking the places of the elements."""
    places = np.asarray(take(np.arange(X.size).reshape(X.shape)))
    weights = np.arange(1.0, places.size + 1).reshape(places.shape)
    gradient = np.zeros(X.size)
    np.add.at(gradient, places, weights)
    return weights, gradient.reshape(X.shape)


@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (lambda x: x.select(1, -1), lambda a: a[:, -1]),
        (lambda x: x.select(-1, ts.tensor(2)), lambda a: a[..., 2]),
        (lambda x: x.narrow(1, 1, 2), lambda a: a[:, 1:3]),
        (lambda x: x.narrow(-1, -3, 2), lambda a: a[..., 1:3]),
        (lambda x: x.narrow(0, 2, 0), lambda a: a[2:]),
        (lambda x: x.index_select(1, ts.tensor([2, 2, 0])), lambda a: a[:, [2, 2, 0]]),
        (lambda x: x.index_select(0, ROWS), lambda a: a[ROWS]),
        (lambda x: x.gather(2, ts.tensor([[[3, 3]]])), lambda a: a[:1, :1, [3, 3]]),
        (lambda x: x.take_along_dim(ts.tensor([[[-1]]]), 1), lambda a: a[:, -1:]),
        (lambda x: x.take_along_dim(ts.tensor([5, 5])), lambda a: a.reshape(-1)[[5, 5]]),
        (lambda x: x[0, :, ROWS], lambda a: a[0][:, ROWS]),
        (lambda x: x[ts.tensor(0), :, ts.tensor([[True, False, True, False]])[0]], lambda a: a[0][:, [0, 2]]),
        (lambda x: x[[]], lambda a: a[:0]),
    ],
)
def test_what_is_taken_has_its_gradient(ours, numpys):
    x = leaf(X)
    result = ours(x)
    assert np.array_equal(result.numpy(), numpys(X))
    weights, gradient = expected_gradient(numpys)
    result.backward(weights)
    assert np.array_equal(x.grad.numpy(), gradient)


@pytest.mark.parametrize("take", [lambda x: x.select(1, 0), lambda x: x.narrow(0, 0, 1), lambda x: x[ts.tensor(1)]])
def test_views_share_memory(take):
    x = ts.tensor(X)
    assert np.shares_memory(take(x).numpy(), x.numpy())


def test_elements_and_rows_are_iterated_over():
    x = leaf(X[0])
    total = sum(row * k for k, row in enumerate(x))
    sum(element * 10**k for k, element in enumerate(total)).backward()
    assert np.array_equal(x.grad.numpy(), np.outer(np.arange(3), 10.0 ** np.arange(4)))


def test_rows_are_added_up_exactly_beside_what_is_not_finite():
    x = leaf(np.zeros((3, 2)))
    with np.errstate(all="raise"):
        x.index_select(0, ROWS).backward(np.array([[np.inf, 1], [1, 2], [1, np.nan]]))
    assert np.array_equal(x.grad.numpy(), [[1, 2], [np.inf, np.nan], [0, 0]], equal_nan=True)


def test_indices_changed_before_backward_are_noticed():
    x, index = leaf(X), ts.tensor([1, 0])
    result = x.index_select(0, index).sum()
    index[0] = 0
    with pytest.raises(ts.GraphError, match="index_select"):
        result.backward()


# Writing

INDICES = {
    "integer": 1,
    "slice": slice(None, None, -2),
    "tuple": (0, slice(1, None), -1),
    "ellipsis": (..., 0),
    "new dim": (None, 1),
    "array": ROWS[:2],
    "integer and array": (0, slice(None), np.array([3, 0])),
    "mask": MASK,
    "mask of rows": (slice(None), MASK[0, :, 0]),
    "nothing": slice(0),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_writing(index):
    taken = ts.tensor(X)[index].numpy()
    for value in (7, 2.5, np.asarray(-taken), np.full(taken.shape[-1:], 9.0), np.array(5.0)):
        x = ts.tensor(X)
        kept, version = x.numpy(), x._version[0]
        x[index] = ts.tensor(value) if isinstance(value, np.ndarray) else value
        assert x.numpy() is kept
        assert x._version[0] > version
        assert np.array_equal(x[index].numpy(), np.broadcast_to(value, taken.shape))
        untouched = ts.tensor(np.ones(X.shape, bool))
        untouched[index] = False
        assert np.array_equal(x.numpy()[untouched.numpy()], X[untouched.numpy()])


@settings(deadline=None, max_examples=60)
@given(data=st.data(), shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
def test_writing_to_any_index(data, shape):
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True) | hnp.integer_array_indices(shape))
    x, expected = ts.Tensor.zeros(shape), np.zeros(shape)
    x[index] = 3
    expected[index] = 3
    assert np.array_equal(x.numpy(), expected)


def test_what_is_written_has_a_gradient():
    x, value = leaf(X), leaf(np.array([1.0, 2, 3, 4]))
    y = x * 2
    before = y * y
    y[0, 1] = value * 3
    y[1] = 5.0
    weights = np.arange(24.0).reshape(X.shape)
    (y * weights).sum().backward(retain_graph=True)
    expected = weights * 2
    expected[0, 1] = expected[1] = 0
    assert np.array_equal(x.grad.numpy(), expected)
    assert np.array_equal(value.grad.numpy(), weights[0, 1] * 3)
    x.grad = None
    before.sum().backward()
    assert np.array_equal(x.grad.numpy(), 8 * X)


def test_a_buffer_filled_with_results_has_their_gradient():
    x, buffer = leaf(np.array([1.0, 2])), ts.Tensor.zeros((2, 2), dtype="float64")
    for row in range(2):
        buffer[row] = x * (row + 1)
    assert not buffer.is_leaf
    buffer.sum().backward()
    assert x.grad.numpy().tolist() == [3, 3]


def test_a_leaf_is_written_only_without_recording():
    x = leaf(np.array([1.0, 2]))
    loss = (x * x).sum()
    for write in (lambda: operator.setitem(x, 0, 5), x.zero_, lambda: x.copy_(x * 2), lambda: x.fill_(1)):
        with pytest.raises(ts.GraphError, match="no_grad"):
            write()
    assert x.numpy().tolist() == [1, 2]
    with ts.no_grad():
        x[0] = x[1] * 3
    assert (x.numpy().tolist(), x.is_leaf, x.requires_grad) == ([6, 2], True, True)
    with pytest.raises(ts.GraphError, match="modified in place"):
        loss.backward()


def test_a_view_is_not_written_while_recording():
    buffer, x = ts.Tensor.zeros((2, 2)), ts.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ts.GraphError, match="a view"):
        buffer[0][...] = x
    buffer[0][...] = x.detach()
    assert buffer.numpy().tolist() == [[1, 2], [0, 0]]


def test_a_tensor_may_be_written_from_itself():
    x = ts.tensor([1.0, 2.0, 3.0])
    x[1:] = x[:-1]
    assert x.numpy().tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda x: x.copy_(ts.tensor([1, 2, 3])), [[1, 2, 3], [1, 2, 3]]),
        (lambda x: x.copy_(np.array([[4.0], [5]])), [[4, 4, 4], [5, 5, 5]]),
        (lambda x: x.fill_(7), [[7, 7, 7], [7, 7, 7]]),
        (lambda x: x.fill(ts.tensor(2)), [[2, 2, 2], [2, 2, 2]]),
        (lambda x: x.zero_(), [[0, 0, 0], [0, 0, 0]]),
        (lambda x: x.masked_fill_(ts.tensor([True, False, True]), 9), [[9, 1, 9], [9, 1, 9]]),
        (lambda x: x.index_fill_(1, ts.tensor([-1, 0]), 9), [[9, 1, 9], [9, 1, 9]]),
        (lambda x: x.index_add_(0, ts.tensor([1, 1]), ts.Tensor.ones((2, 3)), alpha=3), [[1, 1, 1], [7, 7, 7]]),
    ],
)
def test_methods_that_write_in_place(write, expected):
    x = ts.Tensor.ones((2, 3))
    kept, version = x.numpy(), x._version[0]
    assert write(x) is x
    assert x.numpy() is kept
    assert x.numpy().tolist() == expected
    assert x._version[0] > version


def test_index_fill_leaves_the_tensor_and_has_a_gradient():
    x = leaf(X)
    x.index_fill(2, ts.tensor([0, 3]), 9.0).sum().backward()
    assert np.array_equal(x.numpy(), X)
    assert np.array_equal(x.grad.numpy(), np.broadcast_to([0.0, 1, 1, 0], X.shape))


def test_the_dtype_stays():
    x = ts.tensor([1, 2, 3])
    x[0] = 1.7
    x[1:] = ts.tensor([2.5, 3.5])
    assert (x.dtype, x.numpy().tolist()) == (np.int64, [1, 2, 3])
    wide = ts.tensor([1.0, 2.0], "float64", requires_grad=True)
    narrow = ts.Tensor.zeros(2)
    narrow[...] = wide
    narrow.sum().backward()
    assert (narrow.dtype, wide.grad.dtype) == (np.float32, np.float64)


ONE, TWO = ts.tensor([0]), ts.tensor([[0]])
ERRORS = {
    "select": (lambda x: x.select(1, 3), IndexError, "3"),
    "select, dim": (lambda x: x.select(3, 0), IndexError, "3"),
    "narrow, dim": (lambda x: x.narrow(-4, 0, 1), IndexError, "-4"),
    "narrow, start": (lambda x: x.narrow(1, 4, 0), IndexError, "start 4"),
    "narrow, length": (lambda x: x.narrow(1, 2, 2), ValueError, "2 from 2"),
    "narrow, negative": (lambda x: x.narrow(1, 0, -1), ValueError, "-1"),
    "gather, negative": (lambda x: x.gather(0, ts.tensor([[[-1]]])), IndexError, "gather: index -1"),
    "gather, range": (lambda x: x.gather(1, ts.tensor([[[3]]])), IndexError, "gather: index 3 .* length of 3"),
    "gather, shape": (lambda x: x.gather(1, ts.Tensor.zeros((3, 1, 1), dtype=int)), ts.ShapeError, "gather"),
    "gather, dims": (lambda x: x.gather(1, ONE), ts.ShapeError, r"\(2, 3, 4\).*\(1,\)"),
    "gather, dim": (lambda x: x.gather(3, ts.tensor([[[0]]])), IndexError, "3"),
    "gather, floats": (lambda x: x.gather(0, ts.tensor([[[0.0]]])), TypeError, "gather .* float32"),
    "gather, number": (lambda x: x.gather(0, 0), TypeError, "gather .* int"),
    "take_along_dim": (lambda x: x.take_along_dim(ts.tensor([24])), IndexError, "24"),
    "take_along_dim, negative": (lambda x: x.take_along_dim(ts.tensor([-1])), IndexError, "-1"),
    "take_along_dim, dims": (lambda x: x.take_along_dim(ONE, 0), ts.ShapeError, r"\(1,\)"),
    "index_select": (lambda x: x.index_select(0, ts.tensor([2])), IndexError, "index_select: index 2"),
    "index_select, negative": (lambda x: x.index_select(0, ts.tensor([-1])), IndexError, "index -1"),
    "index_select, dim": (lambda x: x.index_select(3, ONE), IndexError, "3"),
    "index_select, matrix": (lambda x: x.index_select(0, TWO), ts.ShapeError, r"\(1, 1\)"),
    "index_select, mask": (lambda x: x.index_select(0, ts.tensor([True])), TypeError, "bool"),
    "index_add": (lambda x: x.index_add(0, ONE, x), ts.ShapeError, "index_add"),
    "index_add, dtype": (lambda x: x.index_add(0, ONE, x[:1].float()), TypeError, "float32"),
    "index_fill": (lambda x: x.index_fill(1, ts.tensor([3]), 0), IndexError, "3"),
    "setitem": (lambda x: operator.setitem(x, 2, 0.0), IndexError, "2"),
    "setitem, shape": (lambda x: operator.setitem(x, 0, ts.Tensor.zeros(3)), ts.ShapeError, r"\(3,\).*\(3,4\)"),
    "setitem, mask": (lambda x: operator.setitem(x, MASK, ts.Tensor.zeros(3, dtype=float)), ts.ShapeError, "3"),
    "setitem, list": (lambda x: operator.setitem(x, 0, [1.0]), TypeError, "list"),
    "setitem, dtype": (lambda x: operator.setitem(x, ROWS, ts.Tensor.zeros(4)), TypeError, "float64 and float32"),
    "setitem, kind": (lambda x: operator.setitem(x.long(), 0, leaf(X[0])), TypeError, "int64"),
    "copy_": (lambda x: x.copy_(ts.Tensor.zeros((5, 2, 3, 4))), ts.ShapeError, "5,2,3,4"),
    "fill_": (lambda x: x.fill_(ts.Tensor.zeros(1)), ts.ShapeError, r"\(1,\)"),
    "size": (lambda x: x.size(3), IndexError, "3"),
}


@pytest.mark.parametrize(("use", "error", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_name_what_is_wrong(use, error, message):
    x = ts.tensor(X)
    with pytest.raises(error, match=message):
        use(x)
    assert np.array_equal(x.numpy(), X)


def test_read_only_memory_is_not_a_matter_of_shapes():
    array = np.zeros(2)
    array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only") as caught:
        ts.Tensor.from_numpy(array)[0] = 1
    assert caught.type is ValueError
