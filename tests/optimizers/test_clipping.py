"""max_grad_norm, on_nonfinite and last_step: what a step knows of all gradients before anything moves."""

import math

import numpy as np
import pytest
from cases import DEFAULT, FLUSH
from steps import VARIANTS, everything, interpreted, variants, with_gradient

import trainstation as ts
from trainstation import kernels
from trainstation.optimizers import SGD, Adam, RMSprop
from trainstation.optimizers.elementwise import sum_of_squares

SHAPES = [(), (0, 3), (7,), (3, 5), (4097,), (1,)]


def parameters(dtype=np.float32, seed=0, layout=None):
    """Parameters with gradients; one of them laid out otherwise, so that its rule cannot run compiled."""
    rng = np.random.default_rng(seed)
    made = [with_gradient(rng.standard_normal(s), 10 * rng.standard_normal(s), dtype) for s in SHAPES]
    if layout:
        array = np.zeros((5, 3), dtype).T if layout == "data" else made[3].grad.data
        array[...] = made[3].data if layout == "data" else array
        if layout == "data":
            made[3].data = array
        else:
            made[3].grad = np.asfortranarray(array)
    return made


def norm_of(params):
    total = 0.0
    for p in params:
        total += sum_of_squares(p.grad.data)
    return math.sqrt(total)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@variants
def test_clipping_is_scaling_all_gradients_by_hand(kind, hyper, dtype):
    ours, theirs = parameters(dtype), parameters(dtype)
    clipped, plain = kind(ours, **hyper, max_grad_norm=2.0), kind(theirs, **hyper)
    for seed in range(3):
        for p, q, r in zip(ours, theirs, parameters(dtype, seed), strict=True):
            p.grad = r.grad.data
            q.grad = r.grad.data.copy()
        norm = norm_of(theirs)
        factor = 2.0 / (norm + 1e-6)
        assert factor < 1
        for q in theirs:
            q.grad.data[...] *= dtype(factor)
        clipped.step()
        plain.step()
        assert everything(clipped) == everything(plain)
        assert clipped.last_step == (norm, False, kernels.isa())
        assert plain.last_step == (None, False, kernels.isa())


@pytest.mark.parametrize("max_norm", [None, 1e-3, 1.0, 1e9])
@pytest.mark.parametrize("layout", [None, "data", "gradient"])
@pytest.mark.parametrize("isa", kernels.isas())
@variants
def test_compiled_mixed_and_interpreted_steps_have_the_same_bits_and_norm(kind, hyper, isa, layout, max_norm):
    results = []
    for each in (kind, interpreted(kind)):
        params = parameters(layout=layout)
        optimizer = each([{"params": params[:2]}, {"params": params[2:], "lr": 0.3}], **hyper, max_grad_norm=max_norm)
        with kernels.use(isa):
            for _ in range(3):
                optimizer.step()
        results.append((everything(optimizer), optimizer.last_step.grad_norm))
        assert optimizer.last_step.isa == (isa if each is kind else "numpy")
    assert results[0] == results[1]
    assert results[0][1] == (None if max_norm is None else norm_of(params))


@pytest.mark.parametrize("kind", [SGD, interpreted(SGD)], ids=["compiled", "interpreted"])
def test_a_norm_below_the_limit_changes_no_bit(kind):
    one, other = with_gradient([1.0, 2.0], [3.0, 4.0]), with_gradient([1.0, 2.0], [3.0, 4.0])
    kind([one], lr=0.1, max_grad_norm=5.00001).step()
    kind([other], lr=0.1).step()
    assert one.data.tobytes() == other.data.tobytes()


@pytest.mark.parametrize("kind", [SGD, interpreted(SGD)], ids=["compiled", "interpreted"])
def test_the_norm_is_of_this_step_alone(kind):
    p, q = with_gradient([0.0], [3.0]), with_gradient([0.0], [4.0])
    optimizer = kind([{"params": [p]}, {"params": [q]}], max_grad_norm=100.0)
    optimizer.step()
    assert optimizer.last_step.grad_norm == 5
    optimizer.step([q])
    assert optimizer.last_step.grad_norm == 4
    p.grad = None
    optimizer.step()
    assert optimizer.last_step.grad_norm == 4


def test_the_limit_may_be_changed_between_steps():
    p = with_gradient([0.0], [4.0])
    optimizer = SGD([p], lr=1.0, max_grad_norm=2.0)
    optimizer.step()
    assert p.data[0] == pytest.approx(-2)
    optimizer.max_grad_norm = None
    optimizer.step()
    assert p.data[0] == pytest.approx(-6)
    assert optimizer.last_step.grad_norm is None


@variants
def test_clipping_and_maximize_leave_the_gradients_alone(kind, hyper):
    params = parameters()
    before = [p.grad.data.tobytes() for p in params]
    kind(params, **{**hyper, "maximize": True}, max_grad_norm=0.5).step()
    assert [p.grad.data.tobytes() for p in params] == before


@pytest.mark.parametrize("limit", [0, -1.0, math.nan])
def test_a_senseless_limit_is_refused(limit):
    with pytest.raises(ValueError, match="Invalid max_grad_norm value"):
        SGD(max_grad_norm=limit)


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="'ignore', 'raise', 'skip', not 'stop'"):
        SGD(on_nonfinite="stop")


@pytest.mark.parametrize("layout", [lambda a: a, lambda a: np.repeat(a, 2)[::2]], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        *(("max_grad_norm", value, ValueError) for value in (0, -1, -1.0, math.nan)),
        ("max_grad_norm", "1", TypeError),
        ("on_nonfinite", "stop", ValueError),
        ("on_nonfinite", None, ValueError),
    ],
)
def test_a_senseless_policy_that_is_set_later_is_refused_by_each_step_until_it_is_mended(
    name, value, error, steps, layout
):
    p = ts.Tensor.from_numpy(layout(np.ones(4, np.float32))).requires_grad_()
    p.grad = np.ones(4, np.float32)
    optimizer = SGD([p], lr=0.25, momentum=0.5)
    for _ in range(steps):
        optimizer.step()
    former, before = getattr(optimizer, name), everything_and_more(optimizer, [p])
    setattr(optimizer, name, value)
    for _ in range(2):
        with pytest.raises(error, match=name):
            optimizer.step()
        assert everything_and_more(optimizer, [p]) == before
    setattr(optimizer, name, former)
    optimizer.step()
    assert int(optimizer.state[p]["step"]) == steps + 1


def everything_and_more(optimizer, params):
    """What a step that is refused may not change: bytes, keys, arrays themselves, versions."""
    states = [{k: id(v) for k, v in optimizer.state[p].items()} if p in optimizer.state else None for p in params]
    return everything(optimizer), states, [p._version[0] for p in params], [p.grad.data.tobytes() for p in params]


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("layout", [None, "data"])
@pytest.mark.parametrize(("kind", "hyper"), [VARIANTS[1], VARIANTS[5], VARIANTS[10]], ids=["Adam", "SGD", "RMSprop"])
def test_a_step_that_is_refused_leaves_everything_as_it_was(kind, hyper, layout, value, place):
    for make in (kind, interpreted(kind)):
        for spoiled in (2, 3, 4, 5):
            params = parameters(layout=layout)
            raising = make(params, **hyper, on_nonfinite="raise", max_grad_norm=1.0)
            skipping = make(params, **hyper, on_nonfinite="skip")
            for warm in (False, True):
                if warm:
                    raising.step()
                    skipping.step()
                good = params[spoiled].grad.data.copy()
                params[spoiled].grad.data.flat[place if params[spoiled].data.size > 1 else 0] = value
                before = [everything_and_more(each, params) for each in (raising, skipping)]
                with pytest.raises(ts.NonFiniteGradientError, match=f"parameter {spoiled} of group 0"):
                    raising.step()
                skipping.step()
                assert skipping.last_step.skipped
                assert not math.isfinite(skipping.last_step.grad_norm)
                assert [everything_and_more(each, params) for each in (raising, skipping)] == before
                params[spoiled].grad.data[...] = good
            skipping.step()
            assert not skipping.last_step.skipped
            assert skipping.state[params[0]]["step"] == 2


@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_a_step_that_is_refused_adds_no_state_that_changed_flags_ask_for(policy):
    p = with_gradient([1.0], [1.0])
    optimizer = Adam([p], on_nonfinite=policy)
    optimizer.step()
    optimizer.param_groups[0]["amsgrad"] = True
    p.grad.data[...] = np.nan
    before = everything(optimizer)
    try:
        optimizer.step()
    except ts.NonFiniteGradientError:
        assert policy == "raise"
    assert everything(optimizer) == before


def test_the_first_of_several_parameters_is_named():
    params = [with_gradient([1.0], [math.nan if k in (1, 2) else 1.0]) for k in range(4)]
    for kind in (SGD, interpreted(SGD)):
        with pytest.raises(ts.NonFiniteGradientError, match="'bias'"):
            kind(list(zip(("weight", "bias", "scale", "shift"), params, strict=True)), on_nonfinite="raise").step()


@pytest.mark.parametrize("kind", [Adam, interpreted(Adam)], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("policy", ["ignore", "raise", "skip"])
def test_finite_doubles_whose_squares_overflow_are_finite(kind, policy):
    p, q = with_gradient([1.0], [1e200], np.float64), with_gradient([1.0], [1e200], np.float64)
    optimizer, plain = kind([p], on_nonfinite=policy), kind([q])
    optimizer.step()
    plain.step()
    assert p.data.tobytes() == q.data.tobytes()
    assert not optimizer.last_step.skipped
    assert optimizer.last_step.grad_norm == (None if policy == "ignore" else math.inf)


@pytest.mark.parametrize("kind", [SGD, interpreted(SGD)], ids=["compiled", "interpreted"])
def test_without_a_policy_the_rest_of_the_parameters_still_move(kind):
    p, q = with_gradient([1.0], [math.nan]), with_gradient([1.0], [1.0])
    kind([p, q], lr=0.5).step()
    assert np.isnan(p.data[0])
    assert q.data[0] == 0.5


@pytest.mark.parametrize("kind", [Adam, interpreted(Adam)], ids=["compiled", "interpreted"])
def test_a_skipped_step_does_not_count(kind):
    p, q = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0])
    skipping, plain = kind([p], on_nonfinite="skip"), kind([q])
    for t in range(6):
        p.grad = np.array([math.nan if t % 3 == 0 else t], np.float32)
        skipping.step()
        if t % 3:
            q.grad = np.array([t], np.float32)
            plain.step()
    assert everything(skipping) == everything(plain)


@pytest.mark.parametrize("kind", [RMSprop, interpreted(RMSprop)], ids=["compiled", "interpreted"])
def test_flush_to_zero_in_the_caller_changes_no_norm(kind):
    def run(mode):
        p = with_gradient([1.0, 2.0], [1e-42, 1e-41])
        optimizer = kind([p], max_grad_norm=1e-45)
        default = kernels.default_fp_mode()
        kernels.restore_fp_mode(mode)
        try:
            optimizer.step()
        finally:
            kernels.restore_fp_mode(default)
        return everything(optimizer), optimizer.last_step.grad_norm

    assert run(FLUSH) == run(DEFAULT)
    assert run(DEFAULT)[1] > 0


def test_before_the_first_step_there_is_no_last_one():
    assert SGD().last_step is None


def test_steps_without_a_gradient_measure_nothing():
    p = with_gradient([1.0], [1.0])
    p.grad = None
    optimizer = SGD([p], max_grad_norm=1.0, on_nonfinite="raise")
    with pytest.warns(ts.NoGradientWarning):
        optimizer.step()
    for _ in range(3):
        optimizer.step()
        optimizer.step([])
    assert optimizer.last_step.grad_norm in (None, 0)
    p.grad = np.ones(1, np.float32)
    optimizer.step()
    assert optimizer.last_step.grad_norm == 1
