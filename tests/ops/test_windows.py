import resource

import numpy as np
import pytest
from samples.common import values
from samples.windows import AVG, MAX, PLAIN

import trainstation as ts
from trainstation import ops
from trainstation.ops.windows import avg_pool, conv, max_pool
from trainstation.tensor import apply

NAN = np.nan
INF = np.inf


def run(operation, *arrays, **options):
    return apply(operation, *(x if x is None else ts.tensor(x, requires_grad=True) for x in arrays), **options).numpy()


@pytest.mark.parametrize(
    ("error", "text", "x", "weight", "bias", "options"),
    [
        (ts.ShapeError, r"needs 2 channels.*\(1, 3, 4, 4\)", (1, 3, 4, 4), (2, 2, 3, 3), None, {}),
        (ts.ShapeError, r"spans \(5, 5\).*\(1, 3, 4, 4\)", (1, 3, 4, 4), (2, 3, 5, 5), None, {}),
        (ts.ShapeError, r"spans \(1, 5\).*padded by 0", (1, 3, 4, 4), (2, 3, 1, 3), None, {"dilation": 2}),
        (ts.ShapeError, "does not fit", (2, 3, 0, 4), (2, 3, 3, 3), None, {"padding": 2}),
        (ts.ShapeError, "does not fit", (2, 3, 4, 4), (2, 3, 0, 3), None, {}),
        (ts.ShapeError, "2 groups do not divide the 3", (1, 4, 4, 4), (3, 2, 3, 3), None, {"groups": 2}),
        (ts.ShapeError, "do not divide the 0", (1, 3, 4, 4), (0, 3, 3, 3), None, {}),
        (ts.ShapeError, r"input \(N, C, L\).*\(4, 4\)", (4, 4), (2, 3, 3, 3), None, {}),
        (ts.ShapeError, r"input \(N, C, L\).*\(2, 3\)", (4, 4), (2, 3), None, {}),
        (ts.ShapeError, r"bias of shape \(2,\), not \(3,\)", (1, 3, 4, 4), (2, 3, 3, 3), (3,), {}),
        (ValueError, "stride must be at least 1, not 0", (1, 3, 4, 4), (2, 3, 3, 3), None, {"stride": 0}),
        (ValueError, "stride is an integer or 2 of them", (1, 3, 4, 4), (2, 3, 3, 3), None, {"stride": (1, 2, 3)}),
        (ValueError, "stride is an integer or 2 of them", (1, 3, 4, 4), (2, 3, 3, 3), None, {"stride": (1, 2.0)}),
        (ValueError, "padding must be at least 0", (1, 3, 4, 4), (2, 3, 3, 3), None, {"padding": (0, -1)}),
        (ValueError, "'valid' or 'same', not 'full'", (1, 3, 4, 4), (2, 3, 3, 3), None, {"padding": "full"}),
        (ValueError, "same", (1, 3, 4, 4), (2, 3, 3, 3), None, {"padding": "same", "stride": 2}),
        (ValueError, "dilation must be at least 1", (1, 3, 4, 4), (2, 3, 3, 3), None, {"dilation": 0}),
        (ValueError, "groups must be at least 1", (1, 3, 4, 4), (2, 3, 3, 3), None, {"groups": 0}),
    ],
)
def test_a_convolution_that_cannot_be_is_refused(error, text, x, weight, bias, options):
    with pytest.raises(error, match=text):
        run(conv, values(*x), values(*weight), None if bias is None else values(*bias), **PLAIN | options)


@pytest.mark.parametrize("operation", [max_pool, avg_pool], ids=lambda operation: operation.name)
@pytest.mark.parametrize(
    ("error", "text", "x", "options"),
    [
        (ts.ShapeError, "kernel of 5 that spans 5 does not fit into 4", (1, 3, 4, 4), {"kernel_size": 5}),
        (ValueError, "padding of 2 is more than half of a kernel of 3", (1, 3, 4, 4), {"kernel_size": 3, "padding": 2}),
        (ValueError, "padding must be at least 0", (1, 3, 4, 4), {"kernel_size": 2, "padding": -1}),
        (ValueError, "stride must be at least 1", (1, 3, 4, 4), {"kernel_size": 2, "stride": 0}),
        (ValueError, "kernel_size must be at least 1", (1, 3, 4, 4), {"kernel_size": (2, 0)}),
        (ValueError, "kernel_size is an integer or 2", (1, 3, 4, 4), {"kernel_size": (2, 2, 2)}),
        (ts.ShapeError, "not empty but for N", (1, 0, 4, 4), {"kernel_size": 2}),
        (ts.ShapeError, "not empty but for N", (1, 3, 0, 4), {"kernel_size": 2, "padding": 1}),
        (ts.ShapeError, r"\(N, C, H, W\)", (4, 4), {"kernel_size": 2}),
        (ts.ShapeError, "too large", (0, 1, 1 << 16, 1 << 16), {"kernel_size": 2}),
    ],
)
def test_pooling_that_cannot_be_is_refused(operation, error, text, x, options):
    with pytest.raises(error, match=text):
        run(operation, values(*x), **(MAX if operation is max_pool else AVG) | options)


def test_a_dilation_of_nothing_is_refused():
    with pytest.raises(ValueError, match="dilation must be at least 1"):
        run(max_pool, values(1, 3, 4, 4), **MAX | {"kernel_size": 2, "dilation": 0})


@pytest.mark.parametrize("dtype", ["int64", "bool", "float16", ">f4"])
def test_only_floats_of_the_machine(dtype):
    x, weight = np.ones((1, 1, 4, 4), dtype), np.ones((1, 1, 2, 2), dtype)
    for operation, arrays, options in [
        (conv, (x, weight, None), PLAIN),
        (max_pool, (x,), MAX | {"kernel_size": 2}),
        (avg_pool, (x,), AVG | {"kernel_size": 2}),
    ]:
        with pytest.raises(TypeError, match=operation.name):
            operation.forward([False] * len(arrays), *arrays, **options)


def test_mixed_precision_is_refused():
    with pytest.raises(TypeError, match="float32 and float64"):
        run(conv, values(1, 1, 4, 4).astype(np.float32), values(1, 1, 2, 2), None, **PLAIN)


@pytest.mark.parametrize(
    ("plane", "options", "largest", "gradient"),
    [
        ([[1, 2], [2, 1]], {}, 2, [[0, 1], [0, 0]]),
        ([[1, NAN], [3, 2]], {}, NAN, [[0, 1], [0, 0]]),
        ([[NAN, 1], [NAN, 3]], {}, NAN, [[0, 0], [1, 0]]),
        ([[-INF, -INF], [-INF, -INF]], {}, -INF, [[1, 0], [0, 0]]),
        ([[-INF, 5], [INF, INF]], {}, INF, [[0, 0], [1, 0]]),
        ([[-0.0, 0.0], [0.0, -0.0]], {}, -0.0, [[1, 0], [0, 0]]),
        ([[1]], {"dilation": 2, "padding": 1}, -INF, [[0]]),  # the window sees nothing but padding
    ],
)
def test_the_first_maximum_or_the_last_nan_gets_the_gradient(plane, options, largest, gradient):
    x = ts.tensor([[plane]], dtype=np.float32, requires_grad=True)
    value = apply(max_pool, x, **MAX | {"kernel_size": 2} | options)
    value.backward(np.ones(value.shape))
    assert np.array_equal(value.numpy().ravel(), [largest], equal_nan=True)
    assert np.signbit(value.numpy()).item() == np.signbit(np.float32(largest))
    assert np.array_equal(x.grad.numpy(), [[gradient]])


FORMS = {
    "transposed": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[..., ::-1].copy()[..., ::-1],
    "misaligned": lambda x: np.frombuffer(b"-" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["conv", "max_pool", "avg_pool"])
def test_arrays_of_any_form(name, dtype, form):
    operation = ops.OPERATIONS[name]
    options = {"conv": PLAIN, "max_pool": MAX | {"kernel_size": 2}, "avg_pool": AVG | {"kernel_size": 2}}[name]
    shapes = [(2, 3, 5, 4), (4, 3, 3, 2), (4,)] if name == "conv" else [(2, 3, 5, 4)]
    arrays = [values(*shape, seed=seed).astype(dtype) for seed, shape in enumerate(shapes)]
    needs = [True] * len(arrays)
    value, vjp = operation.forward(needs, *arrays, **options)
    other, other_vjp = operation.forward(needs, *map(FORMS[form], arrays), **options)
    assert np.array_equal(value, other)
    g, nowhere = values(*value.shape).astype(dtype), [None] * len(arrays)
    for ours, theirs in zip(vjp(g, nowhere), other_vjp(FORMS[form](g), nowhere), strict=True):
        assert np.array_equal(ours, theirs)


def test_a_gradient_may_be_one_number_for_all():
    x, weight, bias = values(2, 3, 5, 4), values(4, 3, 3, 2), values(4)
    value, vjp = conv.forward([True] * 3, x, weight, bias, **PLAIN)
    for stretched, whole in zip(
        vjp(np.broadcast_to(1.0, value.shape), [None] * 3), vjp(np.ones(value.shape), [None] * 3), strict=True
    ):
        assert np.array_equal(stretched, whole)


def test_a_gradient_of_another_precision_is_brought_to_that_of_the_value():
    x, weight, bias = (values(*shape).astype(np.float32) for shape in [(2, 3, 5, 4), (4, 3, 3, 2), (4,)])
    value, vjp = conv.forward([True] * 3, x, weight, bias, **PLAIN)
    for wide, narrow in zip(vjp(value.astype(np.float64), [None] * 3), vjp(value, [None] * 3), strict=True):
        assert wide.dtype == np.float32
        assert np.array_equal(wide, narrow)


def test_the_system_is_not_asked_for_memory_again_at_each_step():
    x, weight = np.ones((32, 6, 14, 14), np.float32), np.ones((16, 6, 5, 5), np.float32)

    def step():
        value, vjp = conv.forward([True, True, False], x, weight, None, **PLAIN)
        vjp(value, [None] * 3)

    for _ in range(5):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        step()
    pages = 32 * 150 * 100 * 4 // resource.getpagesize()  # of the columns alone
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 20 * pages / 10


def test_the_input_may_change_before_backward():
    x, weight = (ts.tensor(values(*shape), requires_grad=True) for shape in [(1, 3, 5, 4), (4, 3, 3, 2)])
    value = apply(conv, x, weight, None, **PLAIN)
    x._bump_version()  # what is kept for the weight's gradient is a copy
    value.backward(np.ones(value.shape))
    second = apply(conv, x, weight, None, **PLAIN)
    weight._bump_version()
    with pytest.raises(ts.GraphError, match="modified in place"):
        second.backward(np.ones(value.shape))
