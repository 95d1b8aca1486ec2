import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainstation as ts
from trainstation import nn

SHAPES = [(3, 5), (), (0,), (5000,), (70_000,)]


def parameters(dtype=np.float32, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    made = [ts.Tensor.zeros(shape, dtype=dtype, requires_grad=True) for shape in SHAPES]
    for each in made:
        each.grad = np.asarray(scale * rng.standard_normal(each.shape), dtype)
    return made


def gradients(them):
    return [each.grad.numpy() for each in them]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", [2.0, 1.0, 3.5, np.inf])
@pytest.mark.parametrize("max_norm", [1.0, 1e9, 0.0])
def test_the_norm_is_that_of_all_gradients(dtype, order, max_norm):
    them = parameters(dtype)
    before = [each.copy() for each in gradients(them)]
    expected = np.linalg.norm(np.concatenate([each.ravel().astype(np.float64) for each in before]), order)
    norm = ts.clip_grad_norm_(them, max_norm, order)
    assert norm == pytest.approx(expected, rel=1e-12)
    factor = dtype(min(1.0, max_norm / (norm + 1e-6)))
    for old, new in zip(before, gradients(them), strict=True):
        np.testing.assert_array_equal(new, old * factor if max_norm < norm else old)


@pytest.mark.parametrize("isa", ts.kernels.isas())
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_bits_are_those_of_a_step_that_clips(isa, threads):
    former = ts.get_num_threads()
    by_hand, in_step = parameters(seed=3), parameters(seed=3)
    try:
        ts.set_num_threads(threads)
        with ts.kernels.use(isa):
            norm = ts.clip_grad_norm_(by_hand, 0.5)
            ts.optimizers.SGD(by_hand, lr=0.1).step()
            optimizer = ts.optimizers.SGD(in_step, lr=0.1, max_grad_norm=0.5)
            optimizer.step()
    finally:
        ts.set_num_threads(former)
    assert optimizer.last_step.grad_norm == norm
    for a, b in zip(by_hand, in_step, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    reference = parameters(seed=3)
    with ts.kernels.use("scalar"):
        assert ts.clip_grad_norm_(reference, 0.5) == norm


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40), st.floats(0.125, 100, width=32))
def test_values_lie_between_the_limits(numbers, limit):
    parameter = ts.Tensor.zeros(len(numbers), requires_grad=True)
    parameter.grad = np.array(numbers, np.float32)
    ts.clip_grad_value_(parameter, limit)
    expected = [min(max(number, -limit), limit) for number in numbers]
    np.testing.assert_array_equal(parameter.grad.numpy(), np.float32(expected))


def test_a_module_pairs_and_one_parameter_are_taken():
    model = nn.Linear(3, 2)
    model(ts.Tensor.ones((4, 3))).sum().backward()
    norm = ts.clip_grad_norm_(model, 1e9)
    assert norm == ts.clip_grad_norm_(model.parameters(), 1e9) == ts.clip_grad_norm_(model.named_parameters(), 1e9)
    assert ts.clip_grad_norm_(model.bias, 1e9) == pytest.approx(4 * 2**0.5)


def test_without_gradients_the_norm_is_zero():
    assert ts.clip_grad_norm_(nn.Linear(3, 2), 1.0) == 0
    assert ts.clip_grad_norm_([], 1.0) == ts.clip_grad_norm_(iter([]), 1.0) == 0
    ts.clip_grad_value_([], 1.0)


def test_a_gradient_that_two_share_is_scaled_once():
    them = [ts.Tensor.zeros(2, requires_grad=True) for _ in range(2)]
    shared = np.array([3.0, 4.0], np.float32)
    for each in them:
        each.grad = shared
    assert ts.clip_grad_norm_(them, 1.0) == 5
    np.testing.assert_allclose(shared, [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_norm_that_is_not_finite(wrong):
    them = parameters()
    them[3].grad.numpy()[7] = wrong
    before = [each.copy() for each in gradients(them)]
    with pytest.raises(ts.NonFiniteGradientError, match=f"norm of order 2.0 of the gradients is {wrong}"):
        ts.clip_grad_norm_(them, 1.0, error_if_nonfinite=True)
    for old, new in zip(before, gradients(them), strict=True):
        np.testing.assert_array_equal(new, old)
    assert repr(ts.clip_grad_norm_(them, 1.0)) == repr(float(wrong))


def frozen(*shape):
    parameter = ts.Tensor.zeros(shape, requires_grad=True)
    gradient = np.ones(shape, np.float32)
    gradient.flags.writeable = False
    parameter.grad = gradient
    return parameter


@pytest.mark.parametrize("clip", [ts.clip_grad_norm_, ts.clip_grad_value_])
def test_refused_before_anything_changes(clip):
    for last, error, words in [
        (frozen(2), ValueError, "parameter 5: its gradient is read-only"),
        (("w", frozen(2)), ValueError, "parameter 'w': its gradient is read-only"),
        (3, TypeError, "parameter 5: a parameter has `.grad`; int has none"),
    ]:
        them = parameters()
        before = [each.copy() for each in gradients(them)]
        with pytest.raises(error, match=words):
            clip([*them, last], 0.001)
        for old, new in zip(before, gradients(them), strict=True):
            np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize(
    ("clip", "numbers", "words"),
    [
        (ts.clip_grad_norm_, (-1.0,), "Invalid max_norm value: -1.0"),
        (ts.clip_grad_norm_, (float("nan"),), "Invalid max_norm value: nan"),
        (ts.clip_grad_norm_, (1.0, 0), "Invalid norm_type value: 0"),
        (ts.clip_grad_value_, (-1,), "Invalid clip_value value: -1"),
    ],
)
def test_numbers_out_of_range(clip, numbers, words):
    with pytest.raises(ValueError, match=words):
        clip([], *numbers)
