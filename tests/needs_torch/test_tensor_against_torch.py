import itertools
import operator

import numpy as np
import pytest
import torch

import trainstation as ts
from trainstation.nn import functional

F = torch.nn.functional


def values(*shape, seed=0):
    rng = np.random.default_rng((seed, *shape))
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def both(function, *others):
    """The same function for both libraries."""
    return (function, *(others or (function,)))


PAIRS = [((2, 3), (2, 3)), ((3,), (2, 1)), ((), (2, 3)), ((4, 1, 3), (2, 1)), ((0, 3), (1,)), ((), ())]


def binary(function, make=values):
    cases = [(both(function), [make(*first), make(*second, seed=1)]) for first, second in PAIRS]
    beside = [(both(lambda x, number=number: function(x, number)), [make(2, 3)]) for number in (2.5, 3, -1)]
    return [*cases, *beside, (both(lambda x: function(2.5, x)), [make(2, 3)])]


def unary(name):
    return [(both(operator.methodcaller(name)), [values(*shape)]) for shape in [(2, 3), (), (0, 2), (7,)]]


def reduction(name):
    cases = [(both(operator.methodcaller(name)), [values(*shape)]) for shape in [(2, 3), ()]]
    for dim, keepdim in itertools.product([0, -1, (0, 2), (-1, 1), (), [1]], [False, True]):
        cases.append((both(operator.methodcaller(name, dim=dim, keepdim=keepdim)), [values(2, 3, 4)]))
    return [*cases, (both(operator.methodcaller(name, dim=-1)), [values()])]


def matmul(*shapes):
    return both(operator.matmul), [values(*shape, seed=i) for i, shape in enumerate(shapes)]


def linear(*shapes):
    return both(functional.linear, F.linear), [values(*shape, seed=i) for i, shape in enumerate(shapes)]


def getitem(index):
    def pick(x):
        as_tensor = torch.tensor if isinstance(x, torch.Tensor) else ts.tensor
        parts = index if isinstance(index, tuple) else (index,)
        return x[tuple(as_tensor(part) if isinstance(part, np.ndarray) else part for part in parts)]

    return both(pick), [values(2, 3, 4)]


def cross_entropy(targets, *shape):
    return (
        both(
            lambda x: functional.cross_entropy(x, targets),
            lambda x: F.cross_entropy(x, torch.tensor(targets)),
        ),
        [values(*shape) * 5],
    )


MASK = values(2, 3, 4) > 0
# Methods and operators, at edges too: name -> [((ours, torch's), inputs)]
CASES = {
    "add": binary(operator.add),
    "sub": binary(operator.sub),
    "mul": binary(operator.mul),
    "div": binary(operator.truediv),
    "pow": [
        *binary(operator.pow, lambda *shape, seed=0: np.abs(values(*shape, seed=seed))),
        *((both(lambda x, n=n: x**n), [values(2, 3)]) for n in (3, 2.0, 0, -2)),
        (both(operator.pow), [np.array([0.0, 0.0, 0.0, 2.0]), np.array([0.0, 1.0, 2.0, 0.0])]),
    ],
    "neg": unary("__neg__"),
    "relu": [*unary("relu"), (both(operator.methodcaller("relu")), [np.array([0.0, -0.0, 1e-300])])],
    "tanh": unary("tanh"),
    "sigmoid": [*unary("sigmoid"), (both(operator.methodcaller("sigmoid")), [np.array([-800.0, -40.0, 40.0, 800.0])])],
    "sum": [*reduction("sum"), (both(operator.methodcaller("sum", dim=0)), [values(0, 3)])],
    "mean": reduction("mean"),
    "reshape": [
        (both(lambda x: x.reshape(3, -1)), [values(2, 3)]),
        (both(lambda x: x.T.reshape((6,))), [values(2, 3)]),
    ],
    "permute": [
        (both(lambda x: x.permute(2, 0, -2)), [values(2, 3, 4)]),
        (both(lambda x: x.permute((1, 0))), [values(2, 3)]),
        (both(lambda x: x.transpose(0, -1)), [values(2, 3, 4)]),
        (both(lambda x: x.transpose(0, -1)), [values()]),
        (both(lambda x: x.T), [values(2, 3)]),
    ],
    "getitem": [
        getitem(index)
        for index in (
            1,
            (0, slice(1, None)),
            (..., None, -1),
            np.array([1, 0, 1, 1]),
            (np.array([0, 1, 0]), np.array([2, -1, 2])),
            (slice(None), np.array([[0, 0], [2, 1]])),
            (np.array([0, 1]), slice(None), np.array([3, 3])),
            MASK,
            (slice(None), MASK[0, :, 0]),
        )
    ],
    "matmul": [
        matmul((2, 3), (3, 4)),
        matmul((3,), (3,)),
        matmul((2, 3), (3,)),
        matmul((3,), (3, 4)),
        matmul((5, 2, 3), (3, 4)),
        matmul((5, 2, 3), (3,)),
        matmul((3,), (5, 3, 4)),
        matmul((6, 1, 2, 3), (5, 3, 4)),
        matmul((2, 0), (0, 3)),
    ],
    "linear": [
        linear((2, 3), (4, 3), (4,)),
        linear((2, 3), (4, 3)),
        linear((3,), (4, 3), (4,)),
        linear((5, 2, 3), (4, 3), (4,)),
        linear((0, 3), (4, 3), (4,)),
    ],
    "log_softmax": [
        *((both(lambda x, dim=dim: x.log_softmax(dim)), [values(2, 3, 4) * 9]) for dim in (0, 1, -1)),
        (both(lambda x: x.log_softmax(-1)), [values()]),
        (both(lambda x: x.log_softmax(1)), [np.array([[0.0, -np.inf, 700.0]])]),
        (both(lambda x: x.log_softmax(0)), [values(0, 3)]),
    ],
    "cross_entropy": [
        cross_entropy([2, 0, 0, 1], 4, 3),
        cross_entropy(1, 3),
        cross_entropy([0], 1, 1),
    ],
}


def close(ours, theirs, message=None):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-10, atol=1e-15, err_msg=message)


@pytest.mark.parametrize(
    ("functions", "inputs"),
    [pytest.param(*case, id=f"{name}-{i}") for name, cases in CASES.items() for i, case in enumerate(cases)],
)
def test_values_and_gradients(functions, inputs):
    ours = [ts.tensor(x, requires_grad=True) for x in inputs]
    theirs = [torch.tensor(x, requires_grad=True) for x in inputs]
    result, expected = functions[0](*ours), functions[1](*theirs)
    close(result, expected, "value")
    along = values(*result.shape, seed=9)
    result.backward(along)
    expected.backward(torch.tensor(along))
    for x, y in zip(ours, theirs, strict=True):
        close(x.grad, y.grad, "gradient")


DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.eq, operator.lt]


def dtypes(operate, left, right):
    """The dtypes of the result, ours and torch's; None where torch has none."""

    def operand(make, x):
        return make(np.asarray(x)) if isinstance(x, (np.ndarray, np.generic)) else x

    try:
        expected = operate(operand(torch.from_numpy, left), operand(torch.from_numpy, right)).dtype
    except (RuntimeError, NotImplementedError):  # no subtraction and no power of bools, no negative power of integers
        return None, None
    result = operate(operand(ts.Tensor.from_numpy, left), operand(ts.Tensor.from_numpy, right)).dtype
    return result, str(expected).removeprefix("torch.")


@pytest.mark.parametrize("operate", OPERATORS)
@pytest.mark.parametrize(("left", "right"), list(itertools.product(DTYPES, DTYPES)))
def test_dtypes_of_two_tensors(operate, left, right):
    for shapes in itertools.product([(2,), ()], repeat=2):
        result, expected = dtypes(operate, np.ones(shapes[0], left), np.ones(shapes[1], right))
        assert result == expected, shapes


def numbers():
    for operate, dtype, number in itertools.product(OPERATORS, DTYPES, [2, -1, 2.5, True]):
        out_of_range = number == -1 and np.dtype(dtype).kind in "bu"  # OverflowError as in NumPy; torch wraps around
        undecided = operate is operator.pow and dtype == "bool" and number is True  # torch: one order only
        if not (out_of_range or undecided):
            yield operate, dtype, number


@pytest.mark.parametrize(("operate", "dtype", "number"), list(numbers()))
def test_dtypes_of_a_tensor_and_a_number(operate, dtype, number):
    for shape in [(2,), ()]:
        for left, right in [(np.ones(shape, dtype), number), (number, np.ones(shape, dtype))]:
            result, expected = dtypes(operate, left, right)
            assert result == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "sum"])
def test_dtypes_of_functions(name, dtype):
    expected = getattr(torch.ones(2, dtype=getattr(torch, dtype)), name)().dtype
    assert str(getattr(ts.Tensor.ones(2, dtype=dtype), name)().dtype) == str(expected).removeprefix("torch.")


@pytest.mark.parametrize(
    "data", [1.5, 2, True, [1.0, 2], [], [[1], [2]], np.float64(1), np.ones(2, np.float64), np.ones(2, np.int32)]
)
def test_tensor_makes_what_torch_makes(data):
    close(ts.tensor(data), torch.tensor(data))


@pytest.mark.parametrize(
    "combine",
    [
        lambda x, y: x * y,
        lambda x, y: y - x,
        lambda x, y: (x + y.sum()) / y,
        lambda x, y: x * 2 + (y * 3).sum(),
    ],
)
def test_gradients_of_mixed_precision_have_the_dtypes_of_their_tensors(combine):
    narrow, wide = np.array([1.0, 2.0], np.float32), np.array([3.0, 4.0])
    ours = [ts.tensor(x, requires_grad=True) for x in (narrow, wide)]
    theirs = [torch.tensor(x, requires_grad=True) for x in (narrow, wide)]
    combine(*ours).sum().backward()
    combine(*theirs).sum().backward()
    for x, y in zip(ours, theirs, strict=True):
        assert x.grad.dtype == y.grad.numpy().dtype
        np.testing.assert_allclose(x.grad, y.grad, rtol=1e-6)


ERRORS = {
    "shapes that do not broadcast": lambda lib: lib.tensor([1.0, 2.0]) + lib.tensor([1.0, 2.0, 3.0]),
    "matmul of other shapes": lambda lib: lib.tensor([[1.0, 2.0]]) @ lib.tensor([[1.0, 2.0]]),
    "matmul with a 0-d tensor": lambda lib: lib.tensor([1.0]) @ lib.tensor(1.0),
    "matmul with a number": lambda lib: lib.tensor([1.0]) @ 1.0,
    "matmul of two dtypes": lambda lib: lib.tensor([1.0]) @ lib.tensor([1]),
    "reshape to another size": lambda lib: lib.tensor([1.0, 2.0]).reshape(3),
    "a dim out of range": lambda lib: lib.tensor([1.0]).sum(dim=1),
    "a dim twice": lambda lib: lib.tensor([[1.0]]).sum(dim=(0, 0)),
    "permute of too few dims": lambda lib: lib.tensor([[1.0]]).permute(0),
    "an index out of range": lambda lib: lib.tensor([1.0])[1],
    "an index array out of range": lambda lib: lib.tensor([1.0])[lib.tensor([1])],
    "a mask of another length": lambda lib: lib.tensor([1.0])[lib.tensor([True, False])],
    "a floating-point index": lambda lib: lib.tensor([1.0])[lib.tensor([0.0])],
    "a mean of integers": lambda lib: lib.tensor([1, 2]).mean(),
    "log_softmax of integers": lambda lib: lib.tensor([1, 2]).log_softmax(-1),
    "a difference of bools": lambda lib: lib.tensor([True]) - lib.tensor([True]),
    "minus a bool": lambda lib: -lib.tensor([True]),
    "an integer to a negative power": lambda lib: lib.tensor([2]) ** -1,
    "the truth of many": lambda lib: bool(lib.tensor([1.0, 2.0])),
    "the truth of none": lambda lib: bool(lib.tensor([])),
    "the item of many": lambda lib: lib.tensor([1.0, 2.0]).item(),
    "iteration over a number": lambda lib: iter(lib.tensor(1.0)),
    "the length of a number": lambda lib: len(lib.tensor(1.0)),
    "a gradient of integers": lambda lib: lib.tensor([1], requires_grad=True),
    "a gradient of integers asked for later": lambda lib: setattr(lib.tensor([1]), "requires_grad", True),
    "a recorded result made to forget": lambda lib: (lib.tensor([1.0], requires_grad=True) * 2).requires_grad_(False),
    "a text": lambda lib: lib.tensor([1.0]) + "a",
    "backward of many": lambda lib: (lib.tensor([1.0, 2.0], requires_grad=True) * 2).backward(),
    "backward of what was not recorded": lambda lib: lib.tensor(1.0).backward(),
    "a second backward": lambda lib: [y.backward() for x in [lib.tensor(1.0, requires_grad=True)] for y in [x * x] * 2],
    "a gradient of another shape": lambda lib: (lib.tensor([1.0, 2.0], requires_grad=True) * 2).backward(
        lib.tensor([1.0])
    ),
    "logits and targets of other lengths": lambda lib: lib.nn.functional.cross_entropy(
        lib.tensor([[1.0, 2.0]]), lib.tensor([0, 1])
    ),
    "a class that is not there": lambda lib: lib.nn.functional.cross_entropy(lib.tensor([[1.0, 2.0]]), lib.tensor([2])),
    "a negative class": lambda lib: lib.nn.functional.cross_entropy(lib.tensor([[1.0, 2.0]]), lib.tensor([-1])),
}


@pytest.mark.parametrize("use", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("library", [torch, ts], ids=["torch", "trainstation"])
def test_errors(library, use):
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError, NotImplementedError)):
        use(library)
