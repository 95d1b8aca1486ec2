import numpy as np
import pytest

import trainstation as ts
from trainstation.nn import functional
from trainstation.testing import check_grad


def draw(*shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((2, 3), (3, 4)),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 4)),
        ((6, 1, 2, 3), (5, 3, 4)),
        ((2, 0), (0, 4)),
        ((0, 3), (3, 4)),
    ],
)
def test_matmul_of_vectors_matrices_and_stacks(first, second):
    x, y = draw(*first), draw(*second)
    for result in (ts.tensor(x) @ ts.tensor(y), ts.tensor(x).matmul(y), x @ ts.tensor(y)):
        assert result.shape == (x @ y).shape
        assert np.array_equal(result.numpy(), x @ y)


@pytest.mark.parametrize(
    ("first", "second"), [((2, 3), (2, 3)), ((3,), (4,)), ((), (3,)), ((3,), ()), ((2, 2, 3), (3, 3, 4))]
)
def test_matmul_of_shapes_that_do_not_fit(first, second):
    with pytest.raises(ts.ShapeError, match="matmul"):
        ts.tensor(draw(*first)) @ ts.tensor(draw(*second))


def test_matmul_takes_no_numbers():
    with pytest.raises(TypeError, match="number"):
        ts.tensor([1.0]) @ 2.0


@pytest.mark.parametrize("other", ["float64", "int64", "bool"])
def test_a_product_is_of_one_dtype_as_in_torch(other):
    x, y = ts.Tensor.ones((2, 2)), ts.Tensor.ones((2, 2), dtype=other)
    for multiply in (lambda: x @ y, lambda: functional.linear(y, x), lambda: functional.linear(x, x, y[0])):
        with pytest.raises(TypeError, match=f"float32.*{other}|{other}.*float32"):
            multiply()


@pytest.mark.parametrize("shape", [(2, 3), (3,), (5, 2, 3), (0, 3), (4, 0, 3)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_linear(shape, with_bias):
    x, weight, bias = draw(*shape), draw(4, 3), draw(4) if with_bias else None
    result = functional.linear(ts.tensor(x), ts.tensor(weight), ts.tensor(bias) if with_bias else None)
    assert np.allclose(result.numpy(), x @ weight.T + (bias if with_bias else 0), rtol=1e-14, atol=1e-14)
    assert result.shape == (*shape[:-1], 4)


@pytest.mark.parametrize(
    ("x", "weight", "bias"),
    [((2, 3), (4, 5), (4,)), ((2, 3), (4, 3), (3,)), ((2, 3), (4, 3), (1,)), ((), (4, 3), (4,)), ((2, 3), (3,), None)],
)
def test_linear_of_shapes_that_do_not_fit(x, weight, bias):
    with pytest.raises(ts.ShapeError, match="linear"):
        functional.linear(
            ts.tensor(draw(*x)), ts.tensor(draw(*weight)), None if bias is None else ts.tensor(draw(*bias))
        )


@pytest.mark.parametrize("second", [(2, 3), (4, 2, 3), (3,)])
def test_a_product_of_what_lies_apart(second):
    """Transposed and stretched operands, and a gradient that is stretched itself."""
    wide, y = ts.tensor(draw(5, 3, 4)[:, :, :2], requires_grad=True), ts.tensor(draw(*second), requires_grad=True)
    stack = wide.permute(0, 2, 1) if len(second) == 1 else wide[:4]
    product = stack @ y
    assert np.allclose(product.numpy(), stack.numpy() @ y.numpy(), rtol=1e-14)
    check_grad(lambda x, y: ((x.permute(0, 2, 1) if len(second) == 1 else x[:4]) @ y).sum(), [wide, y])


def test_gradients_of_the_same_matrix_twice_add_up():
    x = ts.tensor(draw(3, 3), requires_grad=True)
    (x @ x).sum().backward()
    ones = np.ones((3, 3))
    assert np.allclose(x.grad.numpy(), ones @ x.numpy().T + x.numpy().T @ ones, rtol=1e-14)


def test_a_write_to_an_operand_that_backward_reads_is_seen():
    x, y = ts.tensor(draw(2, 3, 3)), ts.tensor(draw(3, 3), requires_grad=True)
    product = x @ y
    x._bump_version()
    with pytest.raises(ts.GraphError, match="matmul"):
        product.sum().backward()
