import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import SAMPLES
from samples.common import values
from samples.drawn import DRAWN

import trainstation as ts
from trainstation.ops import OPERATIONS, OUTPUT, Operation
from trainstation.tensor import apply
from trainstation.testing import check_grad


def differentiable(x):
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def check(operation, inputs, **options):
    """Check the gradient of every floating-point array among the inputs, together and each alone."""
    positions = [i for i, x in enumerate(inputs) if differentiable(x)]
    for wanted in (positions, *([i] for i in positions)):
        tensors = [ts.tensor(x, requires_grad=i in wanted) if differentiable(x) else x for i, x in enumerate(inputs)]

        def function(*given, tensors=tensors):
            rest = iter(given)
            return apply(operation, *(next(rest) if isinstance(x, ts.Tensor) else x for x in tensors), **options)

        check_grad(function, [x for x in tensors if isinstance(x, ts.Tensor)])


def samples():
    for name, cases in SAMPLES.items():
        for position, (inputs, options) in enumerate(cases):
            yield pytest.param(OPERATIONS.get(name), inputs, options, id=f"{name}-{position}")


every_sample = pytest.mark.parametrize(("operation", "inputs", "options"), list(samples()))


def test_every_operation_has_samples():
    assert set(SAMPLES) == set(OPERATIONS)
    assert all(SAMPLES.values())


@every_sample
def test_gradient_is_that_of_differences(operation, inputs, options):
    check(operation, inputs, **options)


@every_sample
def test_each_gradient_has_the_shape_and_dtype_of_its_input(operation, inputs, options):
    narrow = [x.astype(np.float32) if differentiable(x) else x for x in inputs]
    for position, x in enumerate(narrow):
        if differentiable(x):
            value, vjp = operation.forward([i == position for i in range(len(inputs))], *narrow, **options)
            assert value.dtype == options.get("dtype", np.float32)
            gradients = vjp(np.ones_like(value), [None] * len(inputs))
            assert (gradients[position].shape, gradients[position].dtype) == (x.shape, np.float32)
            assert [g is None for g in gradients] == [i != position for i in range(len(inputs))]


@every_sample
def test_a_gradient_reads_only_what_it_says(operation, inputs, options):
    for position, x in enumerate(inputs):
        if not differentiable(x):
            continue
        copies = [np.array(x) if isinstance(x, np.ndarray) else x for x in inputs]
        needs = [i == position for i in range(len(inputs))]
        value, vjp = operation.forward(needs, *copies, **options)
        value = np.asarray(value)
        gradient, nowhere = np.ones_like(value), [None] * len(inputs)
        expected = np.array(vjp(gradient, nowhere)[position])
        may_change = {i: copies[i] for i in range(len(inputs))} | {OUTPUT: value}
        for index, array in may_change.items():
            if (
                index not in operation.reads_of(len(inputs))[position]
                and isinstance(array, np.ndarray)
                and array.flags.writeable
            ):
                array[...] = 0 if array.dtype.kind in "iu" else 77
        assert np.array_equal(vjp(gradient, nowhere)[position], expected)


@every_sample
def test_the_graph_keeps_no_array_that_no_gradient_reads(operation, inputs, options):
    copies = [np.array(x) if isinstance(x, np.ndarray) else x for x in inputs]
    needs = [differentiable(x) for x in inputs]
    read = {i for position, need in enumerate(needs) if need for i in operation.reads_of(len(inputs))[position]}
    value, vjp = operation.forward(needs, *copies, **options)
    kept = {i: weakref.ref(x) for i, x in enumerate(copies) if isinstance(x, np.ndarray)}
    if type(value) is np.ndarray:
        kept[OUTPUT] = weakref.ref(value)
    del copies, value
    assert callable(vjp)
    assert {index for index, ref in kept.items() if ref() is not None} <= read


@every_sample
def test_a_gradient_is_written_where_it_will_stand(operation, inputs, options):
    """What is offered is overwritten and returned, or left alone; the gradient is the same."""
    needs = [differentiable(x) for x in inputs]
    value, vjp = operation.forward(needs, *inputs, **options)
    expected = [None if part is None else np.array(part) for part in vjp(np.ones_like(value), [None] * len(inputs))]
    out = [np.full(x.shape, np.nan) if need else None for need, x in zip(needs, inputs, strict=True)]
    for offered, part, wanted in zip(out, vjp(np.ones_like(value), out), expected, strict=True):
        if wanted is not None:
            assert np.array_equal(part, wanted, equal_nan=True)
            assert part is offered or np.isnan(offered).all()


def test_something_is_drawn_for_every_operation():
    assert set(DRAWN) == set(OPERATIONS)


@pytest.mark.parametrize("name", sorted(DRAWN))
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_gradients_of_whatever_is_drawn(name, data):
    inputs, options = data.draw(DRAWN[name])
    check(OPERATIONS[name], inputs, **options)


def wrong(reads=((),), **parts):
    def forward(needs, x):
        return parts["value"](x), lambda g, out: (parts["vjp"](g, x),)

    return Operation("wrong", forward, reads, view=False)


class TestCheckGrad:
    @pytest.mark.parametrize(
        "vjp",
        [
            lambda g, x: -2 * g * x,
            lambda g, x: 2 * g * x * (1 + 1e-4),
            lambda g, x: 2 * g * np.abs(x),
            lambda g, x: np.roll(2 * g * x, 1),
            lambda g, x: 2 * g * x + (np.arange(x.size) == 2),
            lambda g, x: np.zeros_like(x),
            lambda g, x: None,
            lambda g, x: g * x * np.nan,
        ],
    )
    def test_a_wrong_gradient_is_found(self, vjp):
        square = wrong(value=lambda x: x * x, vjp=vjp)
        with pytest.raises(AssertionError, match="gradient 0"):
            check_grad(lambda x: apply(square, x), [ts.tensor(values(6), requires_grad=True)])

    def test_the_right_one_passes(self):
        square = wrong(value=lambda x: x * x, vjp=lambda g, x: 2 * g * x)
        check_grad(lambda x: apply(square, x), [ts.tensor(values(6), requires_grad=True)])

    def test_the_wrong_input_is_named(self):
        product = Operation("product", lambda needs, x, y: (x * y, lambda g, out: (g * y, g)), ((1,), (0,)), view=False)
        x, y = (ts.tensor(values(3, seed=seed), requires_grad=True) for seed in (0, 1))
        with pytest.raises(AssertionError, match="gradient 1"):
            check_grad(lambda x, y: apply(product, x, y), [x, y])

    def test_a_gradient_of_another_shape_is_found(self):
        total = wrong(value=lambda x: x * 2, vjp=lambda g, x: 2 * g.sum())
        with pytest.raises(ts.ShapeError):
            check_grad(lambda x: apply(total, x), [ts.tensor(values(3), requires_grad=True)])

    def test_inputs_are_left_as_they_were(self):
        x = ts.tensor(values(3), requires_grad=True)
        kept = x.data
        check_grad(lambda x: x * x, [x])
        assert x.data is kept

        def fails(x):
            if not ts.is_grad_enabled():
                raise KeyError
            return x * x

        with pytest.raises(KeyError):
            check_grad(fails, [x])
        assert x.data is kept

    def test_single_precision_is_refused(self):
        with pytest.raises(TypeError, match="float32"):
            check_grad(lambda x: x * x, [ts.tensor([1.0], requires_grad=True)])

    def test_nothing_to_check_is_an_error(self):
        with pytest.raises(ts.GraphError):
            check_grad(lambda x: x * x, [ts.tensor(values(3))])

    def test_a_whole_model_can_be_checked(self):
        x, w, b = (ts.tensor(values(*shape), requires_grad=True) for shape in [(4, 3), (5, 3), (5,)])
        check_grad(lambda x, w, b: ts.nn.functional.linear(x, w, b).tanh().log_softmax().mean(), [x, w, b])
