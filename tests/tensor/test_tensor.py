import copy

import numpy as np
import pytest

import trainstation as ts
from trainstation.nn import Parameter

MAKERS = {
    "randn": ts.Tensor.randn,
    "rand": ts.Tensor.rand,
    "zeros": ts.Tensor.zeros,
    "ones": ts.Tensor.ones,
    "full": lambda shape, **options: ts.Tensor.full(shape, 7, **options),
}
maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def same(tensor, array):
    return isinstance(tensor, ts.Tensor) and tensor.dtype == array.dtype and np.array_equal(tensor.numpy(), array)


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, np.float32),
        ([1.0, 2], np.float32),
        ([[1, 2], [3, 4]], np.int64),
        (1, np.int64),
        ([True, False], np.bool_),
        ([], np.float32),
        (np.float64(1.5), np.float64),
        (np.int8(1), np.int8),
        *((np.ones(2, kind), kind) for kind in ("float16", "float32", "float64", "int32", "uint8", "bool")),
        *((ts.Tensor.ones(2, dtype=kind), kind) for kind in ("float64", "int32")),
    ],
)
def test_python_numbers_get_torchs_default_dtype_and_arrays_keep_theirs(data, dtype):
    made = ts.tensor(data)
    assert made.dtype == dtype
    assert np.array_equal(made.numpy(), np.asarray(data))
    assert not made.requires_grad
    assert made.is_leaf


def test_what_exports_an_array_keeps_its_dtype():
    class Series:
        def __array__(self, dtype=None, copy=None):
            return np.array([1.0, 2.0], dtype or np.float64)

    assert ts.tensor(Series()).dtype == np.float64


def test_numbers_in_tensors_can_be_collected():
    assert same(ts.tensor([ts.tensor(1.0), ts.tensor(2.0)]), np.array([1, 2], np.float32))


def test_a_dtype_may_be_asked_for():
    assert same(ts.tensor([1, 2], dtype="float64"), np.array([1.0, 2.0]))
    assert same(ts.tensor(np.array([1.0, 2.0]), np.float32), np.array([1, 2], np.float32))


def test_tensor_copies():
    array = np.zeros(3)
    made = ts.tensor(array)
    again = ts.tensor(made)
    array += 1
    made.data += 2
    assert made.numpy().tolist() == [2, 2, 2]
    assert again.numpy().tolist() == [0, 0, 0]


@pytest.mark.parametrize("data", ["text", None, [1j], [[1.0], [1.0, 2.0]], object()])
def test_what_is_no_number_is_refused(data):
    with pytest.raises((TypeError, ValueError)):
        ts.tensor(data)


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1j]), np.array([None])])
def test_from_numpy_takes_numbers_only(array):
    with pytest.raises(TypeError, match="floats, integers or bools"):
        ts.Tensor.from_numpy(array)


def test_from_numpy_and_numpy_share_memory():
    array = np.arange(3.0)
    made = ts.Tensor.from_numpy(array)
    assert made.numpy() is array
    assert made.data is array
    assert made.requires_grad_().numpy() is array
    result = made * 2
    result.numpy()[0] = 5
    assert result.data[0] == 5


def test_from_numpy_takes_arrays_only():
    with pytest.raises(TypeError, match="list"):
        ts.Tensor.from_numpy([1.0])


def test_an_array_of_another_class_is_shared_as_a_plain_one():
    masked = np.ma.masked_array([1.0, 2.0], mask=[True, False])
    made = ts.Tensor.from_numpy(masked)
    assert type(made.data) is np.ndarray
    assert np.shares_memory(made.data, masked)


def test_numpy_reads_a_tensor_without_a_copy():
    made = ts.tensor([1.0, 2.0], requires_grad=True)
    assert np.shares_memory(np.asarray(made), made.data)
    assert np.array(made, dtype=np.float64).tolist() == [1, 2]


@maker
@pytest.mark.parametrize(("shape", "expected"), [(3, (3,)), ([2, 3], (2, 3)), ((0, 2), (0, 2)), ([], ()), ((), ())])
def test_a_shape_is_an_int_or_a_sequence(make, shape, expected):
    made = make(shape)
    assert made.shape == expected
    assert made.dtype == np.float32
    assert not made.requires_grad


@maker
def test_makers_take_dtype_and_requires_grad(make):
    made = make(2, dtype="float64", requires_grad=True)
    assert made.dtype == np.float64
    assert made.requires_grad
    assert make(2, dtype=np.float16).dtype == np.float16


@pytest.mark.parametrize("name", ["zeros", "ones", "full"])
def test_constant_makers_make_integers_and_refuse_their_gradient(name):
    assert MAKERS[name](2, dtype=int).dtype == np.int64
    with pytest.raises(TypeError, match="int64"):
        MAKERS[name](2, dtype=int, requires_grad=True)


@pytest.mark.parametrize("draw", [ts.Tensor.randn, ts.Tensor.rand])
def test_random_numbers_are_floats(draw):
    with pytest.raises(TypeError, match="int64"):
        draw(2, dtype="int64")


def test_constants():
    assert same(ts.Tensor.zeros([1, 2]), np.zeros((1, 2), np.float32))
    assert same(ts.Tensor.ones(2), np.ones(2, np.float32))
    assert same(ts.Tensor.full((2,), 2.5), np.full(2, 2.5, np.float32))
    assert same(ts.Tensor.eye(2), np.eye(2, dtype=np.float32))
    assert ts.Tensor.eye(2, dtype="float64", requires_grad=True).requires_grad


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((3,), np.array([0, 1, 2])),
        ((1, 7, 2), np.array([1, 3, 5])),
        ((3, 0, -1), np.array([3, 2, 1])),
        ((np.int32(2),), np.array([0, 1])),
        ((2.0,), np.array([0, 1], np.float32)),
        ((0, 1, 0.25), np.array([0, 0.25, 0.5, 0.75], np.float32)),
        ((0,), np.array([], np.int64)),
    ],
)
def test_arange(bounds, expected):
    assert same(ts.Tensor.arange(*bounds), expected)


def test_arange_takes_dtype_and_requires_grad():
    made = ts.Tensor.arange(3, dtype="float64", requires_grad=True)
    assert same(made, np.array([0.0, 1, 2]))
    assert made.requires_grad


@pytest.mark.parametrize("draw", [ts.Tensor.randn, ts.Tensor.rand])
class TestSeeds:
    def test_a_seed_gives_the_same_numbers_again(self, draw):
        assert same(draw([2, 3], 5), draw([2, 3], seed=5).numpy())
        assert not same(draw(6, 5), draw(6, 6).numpy())

    def test_manual_seed_starts_the_shared_stream(self, draw):
        ts.manual_seed(3)
        first, second = draw(4, None), draw(4)
        ts.manual_seed(3)
        assert same(draw(4), first.numpy())
        assert same(draw(4), second.numpy())
        assert not same(first, second.numpy())

    def test_a_seed_of_its_own_leaves_the_shared_stream_alone(self, draw):
        ts.manual_seed(3)
        first = draw(4)
        ts.manual_seed(3)
        draw(4, 9)
        assert same(draw(4), first.numpy())

    def test_double_precision_is_drawn_not_widened(self, draw):
        drawn = draw(8, 1, dtype="float64").numpy()
        assert not np.array_equal(drawn, drawn.astype(np.float32))


def test_distributions():
    normal, uniform = ts.Tensor.randn(100_000, 0).numpy(), ts.Tensor.rand(100_000, 0).numpy()
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01


def test_what_it_is():
    made = ts.Tensor.zeros((2, 3, 4))
    assert (made.shape, made.ndim, made.dtype, len(made)) == ((2, 3, 4), 3, np.float32, 2)
    assert made.T.shape == (4, 3, 2)
    assert np.shares_memory(made.T.numpy(), made.numpy())


@pytest.mark.parametrize(("data", "kind"), [(2.5, float), ([[3]], int), (True, bool)])
def test_item_is_the_python_number(data, kind):
    assert type(ts.tensor(data).item()) is kind
    assert ts.tensor(data).item() == np.asarray(data).item()


@pytest.mark.parametrize("read", [ts.Tensor.item, float, int, bool])
@pytest.mark.parametrize("data", [[1.0, 2.0], []])
def test_only_one_element_is_a_number_or_a_truth_value(read, data):
    with pytest.raises(ValueError, match=r".+"):
        read(ts.tensor(data))


def test_one_element_is_a_number_and_a_truth_value():
    assert float(ts.tensor([2.5])) == 2.5
    assert int(ts.tensor(2.5)) == 2
    assert ts.tensor([[1.0]])
    assert not ts.tensor(0)


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (ts.tensor([1.0, 2.5]), "tensor([1. , 2.5])"),
        (ts.tensor([1, 2]), "tensor([1, 2])"),
        (ts.tensor(True), "tensor(True)"),
        (ts.tensor([1], "float64", requires_grad=True), "tensor([1.], dtype=float64, requires_grad=True)"),
        (ts.tensor([[1], [2]]), "tensor([[1],\n        [2]])"),
    ],
)
def test_repr(tensor, text):
    assert repr(tensor) == text


def test_the_repr_of_many_elements_is_short():
    assert len(repr(ts.Tensor.zeros(100_000))) < 200


def test_a_number_can_be_formatted():
    loss = ts.tensor(1.25, requires_grad=True)
    assert f"{loss:.1f} {loss * 2:5.2f}" == "1.2  2.50"
    assert f"{ts.tensor([1])}" == "tensor([1])"
    with pytest.raises(TypeError):
        f"{ts.tensor([1.0]):.1f}"


@pytest.mark.parametrize(
    ("left", "right", "dtype"),
    [
        (np.ones(2, "float32"), np.ones(2, "float64"), "float64"),
        (np.ones(2, "float32"), np.ones(2, "int64"), "float32"),
        (np.ones(2, "float32"), np.ones(2, "bool"), "float32"),
        (np.ones(2, "float16"), np.ones((), "float64"), "float16"),
        (np.ones(2, "int64"), np.ones((), "float32"), "float32"),
        (np.ones(2, "int8"), np.ones((), "int64"), "int8"),
        (np.ones(2, "bool"), np.ones((), "int32"), "int32"),
        (np.ones((), "float32"), np.ones((), "float64"), "float64"),
        (np.ones(2, "float32"), 2.0, "float32"),
        (np.ones(2, "float32"), np.float64(2), "float32"),
        (np.ones(2, "int64"), 2.0, "float32"),
        (np.ones(2, "bool"), 2, "int64"),
        (np.ones(2, "int8"), 2, "int8"),
        (np.ones((), "float64"), 2.0, "float64"),
    ],
)
def test_dtypes_are_promoted_as_in_torch(left, right, dtype):
    left = ts.tensor(left)
    right = ts.tensor(right) if isinstance(right, np.ndarray) else right
    assert same(left * right, np.full(left.shape, 2 if np.isscalar(right) else 1, dtype))
    assert same(right + left, np.full(left.shape, 3 if np.isscalar(right) else 2, dtype))


def test_comparisons_are_element_by_element():
    x, y = ts.tensor([1.0, 2, 3]), ts.tensor([2.0, 2, 2])
    for result, expected in [
        (x == y, [False, True, False]),
        (x != y, [True, False, True]),
        (x < y, [True, False, False]),
        (x <= 2, [True, True, False]),
        (x > y.numpy(), [False, False, True]),
        (y.numpy() == x, [False, True, False]),
    ]:
        assert same(result, np.array(expected))
        assert not result.requires_grad


def test_comparisons_promote_as_arithmetic_does():
    assert (ts.tensor([0.1]) == ts.tensor(0.1, "float64")).item()
    assert (ts.tensor([0.1]) == 0.1).item()


@pytest.mark.parametrize("other", [None, "text", object(), [1.0]])
def test_a_tensor_is_not_equal_to_what_holds_no_numbers(other):
    assert (ts.tensor([1.0, 2.0]) == other) is False
    assert (ts.tensor([1.0, 2.0]) != other) is True


def test_the_hash_is_the_identity():
    x, y = ts.tensor([1.0, 2.0]), ts.tensor([1.0, 2.0])
    assert {x: 1, y: 2}[y] == 2
    assert len({x, y, Parameter([1.0]), x}) == 3


@pytest.mark.parametrize(
    "combine",
    [lambda a, t: a + t, lambda a, t: a - t, lambda a, t: a * t, lambda a, t: a / t, lambda a, t: a**t],
    ids="+-*/^",
)
def test_an_array_on_the_left_gives_a_tensor_with_a_gradient(combine):
    array, tensor = np.array([2.0, 3.0]), ts.tensor(np.array([4.0, 5.0]), requires_grad=True)
    result = combine(array, tensor)
    assert same(result, combine(array, tensor.numpy()))
    assert result.requires_grad


def test_an_array_on_the_left_of_matmul_gives_a_tensor():
    assert same(np.ones((1, 2)) @ ts.tensor(np.ones((2, 3))), np.full((1, 3), 2.0))


@pytest.mark.parametrize("value", ["text", None, [1.0], 1j, np.complex64(1)])
def test_what_cannot_be_combined_is_named(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        ts.tensor([1.0]) + value


def test_asking_for_a_gradient_returns_the_tensor_itself():
    made = ts.Tensor.randn([2], None)
    assert made.with_requires_grad() is made
    assert made.requires_grad
    assert made.requires_grad_(False) is made
    assert not made.requires_grad
    made.requires_grad = True
    assert made.requires_grad


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_integers_have_no_gradient(dtype):
    made = ts.Tensor.ones(2, dtype=dtype)
    for ask in (
        made.with_requires_grad,
        made.requires_grad_,
        lambda: setattr(made, "requires_grad", True),
        lambda: ts.tensor([1], dtype, requires_grad=True),
        lambda: Parameter(made),
    ):
        with pytest.raises(TypeError, match=dtype):
            ask()
    assert not made.requires_grad


def test_a_recorded_result_cannot_be_told_to_forget():
    result = ts.tensor([1.0], requires_grad=True) * 2
    with pytest.raises(ts.GraphError, match="detach"):
        result.requires_grad = False
    assert result.requires_grad


def test_detach_checks_data_that_were_replaced():
    x = ts.tensor([1.0, 2.0])
    x.data = [1.0, 2.0]
    with pytest.raises(TypeError, match="NumPy array"):
        x.detach()


def test_detach_shares_memory_and_records_nothing():
    x = ts.tensor([1.0, 2.0], requires_grad=True)
    plain = (x * 2).detach()
    assert not plain.requires_grad
    assert plain.is_leaf
    assert np.shares_memory(x.detach().numpy(), x.numpy())


def test_rows_are_iterated_over_with_gradients():
    x = ts.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    (first * 2 + second * 5).sum().backward()
    assert same(x.grad, np.array([[2, 2], [5, 5]], np.float32))


def test_a_number_has_no_rows():
    with pytest.raises(TypeError, match="0-d"):
        iter(ts.tensor(1.0))
    with pytest.raises(TypeError):
        len(ts.tensor(1.0))


def test_a_gradient_is_a_tensor_an_array_or_none():
    x = ts.tensor([1.0, 2.0])
    x.grad = np.array([3.0, 4.0])
    assert same(x.grad, np.array([3.0, 4.0]))
    x.grad = None
    assert x.grad is None
    with pytest.raises(TypeError, match="list"):
        x.grad = [3.0, 4.0]


def test_the_data_may_be_replaced_by_another_dtype_and_shape():
    x = ts.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    x.grad = None
    x.data = np.ones((2, 2))
    (x * 3).sum().backward()
    assert same(x.grad, np.full((2, 2), 3.0))


def test_a_deep_copy_shares_nothing():
    x = ts.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    other = copy.deepcopy(x)
    other.data += 1
    (other * 1).sum().backward()
    assert same(x, np.array([1, 2], np.float32))
    assert same(x.grad, np.array([2, 4], np.float32))
    assert same(other.grad, np.array([3, 5], np.float32))


@pytest.mark.parametrize("combine", [lambda a, b: a + b, lambda a, b: a / b, lambda a, b: a.reshape(5)])
def test_shapes_that_do_not_fit_are_a_shape_error(combine):
    with pytest.raises(ts.ShapeError, match="shape"):
        combine(ts.Tensor.zeros([3, 4]), ts.Tensor.zeros([4, 5]))
