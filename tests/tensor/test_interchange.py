import copy
import json
import pickle

import numpy as np
import pytest

import trainstation as ts
from trainstation.nn import Linear, Parameter

X = np.array([[1.0, 2.5], [-3.0, 4.0]])


def leaf(array=X):
    return ts.tensor(array, requires_grad=True)


class Tagged(ts.Tensor):
    """A tensor with attributes of its own."""


class TestArrays:
    def test_numpy_shares_memory_and_copies_as_asked(self):
        x = leaf()
        assert x.numpy() is x.data
        assert np.shares_memory(np.asarray(x), x.data)
        assert np.shares_memory(np.asarray(x, copy=False), x.data)
        assert not np.shares_memory(np.array(x), x.data)
        assert np.asarray(x, dtype=np.float32).dtype == np.float32
        with pytest.raises(ValueError, match="copy"):
            np.asarray(x, dtype=np.float32, copy=False)

    @pytest.mark.parametrize(
        "array", [X, X[::-1, 1], np.arange(3), np.float32([1, 2]), np.array([True]), np.array(2.0)]
    )
    def test_dlpack_shares_memory(self, array):
        x = ts.Tensor.from_numpy(array)
        for other in (np.from_dlpack(x), ts.Tensor.from_dlpack(x).numpy(), ts.Tensor.from_dlpack(array).numpy()):
            assert np.shares_memory(other, array)
            assert np.array_equal(other, array)
            assert other.dtype == array.dtype
        assert x.__dlpack_device__() == array.__dlpack_device__()

    def test_what_requires_a_gradient_is_not_lent(self):
        for x in (leaf(), leaf() * 2):
            with pytest.raises(BufferError, match="detach"):
                np.from_dlpack(x)
            assert np.shares_memory(np.from_dlpack(x.detach()), x.numpy())

    @pytest.mark.parametrize("source", [[1.0], 1.0, None])
    def test_what_does_not_lend_memory_is_refused(self, source):
        with pytest.raises((AttributeError, TypeError)):
            ts.Tensor.from_dlpack(source)


class TestNumbers:
    @pytest.mark.parametrize("data", [2.5, 3, True, [], [[1, 2], [3, 4]], [[True], [False]], [0.5]])
    def test_tolist(self, data):
        assert ts.tensor(data).tolist() == data
        assert json.loads(json.dumps(ts.tensor(data).tolist())) == data

    def test_an_integer_is_an_index(self):
        assert list(range(ts.tensor(3))) == [0, 1, 2]
        assert "abc"[ts.tensor([1])] == "b"

    @pytest.mark.parametrize("data", [1.0, [1, 2], []])
    def test_nothing_else_is_an_index(self, data):
        with pytest.raises(TypeError, match="one integer"):
            range(ts.tensor(data))

    def test_sizes(self):
        x = ts.Tensor.zeros((2, 3, 4), dtype="float64")
        assert (x.numel(), x.nelement(), x.dim(), x.element_size()) == (24, 24, 3, 8)
        assert (x.size(), x.size(1), x.size(-1)) == ((2, 3, 4), 3, 4)
        assert x.is_contiguous()
        assert not x.T.is_contiguous()


CONVERSIONS = {
    "half": np.float16,
    "float": np.float32,
    "double": np.float64,
    "int": np.int32,
    "long": np.int64,
    "bool": np.bool_,
}


class TestConversions:
    @pytest.mark.parametrize("name", CONVERSIONS)
    @pytest.mark.parametrize("before", CONVERSIONS.values())
    def test_dtypes(self, name, before):
        x, dtype = ts.tensor(np.array([0, 1.5, 2]).astype(before)), CONVERSIONS[name]
        expected = x.numpy().astype(dtype)
        for result in (
            getattr(x, name)(),
            x.to(dtype),
            x.type(np.dtype(dtype).name),
            x.to(ts.Tensor.zeros(1, dtype=dtype)),
        ):
            assert result.dtype == dtype
            assert np.array_equal(result.numpy(), expected)
            assert (result is x) == (before == dtype)

    @pytest.mark.parametrize("name", ["half", "float"])
    def test_gradients_come_back_in_the_dtype_of_the_leaf(self, name):
        x = leaf()
        result = getattr(x, name)()
        (result * result).sum().backward()
        assert x.grad.dtype == np.float64
        assert np.array_equal(x.grad.numpy(), 2 * X)

    @pytest.mark.parametrize("name", ["int", "long", "bool"])
    def test_integers_have_no_gradient(self, name):
        assert not getattr(leaf(), name)().requires_grad

    @pytest.mark.parametrize("dtype", ["complex64", "datetime64", "object"])
    def test_what_a_tensor_cannot_hold(self, dtype):
        with pytest.raises(TypeError, match=np.dtype(dtype).name):
            leaf().to(dtype)

    def test_a_clone_passes_the_gradient_and_shares_nothing(self):
        x = leaf()
        copied = x.clone()
        assert not np.shares_memory(copied.numpy(), x.numpy())
        (copied * 3).sum().backward()
        assert np.array_equal(x.grad.numpy(), np.full(X.shape, 3.0))
        assert leaf(X.T).clone().numpy().strides == X.T.strides


class TestCopies:
    def test_a_shallow_copy_shares_memory_and_versions(self):
        x = leaf()
        (x * x).sum().backward()
        other = copy.copy(x)
        assert (other.data is x.data, other.requires_grad, other.grad) == (True, True, None)
        loss = (x * x).sum()
        with ts.no_grad():
            other[0] = 0
        with pytest.raises(ts.GraphError, match="modified in place"):
            loss.backward()

    def test_a_copy_of_a_result_is_a_leaf(self):
        x = leaf()
        result = x * 2
        for other in (copy.copy(result), pickle.loads(pickle.dumps(result))):
            assert (other.is_leaf, other.requires_grad) == (True, True)
            other.sum().backward()
        assert x.grad is None
        with pytest.raises(ts.GraphError, match="detach"):
            copy.deepcopy(result)
        assert np.array_equal(copy.deepcopy(result.detach()).numpy(), 2 * X)

    @pytest.mark.parametrize(
        "make", [leaf, lambda: Parameter(X), lambda: Parameter(X, requires_grad=False), ts.tensor(X).T.clone]
    )
    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
    def test_what_is_kept(self, make, duplicate):
        x = make()
        other = duplicate(x)
        assert type(other) is type(x)
        assert other.requires_grad == x.requires_grad
        assert other.dtype == x.dtype
        assert np.array_equal(other.numpy(), x.numpy())
        assert np.shares_memory(other.numpy(), x.numpy()) == (duplicate is copy.copy)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_every_protocol_leaves_the_gradient_behind(self, protocol):
        x = leaf()
        (x * 2).sum().backward()
        other = pickle.loads(pickle.dumps(x, protocol))
        assert np.array_equal(other.numpy(), X)
        assert (other.requires_grad, other.grad) == (True, None)

    def test_a_deep_copy_has_its_own_gradient(self):
        x = leaf()
        (x * 2).sum().backward()
        other = copy.deepcopy(x)
        (other * 3).sum().backward()
        assert np.array_equal(x.grad.numpy(), np.full(X.shape, 2.0))
        assert np.array_equal(other.grad.numpy(), np.full(X.shape, 5.0))

    def test_tied_tensors_stay_tied(self):
        x = leaf()
        first, second = copy.deepcopy([x, x])
        assert first is second
        first, second = pickle.loads(pickle.dumps([x, x]))
        assert first is second

    def test_attributes_of_a_subclass_are_kept(self):
        x = Tagged(X)
        x.tag = ["a"]
        shallow, deep, stored = copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))
        assert shallow.tag is x.tag
        assert deep.tag is not x.tag
        assert shallow.tag == deep.tag == stored.tag == ["a"]

    def test_a_layer(self):
        layer = Linear(2, 3)
        layer(ts.tensor([[1.0, 2.0]])).sum().backward()
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert np.array_equal(other.weight.numpy(), layer.weight.numpy())
            assert [name for name, _ in other.named_parameters()] == ["weight", "bias"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ts.Tensor.zeros((0, 3)), "tensor([], size=(0, 3))"),
        (lambda: ts.tensor([]), "tensor([])"),
        (lambda: ts.tensor([1], "int32"), "tensor([1], dtype=int32)"),
        (lambda: leaf() * 2, "tensor([[ 2.,  5.],\n        [-6.,  8.]], dtype=float64, grad_fn=<mul>)"),
        (lambda: (leaf() * 2).detach().float(), "tensor([[ 2.,  5.],\n        [-6.,  8.]])"),
        (lambda: Parameter([1.0]), "Parameter containing:\ntensor([1.], requires_grad=True)"),
    ],
)
def test_repr(make, text):
    assert repr(make()) == text
