"""Functions of several tensors, and `grad`."""

import numpy as np
import pytest

import trainstation as ts
from trainstation.tensor import functions

X = np.arange(6.0).reshape(2, 3)


def ones(*shape, dtype=None):
    return ts.Tensor.ones(shape, dtype=dtype)


def test_all_stand_at_the_top():
    assert [name for name in functions.__all__ if getattr(ts, name) is not getattr(functions, name)] == []


@pytest.mark.parametrize("dim", [0, 1, -1, -2])
def test_cat_and_stack(dim):
    for given in ([X, X + 1], (X, X + 1)):
        tensors = type(given)(map(ts.tensor, given))
        assert np.array_equal(ts.cat(tensors, dim).numpy(), np.concatenate(given, dim))
        assert np.array_equal(ts.stack(tensors, dim=dim).numpy(), np.stack(given, dim))


DTYPES = [
    (("float32", "float64"), "float64"),
    (("int64", "float32"), "float32"),
    (("int64", "float16"), "float16"),
    (("bool", "int32"), "int32"),
    (("uint8", "int8"), "int16"),
    (("bool", "bool"), "bool"),
]


@pytest.mark.parametrize(("dtypes", "common"), DTYPES)
def test_dtypes_are_brought_together_as_in_torch(dtypes, common):
    tensors = [ones(2, dtype=dtype) for dtype in dtypes]
    assert ts.cat(tensors).dtype == ts.stack(tensors).dtype == common


ERRORS = {
    "cat of nothing": (lambda: ts.cat([]), ValueError, "at least one"),
    "cat of a tensor": (lambda: ts.cat(ones(2, 3)), TypeError, "list or a tuple.*Tensor"),
    "cat of arrays": (lambda: ts.cat([ones(2), X]), TypeError, "cat takes a tensor, not ndarray"),
    "cat of other widths": (lambda: ts.cat([ones(2, 3), ones(2, 4)]), ts.ShapeError, r"\(2, 3\), \(2, 4\).*dim 0"),
    "cat of other dims": (lambda: ts.cat([ones(2, 3), ones(3)]), ts.ShapeError, r"\(2, 3\), \(3,\)"),
    "cat of numbers": (lambda: ts.cat([ones(), ones()]), ts.ShapeError, "cat"),
    "cat far": (lambda: ts.cat([ones(2), ones(2)], 1), IndexError, "out of bounds"),
    "stack of nothing": (lambda: ts.stack(()), ValueError, "at least one"),
    "stack of shapes": (lambda: ts.stack([ones(2), ones(3)]), ts.ShapeError, r"one shape.*\(2,\), \(3,\)"),
    "stack far": (lambda: ts.stack([ones(2)], -3), IndexError, "out of bounds"),
    "split of an array": (lambda: ts.split(X, 1), TypeError, "split takes a tensor"),
    "chunk of an array": (lambda: ts.chunk(X, 1), TypeError, "chunk takes a tensor"),
    "maximum of a number": (lambda: ts.maximum(ones(2), 1.0), TypeError, "two tensors"),
    "minimum of a list": (lambda: ts.minimum([1.0], ones(1)), TypeError, "minimum takes a tensor"),
    "where of numbers": (lambda: ts.where(ones(2), 1.0, 2.0), TypeError, "bools"),
    "where of shapes": (lambda: ts.where(ones(2, dtype=bool), ones(3), ones(2)), ts.ShapeError, "where"),
    "einsum of nothing": (lambda: ts.einsum("i->i"), ValueError, "at least one"),
    "einsum of an array": (lambda: ts.einsum("ij->ji", X), TypeError, "einsum takes a tensor"),
    "einsum for more": (lambda: ts.einsum("i,i->i", ones(2)), ValueError, "2 operands, not 1"),
    "einsum of other lengths": (lambda: ts.einsum("i,i->", ones(2), ones(3)), ts.ShapeError, r"\(2,\), \(3,\)"),
    "einsum of a longer diagonal": (lambda: ts.einsum("ii->", ones(2, 1)), ts.ShapeError, "einsum"),
    "einsum of fewer dims": (lambda: ts.einsum("ij->", ones(2)), ts.ShapeError, "einsum"),
    "einsum of more dims": (lambda: ts.einsum("i->i", ones(2, 2)), ts.ShapeError, "einsum"),
    "einsum to what is not there": (lambda: ts.einsum("i->j", ones(2)), ValueError, "output"),
    "einsum to the same twice": (lambda: ts.einsum("i->ii", ones(2)), ValueError, "output"),
    "einsum of digits": (lambda: ts.einsum("1->1", ones(2)), ValueError, "letters"),
    "einsum with two arrows": (lambda: ts.einsum("i->i->i", ones(2)), ValueError, "letters"),
    "einsum of dtypes": (lambda: ts.einsum("i,i", ones(2), ones(2, dtype="int64")), TypeError, "one dtype"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_is_an_error(name):
    use, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        use()


def test_the_others():
    x = ts.tensor(X)
    assert [part.shape for part in ts.split(x, 2, 1)] == [(2, 2), (2, 1)]
    assert [part.shape for part in ts.chunk(x, 2)] == [(1, 3), (1, 3)]
    assert np.array_equal(ts.maximum(x, x.flip(0)).numpy(), np.maximum(X, X[::-1]))
    assert np.array_equal(ts.minimum(x, x.flip(0)).numpy(), np.minimum(X, X[::-1]))
    assert np.array_equal(ts.where(x > 2, x, 0.0).numpy(), np.where(X > 2, X, 0))
    assert np.array_equal(ts.where(X > 2, -1.0, x).numpy(), np.where(X > 2, -1, X))
    assert np.array_equal(ts.from_dlpack(X).numpy(), X)


@pytest.mark.parametrize("equation", ["ij,kj->ik", "ij,kj", "...j,kj", "ij,ij->", "ij,ik->ijk"])
def test_einsum_takes_tensors_one_by_one_or_in_a_list(equation):
    x, y = ts.tensor(X), ts.tensor(X + 1)
    expected = np.einsum(equation, X, X + 1)
    assert np.array_equal(ts.einsum(equation, x, y).numpy(), expected)
    assert np.array_equal(ts.einsum(equation, [x, y]).numpy(), expected)


class TestGrad:
    def leaves(self):
        return [ts.tensor([value], requires_grad=True) for value in (2.0, 3.0)]

    def test_one_or_several_inputs(self):
        x, y = self.leaves()
        assert [g.item() for g in ts.grad(x * y * y, x)] == [9.0]
        assert [g.item() for g in ts.grad(x * y * y, [y, x, y])] == [12.0, 9.0, 12.0]
        assert x.grad is None
        assert y.grad is None

    def test_of_a_result_on_the_way(self):
        x, y = self.leaves()
        product = x * y
        assert [g.item() for g in ts.grad(product * x, (product, x, y))] == [2.0, 12.0, 4.0]

    def test_of_the_output_itself(self):
        x, _ = self.leaves()
        assert ts.grad(x, x)[0].item() == 1.0
        doubled = x * 2
        assert ts.grad(doubled, doubled, ts.tensor([5.0]))[0].item() == 5.0

    def test_along_a_given_gradient(self):
        x = ts.tensor(X, requires_grad=True)
        (gradient,) = ts.grad(x * x, x, np.ones((2, 3)))
        assert np.array_equal(gradient.numpy(), 2 * X)
        with pytest.raises(ts.ShapeError, match=r"\(3,\)"):
            ts.grad(x * x, x, np.ones(3))

    def test_gradients_may_be_written_to(self):
        x, y = self.leaves()
        of_x, of_y = ts.grad(x + y, [x, y])
        of_x.data += 1
        assert of_y.item() == 1.0
        assert not of_x.requires_grad

    def test_what_was_not_used(self):
        x, y = self.leaves()
        with pytest.raises(ts.GraphError, match="input 1 was not used"):
            ts.grad(x * 2, [x, y])
        used, unused = ts.grad(x * 2, [x, y], allow_unused=True)
        assert (used.item(), unused) == (2.0, None)

    def test_the_graph_is_freed_unless_retained(self):
        x, _ = self.leaves()
        square = x * x
        for _ in range(2):
            assert ts.grad(square, x, retain_graph=True)[0].item() == 4.0
        ts.grad(square, x)
        with pytest.raises(ts.GraphError, match="retain_graph"):
            ts.grad(square, x)

    @pytest.mark.parametrize(
        ("inputs", "error"), [(ts.tensor([1.0]), ts.GraphError), ([1.0], TypeError), (3, TypeError), ([], ValueError)]
    )
    def test_inputs_that_have_no_gradient(self, inputs, error):
        x, _ = self.leaves()
        with pytest.raises(error):
            ts.grad(x * x, inputs)

    def test_an_output_that_has_none(self):
        x, _ = self.leaves()
        with pytest.raises(ts.GraphError):
            ts.grad(x.detach(), x)
