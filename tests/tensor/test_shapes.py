"""Shapes, reductions and products as methods: what each gives beside NumPy, and what is an error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainstation as ts

X = np.random.default_rng(0).permutation(24).reshape(2, 3, 4) - 11.5
LONG = np.arange(7.0)
EMPTY = np.zeros((0, 3))
NUMBER = np.float64(2.5)
INF = float("inf")


def case(use, expected, given=X):
    return use, np.asarray(expected), np.asarray(given)


GIVES = {
    "view": case(lambda x: x.view(4, -1), X.reshape(4, 6)),
    "flatten": case(lambda x: x.flatten(), X.ravel()),
    "flatten from": case(lambda x: x.flatten(1), X.reshape(2, 12)),
    "flatten to": case(lambda x: x.flatten(0, -2), X.reshape(6, 4)),
    "flatten one": case(lambda x: x.flatten(-1, 2), X),
    "flatten a number": case(lambda x: x.flatten(), [2.5], NUMBER),
    "flatten nothing": case(lambda x: x.flatten(), np.zeros(0), EMPTY),
    "ravel": case(lambda x: x.ravel(), X.ravel()),
    "ravel nothing": case(lambda x: x.ravel(), np.zeros(0), EMPTY),
    "unflatten": case(lambda x: x.unflatten(-1, (2, -1)), X.reshape(2, 3, 2, 2)),
    "unflatten beside nothing": case(lambda x: x.unflatten(1, [-1, 1]), np.zeros((0, 3, 1)), EMPTY),
    "mT": case(lambda x: x.mT, X.swapaxes(1, 2)),
    "squeeze": case(lambda x: x.squeeze(), X[0, :, 0], X[:1, :, :1]),
    "squeeze one": case(lambda x: x.squeeze(-1), X[:1, :, 0], X[:1, :, :1]),
    "squeeze none": case(lambda x: x.squeeze(1), X),
    "squeeze some": case(lambda x: x.squeeze((0, 1)), X[0, :, :1], X[:1, :, :1]),
    "unsqueeze": case(lambda x: x.unsqueeze(1), X[:, None]),
    "unsqueeze last": case(lambda x: x.unsqueeze(-1), X[..., None]),
    "unsqueeze a number": case(lambda x: x.unsqueeze(0), [2.5], NUMBER),
    "expand": case(lambda x: x.expand(5, -1, 3), np.ones((5, 2, 3)), np.ones((2, 1))),
    "broadcast_to": case(lambda x: x.broadcast_to((2, 3)), np.full((2, 3), 2.5), NUMBER),
    "repeat": case(lambda x: x.repeat(2, 1, 3, 1), np.tile(X, (2, 1, 3, 1))),
    "flip": case(lambda x: x.flip(0, -1), X[::-1, :, ::-1]),
    "flip a number": case(lambda x: x.flip(0), NUMBER, NUMBER),
    "contiguous": case(lambda x: x.T.contiguous(), X.T),
    "max": case(lambda x: x.max(), 11.5),
    "min": case(lambda x: x.min(), -11.5),
    "max of dim": case(lambda x: x.max(1).values, X.max(1)),
    "max's indices": case(lambda x: x.max(dim=-1, keepdim=True).indices, X.argmax(-1, keepdims=True)),
    "min of axis": case(lambda x: x.min(axis=0)[0], X.min(0)),
    "min beside": case(lambda x: x.min(x.flip(0)), np.minimum(X, X[::-1])),
    "max beside": case(lambda x: x.max(-X), np.abs(X)),
    "max of a number": case(lambda x: x.max(0).values, NUMBER, NUMBER),
    "max of dims beside nothing": case(lambda x: x.max(1).values, np.zeros(0), EMPTY),
    "argmax": case(lambda x: x.argmax(), X.argmax()),
    "argmin": case(lambda x: x.argmin(2), X.argmin(2)),
    "argmax of axis": case(lambda x: x.argmax(axis=0, keepdim=True), X.argmax(0, keepdims=True)),
    "argmax beside nothing": case(lambda x: x.argmax(1), np.zeros(0, np.int64), EMPTY),
    "argmax of a number": case(lambda x: x.argmax(-1), 0, NUMBER),
    "first of equals": case(lambda x: x.max(1).indices, np.zeros(2, np.int64), np.ones((2, 3))),
    "amax of dims": case(lambda x: x.amax((0, -1)), X.max((0, 2))),
    "amin of axis": case(lambda x: x.amin(axis=1, keepdim=True), X.min(1, keepdims=True)),
    "any": case(lambda x: (x > 0).any(1), (X > 0).any(1)),
    "all of several": case(lambda x: (x > 0).all((0, 1), keepdim=True), (X > 0).all((0, 1), keepdims=True)),
    "all of no dims": case(lambda x: x.all(()), X != 0),
    "any of nothing": case(lambda x: x.any(), False, EMPTY),
    "cumsum": case(lambda x: x.cumsum(-2), X.cumsum(1)),
    "cumsum of axis": case(lambda x: x.cumsum(axis=0), X.cumsum(0)),
    "cumsum of masks": case(lambda x: (x > 2).cumsum(0), (LONG > 2).cumsum(), LONG),
    "var": case(lambda x: x.var(), X.var(ddof=1)),
    "var of dim": case(lambda x: x.var(1, False), X.var(1)),
    "var of the sample": case(lambda x: x.var(True), X.var(ddof=1)),
    "var not of the sample": case(lambda x: x.var(False), X.var()),
    "var corrected": case(lambda x: x.var((0, 2), correction=2), X.var((0, 2), ddof=2)),
    "std": case(lambda x: x.std(axis=-1, keepdim=True), X.std(-1, ddof=1, keepdims=True)),
    "std not of the sample": case(lambda x: x.std(unbiased=False), X.std()),
    "var of one": case(lambda x: x.var(), np.nan, NUMBER),
    "norm": case(lambda x: x.norm(), np.sqrt((X * X).sum())),
    "norm of dim": case(lambda x: x.norm(dim=1), np.sqrt((X * X).sum(1))),
    "norm named": case(lambda x: x.norm("fro", (0, 1)), np.sqrt((X * X).sum((0, 1)))),
    "norm 1": case(lambda x: x.norm(1, axis=-1, keepdim=True), np.abs(X).sum(-1, keepdims=True)),
    "norm 0": case(lambda x: x.norm(0), 6, LONG),
    "norm inf": case(lambda x: x.norm(INF, 0), np.abs(X).max(0)),
    "norm -inf": case(lambda x: x.norm(-INF, 0), np.abs(X).min(0)),
    "norm of nothing": case(lambda x: x.norm(), 0, EMPTY),
    "a dim of NumPy's": case(lambda x: x.sum(np.int64(1)), X.sum(1)),
    "prod": case(lambda x: x.prod(1, keepdim=True), X.prod(1, keepdims=True)),
    "prod of nothing": case(lambda x: x.prod(0), np.ones(3), EMPTY),
    "logsumexp": case(lambda x: x.logsumexp(0), np.log(np.exp(X).sum(0))),
    "logsumexp far away": case(lambda x: x.logsumexp(0), 1000 + np.log(2), [1000.0, 1000.0]),
    "logsumexp of nothing": case(lambda x: x.logsumexp(0), np.full(3, -INF), EMPTY),
    "dot": case(lambda x: x.dot(x), LONG @ LONG, LONG),
    "mm": case(lambda x: x[0].mm(x[1].T), X[0] @ X[1].T),
    "bmm": case(lambda x: x.bmm(x.mT), X @ X.swapaxes(1, 2)),
    "outer": case(lambda x: x.outer(x[:2]), np.outer(LONG, LONG[:2]), LONG),
}


@pytest.mark.parametrize("name", GIVES)
def test_gives(name):
    use, expected, given_ = GIVES[name]
    result = use(ts.tensor(given_))
    assert result.shape == expected.shape
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12)


ERRORS = {
    "view of what lies apart": (lambda x: x.T.view(24), ts.ShapeError, "view"),
    "view of another size": (lambda x: x.view(5), ts.ShapeError, "reshape"),
    "flatten backward": (lambda x: x.flatten(2, 1), ValueError, "start_dim 2"),
    "flatten far": (lambda x: x.flatten(0, 3), IndexError, "dim 3"),
    "unflatten to another size": (lambda x: x.unflatten(1, (2, 2)), ts.ShapeError, "length 3 of dim 1"),
    "unflatten with two unknowns": (lambda x: x.unflatten(1, (-1, -1)), ts.ShapeError, "unflatten"),
    "unflatten to nothing": (lambda x: x.unflatten(1, ()), ts.ShapeError, "unflatten"),
    "unflatten a number": (lambda x: x.sum().unflatten(0, (1,)), ts.ShapeError, "dimension"),
    "squeeze far": (lambda x: x.squeeze(3), IndexError, "dim 3"),
    "squeeze twice": (lambda x: x.squeeze((0, -3)), ValueError, "twice"),
    "unsqueeze far": (lambda x: x.unsqueeze(4), IndexError, "dim 4"),
    "transpose far": (lambda x: x.transpose(0, -4), IndexError, "dim -4"),
    "mT of a vector": (lambda x: x[0, 0].mT, IndexError, "dim -2"),
    "expand what is not 1": (lambda x: x.expand(4, 3, 4), ts.ShapeError, "does not expand"),
    "expand the unknown": (lambda x: x.expand(-1, 2, 3, 4), ts.ShapeError, "does not expand"),
    "permute fewer": (lambda x: x.permute(0, 1), ts.ShapeError, r"permute: \(0, 1\).*\(2, 3, 4\)"),
    "permute twice": (lambda x: x.permute(0, 0, 1), ts.ShapeError, "permute"),
    "permute far": (lambda x: x.permute(0, 1, 3), IndexError, "out of bounds"),
    "sum over half a dim": (lambda x: x.sum(0.5), TypeError, "float"),
    "split by a half": (lambda x: x.split(0.5), TypeError, "float"),
    "repeat too little": (lambda x: x.repeat(2), ts.ShapeError, "repeat"),
    "repeat backward": (lambda x: x.repeat(1, 1, -1), ts.ShapeError, "repeat"),
    "flip twice": (lambda x: x.flip(0, -3), ValueError, "twice"),
    "flip far": (lambda x: x.flip(3), IndexError, "dim 3"),
    "flip a number far": (lambda x: x.sum().flip(1), IndexError, "dim 1"),
    "split of size 0": (lambda x: x.split(0), ValueError, "positive"),
    "split that does not add up": (lambda x: x.split([2, 2], 1), ts.ShapeError, "length 3"),
    "split backward": (lambda x: x.split([4, -1], 1), ts.ShapeError, "length 3"),
    "split far": (lambda x: x.split(1, 3), IndexError, "dim 3"),
    "split a number": (lambda x: x.sum().split(1), ts.ShapeError, "dimension"),
    "no chunks": (lambda x: x.chunk(0), ValueError, "positive"),
    "amax of nothing": (lambda x: x[:0].amax(0), IndexError, "amax.*nothing"),
    "max of nothing": (lambda x: x[:0].max(), IndexError, "nothing"),
    "min along nothing": (lambda x: x[:0].min(0), IndexError, "nothing"),
    "argmax of nothing": (lambda x: x[:0].argmax(), IndexError, "argmax.*nothing"),
    "max far": (lambda x: x.max(3), IndexError, "out of bounds"),
    "max of two dims": (lambda x: x.max((0, 1)), TypeError, "tuple"),
    "argmin of two dims": (lambda x: x.argmin((0, 1)), TypeError, "tuple"),
    "argmax of masks": (lambda x: (x > 0).argmax(), TypeError, "argmax.*bool"),
    "cumsum of two dims": (lambda x: x.cumsum((0, 1)), TypeError, "tuple"),
    "cumsum of no dim": (lambda x: x.cumsum(), TypeError, "NoneType"),
    "cumsum far": (lambda x: x.cumsum(-4), IndexError, "out of bounds"),
    "var of integers": (lambda x: (x > 0).var(), TypeError, "var.*bool"),
    "norm of masks": (lambda x: (x > 0).norm(), TypeError, "norm.*bool"),
    "norm inf of nothing": (lambda x: x[:0].norm(INF), IndexError, "norm.*nothing"),
    "dot of matrices": (lambda x: x[0].dot(x[0]), ts.ShapeError, "dot.*1 dim"),
    "dot of other lengths": (lambda x: x[0, 0].dot(x[0, :, 0]), ts.ShapeError, "do not fit"),
    "mm of a stack": (lambda x: x.mm(x.mT), ts.ShapeError, "mm.*2 dim"),
    "bmm of more and less": (lambda x: x.bmm(x[:1].mT), ts.ShapeError, "bmm: 2 matrices times 1"),
    "outer of matrices": (lambda x: x[0].outer(x[0]), ts.ShapeError, "outer.*1 dim"),
    "outer with a number": (lambda x: x[0, 0].outer(2.0), ts.ShapeError, "outer.*1 dim"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_is_an_error(name):
    use, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        use(ts.tensor(X))


@pytest.mark.parametrize("length", [0, 1, 7])
@pytest.mark.parametrize("size", [1, 3, 7, 9])
def test_split_by_size(length, size):
    x = ts.tensor(LONG[:length])
    parts = x.split(size)
    assert [part.shape[0] for part in parts] == [min(size, length - i) for i in range(0, length, size)] or [0]
    assert np.array_equal(np.concatenate([part.numpy() for part in parts]), x.numpy())


@pytest.mark.parametrize(
    ("length", "chunks", "sizes"),
    [(7, 3, [3, 3, 1]), (7, 5, [2, 2, 2, 1]), (7, 9, [1] * 7), (0, 2, [0, 0]), (6, 1, [6])],
)
def test_chunk_gives_at_most_so_many(length, chunks, sizes):
    assert [part.shape[1] for part in ts.Tensor.zeros((2, length)).chunk(chunks, -1)] == sizes


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 3), min_size=1, max_size=4), dim=st.integers(-3, 2))
def test_split_by_sizes_is_undone_by_cat(sizes, dim):
    shape = [2, 2, 2]
    shape[dim] = sum(sizes)
    x = ts.Tensor.randn(shape, seed=0, requires_grad=True)
    parts = x.split(sizes, dim)
    assert [part.shape[dim] for part in parts] == sizes
    back = ts.cat(parts, dim)
    assert np.array_equal(back.numpy(), x.numpy())
    along = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    back.backward(along)
    assert np.array_equal(x.grad.numpy(), along)


VIEWS = {
    "view": lambda x: x.view(-1),
    "flatten": lambda x: x.flatten(),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "squeeze": lambda x: x.unsqueeze(0).squeeze(0),
    "mT": lambda x: x.mT,
    "expand": lambda x: x.expand(5, 2, 3, 4),
    "split": lambda x: x.split(1, 1)[1],
    "chunk": lambda x: x.chunk(2, 2)[0],
    "einsum": lambda x: ts.einsum("ijk->kji", x),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_write_through_a_view_is_seen_by_backward(name):
    x = ts.tensor(X)
    view = VIEWS[name](x)
    assert np.shares_memory(view.numpy(), x.numpy())
    weight = ts.Tensor.ones(X.shape, dtype="float64", requires_grad=True)
    product = weight * x
    view._bump_version()
    with pytest.raises(ts.GraphError, match="modified in place"):
        product.sum().backward()


COPIES = {
    "reshape of what lies apart": lambda x: x.T.reshape(-1),
    "flip": lambda x: x.flip(0),
    "repeat": lambda x: x.repeat(1, 1, 1),
    "contiguous": lambda x: x.T.contiguous(),
    "cat": lambda x: ts.cat([x]),
    "stack": lambda x: ts.stack([x]),
    "cumsum": lambda x: x.cumsum(0),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_one(name):
    x = ts.tensor(X)
    copy = COPIES[name](x)
    assert not np.shares_memory(copy.numpy(), x.numpy())
    assert copy._version is not x._version


def test_contiguous_is_the_tensor_itself_where_it_can_be():
    x = ts.tensor(X)
    assert x.contiguous() is x
    assert x.T.contiguous().numpy().flags.c_contiguous


@pytest.mark.parametrize("use", [lambda x: x.norm(), lambda x: x.std(), lambda x: x.norm(3), lambda x: x.norm(0.5)])
def test_the_gradient_of_a_size_at_zero_is_zero(use):
    x = ts.Tensor.zeros(3, requires_grad=True)
    use(x).backward()
    assert x.grad.numpy().tolist() == [0, 0, 0]


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_one_zero_makes_a_norm_of_negative_p_zero_and_its_gradient_too():
    x = ts.tensor([0.0, 1.0, -2.0], requires_grad=True)
    norm = x.norm(-1)
    norm.backward()
    assert norm.item() == 0
    assert x.grad.numpy().tolist() == [0, 0, 0]


@pytest.mark.parametrize(("name", "share"), [("amax", 0.5), ("max", 0.5), ("norm", 0.5)])
def test_equal_extremes_share_the_gradient(name, share):
    x = ts.tensor([3.0, 1.0, 3.0], requires_grad=True)
    (x.norm(INF) if name == "norm" else getattr(x, name)()).backward()
    assert x.grad.numpy().tolist() == [share, 0, share]


def test_along_a_dim_the_first_of_equal_extremes_has_the_gradient():
    x = ts.tensor([[3.0, 1.0, 3.0], [0.0, 2.0, 2.0]], requires_grad=True)
    x.max(1).values.sum().backward()
    assert x.grad.numpy().tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("name", ["amax", "amin", "max", "min"])
def test_a_nan_is_extreme(name):
    assert np.isnan(getattr(ts.tensor([1.0, np.nan, 2.0]), name)().item())


@pytest.mark.parametrize(
    ("use", "dtype"),
    [
        (lambda x: x.argmax(), "int64"),
        (lambda x: x.max(0).indices, "int64"),
        (lambda x: x.max(0).values, "int32"),
        (lambda x: x.amin(), "int32"),
        (lambda x: x.cumsum(0), "int64"),
        (lambda x: x.prod(), "int64"),
        (lambda x: x.any(), "bool"),
        (lambda x: x.logsumexp(0), "float32"),
    ],
)
def test_dtypes_of_integers(use, dtype):
    assert use(ts.tensor([1, 2], dtype="int32")).dtype == dtype
