import operator

import numpy as np
import pytest

import trainstation as ts

X, Y = np.array([[-2.0, 0.5, 3.0]]), np.array([[1.5], [0.5], [3.0]])
A, B = np.array([True, True, False, False]), np.array([True, False, True, False])
COMPARISONS = {"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt} | {
    "ge": operator.ge
}
IN_PLACE = {"add": operator.iadd, "sub": operator.isub, "mul": operator.imul, "div": operator.itruediv}
AUGMENTED = [*IN_PLACE.values(), operator.ipow, operator.imod]


def leaf(*values):
    return ts.tensor(np.array(values), requires_grad=True)


def plain(augmented):
    """Out of place what the operator does in place."""
    return getattr(operator, f"__{augmented.__name__.removeprefix('i')}__")


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_have_names_and_broadcast(name):
    expected = COMPARISONS[name](X, Y)
    for result in (COMPARISONS[name](ts.tensor(X), ts.tensor(Y)), getattr(ts.tensor(X), name)(Y)):
        assert np.array_equal(result.numpy(), expected)
        assert result.dtype == bool
    assert np.array_equal(getattr(ts.tensor(X), name)(0.5).numpy(), COMPARISONS[name](X, 0.5))


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_name_what_does_not_fit(name):
    with pytest.raises(ts.ShapeError, match=r"\(2,\) and \(3,\)"):
        COMPARISONS[name](ts.Tensor.ones(2), ts.Tensor.ones(3))
    with pytest.raises(TypeError, match="NoneType"):
        getattr(ts.Tensor.ones(2), name)(None)


@pytest.mark.parametrize(("name", "operate"), [("and", operator.and_), ("or", operator.or_), ("xor", operator.xor)])
def test_logic(name, operate):
    method = f"logical_{name}"
    for result in (operate(ts.tensor(A), ts.tensor(B)), operate(A, ts.tensor(B)), getattr(ts.tensor(A), method)(B)):
        assert np.array_equal(result.numpy(), operate(A, B))
    for flag in (True, False):
        assert np.array_equal(operate(ts.tensor(A), flag).numpy(), operate(A, flag))
        assert np.array_equal(operate(flag, ts.tensor(A)).numpy(), operate(flag, A))
    assert operate(ts.tensor([6, 3]), 5).numpy().tolist() == [operate(6, 5), operate(3, 5)]
    numbers = ts.tensor([2.0, 1.0, 0.0, 0.0])
    assert np.array_equal(getattr(numbers, method)(ts.tensor([1, 0, 4, 0])).numpy(), operate(A, B))
    for floats in (numbers, 1.5):
        with pytest.raises(TypeError, match=f"bitwise_{name} takes bools"):
            operate(ts.tensor(A), floats)
    with pytest.raises(ts.ShapeError, match=r"\(4,\) and \(3,\)"):
        operate(ts.tensor(A), ts.tensor([True] * 3))


def test_not():
    assert np.array_equal((~ts.tensor(A)).numpy(), ~A)
    assert (~ts.tensor([0, 5])).numpy().tolist() == [-1, -6]
    assert ts.tensor([0.0, 2.0]).logical_not().numpy().tolist() == [True, False]
    with pytest.raises(TypeError, match="bitwise_xor takes bools"):
        ~ts.tensor([1.0])


@pytest.mark.parametrize("operate", [operator.floordiv, operator.mod])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_division_rounds_down(operate, dtype):
    x, y = np.array([7, -7, 7, -7], dtype), np.array([2, 2, -2, -2], dtype)
    for result in (operate(ts.tensor(x), ts.tensor(y)), operate(x, ts.tensor(y)), operate(ts.tensor(x), y)):
        assert np.array_equal(result.numpy(), operate(x, y))
        assert result.dtype == dtype
    assert np.array_equal(operate(ts.tensor(x), 2).numpy(), operate(x, 2))
    assert np.array_equal(operate(7, ts.tensor(y)).numpy(), operate(7, y))


def test_floor_division_has_no_gradient():
    assert not (leaf(1.0, 2.0) // 2).requires_grad


def test_python_functions_and_signs():
    x = leaf(-1.5, 2.0)
    assert abs(x).numpy().tolist() == [1.5, 2]
    assert (+x).numpy().tolist() == [-1.5, 2]
    assert x.neg().numpy().tolist() == [1.5, -2]


class TestInPlace:
    @pytest.mark.parametrize("operate", [*AUGMENTED, operator.ifloordiv])
    def test_without_recording_the_memory_is_written_and_views_see_it(self, operate):
        x = ts.tensor([[6.0, 7.0], [8.0, 9.0]])
        row, kept, array = x[0], x, x.numpy()
        expected = plain(operate)(array, 2)
        x = operate(x, 2)
        assert x is kept
        assert x.numpy() is array
        assert np.array_equal(array, expected)
        assert row.numpy().tolist() == expected[0].tolist()
        row = operate(row, ts.tensor([1.0, 2.0]))
        assert np.array_equal(array[0], plain(operate)(expected[0], [1, 2]))

    @pytest.mark.parametrize("operate", [operator.iand, operator.ior, operator.ixor])
    def test_masks(self, operate):
        x, kept = (mask := ts.tensor(A)), mask.numpy()
        x = operate(x, ts.tensor(B))
        assert x is mask
        assert np.array_equal(kept, plain(operate)(A, B))

    @pytest.mark.parametrize("name", IN_PLACE)
    def test_the_methods_are_the_operators(self, name):
        x = ts.tensor([2.0, 4.0])
        assert getattr(x, f"{name}_")(2) is x
        assert np.array_equal(x.numpy(), plain(IN_PLACE[name])(np.array([2.0, 4.0]), 2))

    @pytest.mark.parametrize("operate", [*AUGMENTED, operator.ifloordiv])
    def test_a_leaf_is_trained_by_hand_only_without_recording(self, operate):
        p = leaf(1.0, 2.0)
        with pytest.raises(ts.GraphError, match="no_grad"):
            operate(p, 2.0)
        assert p.numpy().tolist() == [1, 2]
        loss = (p * p).sum()
        with ts.no_grad():
            kept = p
            p = operate(p, 0.5)
        assert p is kept
        assert (p.is_leaf, p.requires_grad) == (True, True)
        assert np.array_equal(p.numpy(), plain(operate)(np.array([1.0, 2.0]), 0.5))
        with pytest.raises(ts.GraphError, match="modified in place"):
            loss.backward()

    @pytest.mark.parametrize("operate", AUGMENTED)
    def test_what_is_recorded_has_the_gradient_of_the_new_value(self, operate):
        def gradients(function):
            x, y = leaf(1.5, 2.5), leaf(1.25, 0.75)
            function(x.exp(), y).sum().backward()
            return x.grad.numpy().tolist(), y.grad.numpy().tolist()

        def changed(x, y):
            kept = x
            x = operate(x, y)
            assert x is kept
            return x

        assert gradients(changed) == gradients(plain(operate))

    def test_what_was_computed_from_the_old_value_keeps_its_gradient(self):
        x = leaf(3.0)
        y = x * 1
        old = y * y
        y *= y
        (old + y).backward()
        assert y.item() == 9
        assert x.grad.numpy().tolist() == [12]

    def test_a_sum_of_losses(self):
        x = leaf(1.0, 2.0)
        total, loss = ts.tensor(0.0, "float64"), 0
        for part in (x * x).sum(), x.sum():
            total += part
            loss += part
        assert not total.is_leaf
        for result in (total, loss):
            x.grad = None
            result.backward(retain_graph=True)
            assert x.grad.numpy().tolist() == [3, 5]

    def test_a_view_is_not_changed_while_recording(self):
        x, buffer = leaf(1.0, 2.0), ts.Tensor.zeros((2, 2), dtype="float64")
        for view in (x[:1], (x * 2)[:1], buffer[0]):
            with pytest.raises(ts.GraphError, match="a view cannot be changed"):
                view.add_(x[0])
        assert not buffer.numpy().any()
        with ts.no_grad():
            view = buffer[0]
            view += x
        assert buffer.numpy().tolist() == [[1, 2], [0, 0]]

    def test_what_has_no_gradient_is_not_done_to_a_result(self):
        x = leaf(1.0, 2.0) * 2
        with pytest.raises(ts.GraphError, match="no gradient"):
            x //= 2
        assert x.numpy().tolist() == [2, 4]

    @pytest.mark.parametrize(
        ("x", "y", "dtype"),
        [
            (ts.Tensor.ones(2), ts.Tensor.ones(2, dtype="float64"), "float32"),
            (ts.Tensor.ones(2), ts.tensor([1, 1]), "float32"),
            (ts.Tensor.ones(2, dtype="uint8"), ts.tensor([1, 1]), "uint8"),
            (ts.Tensor.ones(2), True, "float32"),
        ],
    )
    def test_the_dtype_stays(self, x, y, dtype):
        x = ts.tensor(x)
        x += y
        assert x.dtype == dtype
        assert x.numpy().tolist() == [2, 2]

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            (lambda: ts.tensor([1, 2]).add_(1.5), TypeError, "int64 cannot become one of float32"),
            (lambda: ts.tensor([1, 2]).div_(2), TypeError, "int64 cannot become one of float32"),
            (lambda: ts.tensor(A).add_(1), TypeError, "bool cannot become one of int64"),
            (lambda: ts.Tensor.ones(1).mul_(leaf(1.0)), TypeError, "float32 cannot become one of float64"),
            (lambda: ts.Tensor.ones(2).add_(ts.Tensor.ones((3, 2))), ts.ShapeError, r"\(2,\) .* \(3, 2\)"),
            (lambda: ts.Tensor.ones(2).add_(ts.Tensor.ones(3)), ts.ShapeError, r"\(2,\) \(3,\)"),
            (lambda: ts.Tensor.ones(2).add_([1.0, 2.0]), TypeError, "list"),
        ],
    )
    def test_what_does_not_fit_is_named(self, change, error, message):
        with pytest.raises(error, match=message):
            change()
