import copy
import math
import pickle

import pytest

import trainstation as ts
from trainstation import schedules
from trainstation.schedulers import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)


class Groups:
    """The least that a scheduler needs."""

    def __init__(self, *rates):
        self.param_groups = [{"params": [], "lr": rate} for rate in rates]


def optimizer(*rates):
    groups = [{"params": [ts.Tensor.ones(2, requires_grad=True)], "lr": rate} for rate in rates]
    return ts.optimizers.SGD(groups)


def warm_up(opt):
    return SequentialLR(opt, [LinearLR(opt, 0.1, total_iters=4), CosineAnnealingLR(opt, 8, 1e-4)], [4])


def rates(scheduler, steps):
    """The rate of the first group before each step."""
    seen = []
    for _ in range(steps):
        seen.append(scheduler.get_last_lr()[0])
        scheduler.step()
    return seen


# how to make it; the rate at step t from the base rate b
CLOSED = {
    "cosine": (lambda o: CosineAnnealingLR(o, 10), lambda b, t: b * (1 + math.cos(math.pi * t / 10)) / 2),
    "cosine, floor": (
        lambda o: CosineAnnealingLR(o, T_max=7, eta_min=0.01),
        lambda b, t: 0.01 + (b - 0.01) * (1 + math.cos(math.pi * t / 7)) / 2,
    ),
    "linear": (LinearLR, lambda b, t: b * (1 / 3 + 2 / 3 * min(t, 5) / 5)),
    "linear, down": (lambda o: LinearLR(o, 1.0, 0.2, 8), lambda b, t: b * (1 - 0.8 * min(t, 8) / 8)),
    "linear, to nothing": (lambda o: LinearLR(o, 0.5, 0.0, 4), lambda b, t: b * (0.5 - 0.5 * min(t, 4) / 4)),
    "linear, at once": (lambda o: LinearLR(o, total_iters=0), lambda b, t: b),
    "step": (lambda o: StepLR(o, 3), lambda b, t: b * 0.1 ** (t // 3)),
    "step, gamma": (lambda o: StepLR(o, step_size=4, gamma=0.5), lambda b, t: b * 0.5 ** (t // 4)),
    "exponential": (lambda o: ExponentialLR(o, 0.9), lambda b, t: b * 0.9**t),
    "warm-up": (
        warm_up,
        lambda b, t: (
            b * (0.1 + 0.9 * t / 4) if t < 4 else 1e-4 + (b - 1e-4) * (1 + math.cos(math.pi * (t - 4) / 8)) / 2
        ),
    ),
    "three": (
        lambda o: SequentialLR(o, [StepLR(o, 2, 0.5), ExponentialLR(o, 0.5), LinearLR(o, 0.5, 1, 4)], [5, 8]),
        lambda b, t: b * (0.5 ** (t // 2) if t < 5 else 0.5 ** (t - 5) if t < 8 else 0.5 + 0.5 * min(t - 8, 4) / 4),
    ),
    "nested": (
        lambda o: SequentialLR(o, [warm_up(o), ExponentialLR(o, 0.5)], [6]),
        lambda b, t: CLOSED["warm-up"][1](b, t) if t < 6 else b * 0.5 ** (t - 6),
    ),
}


@pytest.mark.parametrize("case", CLOSED)
@pytest.mark.parametrize("make", [Groups, optimizer])
def test_follows_its_closed_form_in_every_group(case, make):
    built, closed = CLOSED[case]
    bases = (0.1, 3e-4, 1)
    opt = make(*bases)
    scheduler = built(opt)
    for t in range(25):
        assert scheduler.last_epoch == t
        expected = [closed(base, t) for base in bases]
        assert scheduler.get_last_lr() == pytest.approx(expected, rel=1e-14, abs=1e-17)
        assert [group["lr"] for group in opt.param_groups] == scheduler.get_last_lr()
        scheduler.step()


def test_exponential_decay_is_the_specifications_loop():
    by_hand, scheduled = optimizer(0.5), optimizer(0.5)
    scheduler = StepLR(scheduled, 10, gamma=0.9)
    for epoch in range(100):
        if epoch % 10 == 0 and epoch > 0:
            by_hand.set_learning_rate(by_hand.learning_rate() * 0.9)
        assert scheduled.learning_rate() == pytest.approx(by_hand.learning_rate(), rel=1e-14)
        scheduler.step()


def test_step_decay_is_the_specifications_loop():
    scheduler = StepLR(optimizer(1e-3), 30)
    by_hand = [1e-3] * 30 + [1e-4] * 30 + [1e-5] * 30 + [1e-6] * 30
    assert rates(scheduler, 120) == pytest.approx(by_hand, rel=1e-14)


def test_plateau_is_the_specifications_loop():
    losses = [1.0, 0.9, 0.8, 0.8, 0.9, 0.81, 0.85, 0.9, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]
    opt, lr, best, patience = optimizer(0.1), 0.1, math.inf, 0
    scheduler = ReduceLROnPlateau(opt, factor=0.5, patience=4, threshold=0)
    for loss in losses:
        if loss < best:
            best, patience = loss, 0
        else:
            patience += 1
            if patience >= 5:
                lr *= 0.5
                patience = 0
        scheduler.step(loss)
        assert opt.learning_rate() == lr
    assert lr < 0.1


@pytest.mark.parametrize(
    ("options", "metrics", "expected"),
    [
        ({"patience": 1}, [1, 1, 1, 1], [1, 1, 0.1, 0.1]),
        ({"patience": 0}, [1, 1, 1], [1, 0.1, 0.01]),
        ({}, [1] * 12, [1] * 11 + [0.1]),
        ({"patience": 0, "threshold": 0}, [1, 1, 0.9], [1, 0.1, 0.1]),
        ({"patience": 0, "threshold": 0, "mode": "max"}, [1, 1, 1.1], [1, 0.1, 0.1]),
        ({"patience": 0, "eps": 0.5, "factor": 0.5}, [1, 1], [1, 1]),
        ({"patience": 0, "mode": "max"}, [1, 2, 1, 3], [1, 1, 0.1, 0.1]),
        ({"patience": 0, "mode": "max", "threshold": 0.5}, [1, 1.4, 1.6], [1, 0.1, 0.1]),
        ({"patience": 0, "mode": "max", "threshold": 0.5}, [-1, -1.4, -2.2], [1, 1, 0.1]),  # as torch does
        ({"patience": 0, "threshold": 0.5}, [1, 0.6, 0.4], [1, 0.1, 0.1]),
        ({"patience": 0, "threshold": 0.5, "threshold_mode": "abs"}, [1, 0.6, 0.4], [1, 0.1, 0.1]),
        ({"patience": 0, "threshold": 0.5, "threshold_mode": "abs", "mode": "max"}, [1, 1.4, 1.6], [1, 0.1, 0.1]),
        ({"patience": 0, "cooldown": 2}, [1, 1, 1, 1, 1], [1, 0.1, 0.1, 0.1, 0.01]),
        ({"patience": 0, "min_lr": 0.05}, [1, 1, 1], [1, 0.1, 0.05]),
        ({"patience": 0, "eps": 0.5}, [1, 1, 1], [1, 0.1, 0.1]),
        ({"patience": 0}, [math.nan, 1, math.nan, 0.5], [0.1, 0.1, 0.01, 0.01]),
        ({"patience": 0}, [math.inf, 1, -math.inf, -math.inf], [0.1, 0.1, 0.1, 0.01]),
    ],
)
def test_plateau(options, metrics, expected):
    opt = Groups(1.0)
    scheduler = ReduceLROnPlateau(opt, **options)
    for step, (metric, rate) in enumerate(zip(metrics, expected, strict=True)):
        assert scheduler.last_epoch == step
        scheduler.step(metric)
        assert scheduler.get_last_lr() == pytest.approx([rate])


def test_plateau_has_a_least_rate_for_each_group():
    opt = Groups(1.0, 1.0)
    scheduler = ReduceLROnPlateau(opt, patience=0, min_lr=[0.5, 0.01])
    scheduler.step(1)
    scheduler.step(1)
    assert scheduler.get_last_lr() == pytest.approx([0.5, 0.1])


def test_plateau_never_raises_a_rate_to_the_least():
    opt = Groups(1.0, 0.01)
    scheduler = ReduceLROnPlateau(opt, patience=0, min_lr=0.05)
    scheduler.step(1)
    scheduler.step(1)
    assert scheduler.get_last_lr() == pytest.approx([0.1, 0.01])


def test_plateau_takes_a_tensor():
    scheduler = ReduceLROnPlateau(Groups(1.0), patience=0)
    scheduler.step(ts.tensor(2.0))
    assert scheduler.best == 2.0


# Resuming


@pytest.mark.parametrize("order", ["optimizer last", "optimizer first", "scheduler first", "both built first"])
@pytest.mark.parametrize("case", [*CLOSED, "plateau"])
def test_resumes_at_every_step_whatever_is_built_and_loaded_first(case, order):
    losses = [1, 0.9, 0.95, 0.9, 0.9, 0.8, 0.8, 0.8, 0.8, 0.9, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]

    def build(opt):
        return ReduceLROnPlateau(opt, patience=1, cooldown=1) if case == "plateau" else CLOSED[case][0](opt)

    def step(scheduler, t):
        scheduler.step(*([losses[t]] if case == "plateau" else []))

    whole = optimizer(0.1, 0.3)
    scheduler, states, expected = build(whole), [], []
    for t in range(len(losses)):
        states.append(copy.deepcopy((whole.state_dict(), scheduler.state_dict())))
        step(scheduler, t)
        expected.append(scheduler.get_last_lr())
    for k, (saved_optimizer, saved_scheduler) in enumerate(states):
        opt = optimizer(0.7, 0.7)  # another rate than the saved one: loading must not depend on it
        if order == "optimizer first":
            opt.load_state_dict(saved_optimizer)
        resumed = build(opt)
        if order == "scheduler first":
            resumed.load_state_dict(saved_scheduler)
            opt.load_state_dict(saved_optimizer)
        elif order == "both built first":
            opt.load_state_dict(saved_optimizer)
            resumed.load_state_dict(saved_scheduler)
        else:
            resumed.load_state_dict(saved_scheduler)
            if order == "optimizer last":
                opt.load_state_dict(saved_optimizer)
        for t in range(k, len(losses)):
            step(resumed, t)
            assert resumed.get_last_lr() == expected[t]


def test_loading_writes_the_rates_by_itself():
    scheduler = StepLR(Groups(1.0), 2)
    rates(scheduler, 5)
    opt = Groups(0.5)
    StepLR(opt, 2).load_state_dict(scheduler.state_dict())
    assert opt.param_groups[0]["lr"] == scheduler.get_last_lr()[0]


def test_a_state_is_plain_and_shares_nothing():
    opt = Groups(1.0)
    for scheduler in (warm_up(opt), ReduceLROnPlateau(opt)):
        state = scheduler.state_dict()
        for value in state.values():
            assert isinstance(value, int | float | list)
            if isinstance(value, list):
                value.append(7.0)
        scheduler.get_last_lr().append(7.0)
        assert len(scheduler.get_last_lr()) == 1
        scheduler.step(*([1.0] if isinstance(scheduler, ReduceLROnPlateau) else []))


def test_last_epoch_goes_on_where_the_groups_were():
    opt = Groups(1.0)
    scheduler = ExponentialLR(opt, 0.5)
    rates(scheduler, 3)
    again = ExponentialLR(opt, 0.5, last_epoch=2)
    assert again.last_epoch == 3
    assert again.get_last_lr() == [0.125]


def test_a_group_that_is_added_later_follows_too():
    opt = optimizer(1.0)
    scheduler = StepLR(opt, 2)
    scheduler.step()
    opt.add_param_group({"params": [ts.Tensor.ones(1, requires_grad=True)], "lr": 0.5})
    assert scheduler.get_last_lr() == [1.0, 0.5]
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.1, 0.05])
    again = StepLR(opt, 2)
    again.load_state_dict(scheduler.state_dict())
    assert again.get_last_lr() == scheduler.get_last_lr()


def test_plateau_reduces_a_group_that_is_added_later():
    opt = Groups(1.0)
    scheduler, strict = ReduceLROnPlateau(opt, patience=0), ReduceLROnPlateau(opt, patience=0, min_lr=[0.1])
    opt.param_groups.append({"params": [], "lr": 0.5})
    scheduler.step(1)
    scheduler.step(1)
    assert scheduler.get_last_lr() == pytest.approx([0.1, 0.05])
    strict.step(1)
    with pytest.raises(ValueError, match="expected 2 min_lrs, got 1"):
        strict.step(1)


# Training


def test_the_next_step_uses_the_rate():
    p = ts.Tensor.ones(1, dtype="float64", requires_grad=True)
    opt = ts.optimizers.SGD([p], lr=1.0)
    scheduler = ExponentialLR(opt, 0.5)
    moves = []
    for _ in range(4):
        before = p.item()
        p.grad = ts.Tensor.ones(1, dtype="float64")
        opt.step()
        moves.append(before - p.item())
        scheduler.step()
    assert moves == [1.0, 0.5, 0.25, 0.125]


# Schedules


@pytest.mark.parametrize("case", CLOSED)
def test_a_schedule_is_a_function_that_can_be_pickled(case):
    built, closed = CLOSED[case]
    schedule = pickle.loads(pickle.dumps(built(Groups(1.0)).schedule))
    for t in range(20):
        assert schedule(t, 0.2) == pytest.approx(closed(0.2, t), rel=1e-14, abs=1e-17)


def test_schedules_have_the_schedulers_defaults():
    assert schedules.Cosine(3) == schedules.Cosine(3, 0.0)
    assert schedules.Linear() == schedules.Linear(1 / 3, 1.0, 5)
    assert schedules.Step(3) == schedules.Step(3, 0.1)


def test_a_schedule_needs_no_optimizer():
    warmed = schedules.Joined((schedules.Linear(0.5, 1.0, 2), schedules.Step(2, 0.5)), (2,))
    assert [warmed(step, 1.0) for step in range(6)] == [0.5, 0.75, 1.0, 1.0, 0.5, 0.5]
    assert schedules.Cosine(4)(2, 1.0) == pytest.approx(0.5)
    assert schedules.Exponential(0.5)(3, 1.0) == 0.125


def test_a_scheduler_can_be_pickled_with_its_optimizer():
    scheduler = warm_up(optimizer(0.1))
    rates(scheduler, 3)
    again = pickle.loads(pickle.dumps(scheduler))
    assert rates(again, 9) == rates(scheduler, 9)
    assert again.optimizer.learning_rate() == again.get_last_lr()[0]


# Bad arguments


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda o: StepLR(object(), 3), TypeError, "param_groups, not object"),
        (lambda o: ReduceLROnPlateau(object()), TypeError, "param_groups, not object"),
        (lambda o: CosineAnnealingLR(o, 0), ValueError, "T_max must be > 0, not 0"),
        (lambda o: StepLR(o, 0), ValueError, "step_size must be > 0, not 0"),
        (lambda o: StepLR(o, -1), ValueError, "step_size must be > 0, not -1"),
        (lambda o: LinearLR(o, 0), ValueError, "Starting multiplicative factor expected to be greater than 0"),
        (lambda o: LinearLR(o, 1.5), ValueError, "Starting multiplicative factor expected to be greater than 0"),
        (lambda o: LinearLR(o, math.nan), ValueError, "Starting multiplicative factor expected to be greater than 0"),
        (lambda o: LinearLR(o, 1, 1.5), ValueError, "Ending multiplicative factor expected to be between 0 and 1."),
        (lambda o: LinearLR(o, 1, -0.5), ValueError, "Ending multiplicative factor expected to be between 0 and 1."),
        (lambda o: ExponentialLR(o, 0.5, last_epoch=3), KeyError, "'initial_lr' is not specified in param_groups"),
        (lambda o: ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor should be < 1.0."),
        (lambda o: ReduceLROnPlateau(o, "least"), ValueError, "mode least is unknown!"),
        (lambda o: ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold mode x is unknown!"),
        (lambda o: ReduceLROnPlateau(o, min_lr=[0, 0]), ValueError, "expected 1 min_lrs, got 2"),
        (lambda o: SequentialLR(o, [], []), ValueError, "expects at least one scheduler, but got no scheduler"),
        (lambda o: SequentialLR(o, [StepLR(o, 1)], [1]), ValueError, "number of schedulers 1 .*equal to 1"),
        (lambda o: SequentialLR(o, [StepLR(o, 1)] * 2, []), ValueError, "number of schedulers 2 .*equal to 0"),
        (lambda o: SequentialLR(o, [StepLR(o, 1)] * 3, [5, 2]), ValueError, "milestones must not decrease"),
        (lambda o: SequentialLR(o, [StepLR(o, 1), max], [1]), TypeError, "got builtin_function_or_method at index 1"),
        (
            lambda o: SequentialLR(o, [StepLR(o, 1), ReduceLROnPlateau(o)], [1]),
            ValueError,
            "SequentialLR does not support `ReduceLROnPlateau` scheduler",
        ),
        (
            lambda o: SequentialLR(o, [StepLR(o, 1), StepLR(Groups(1.0), 1)], [1]),
            ValueError,
            "expects all schedulers to belong to the same optimizer.* index 1",
        ),
    ],
)
def test_bad_arguments(make, kind, text):
    opt = Groups(1.0)
    with pytest.raises(kind, match=text):
        make(opt)
    assert opt.param_groups[0]["lr"] == 1.0


def test_a_group_that_is_gone_is_an_error():
    opt = Groups(1.0, 2.0)
    scheduler = StepLR(opt, 2)
    del opt.param_groups[0]
    with pytest.raises(ValueError, match="zip"):
        scheduler.step()


@pytest.mark.parametrize("build", [lambda o: StepLR(o, 2), ReduceLROnPlateau])
def test_a_state_of_other_groups_is_refused_and_changes_nothing(build):
    other, opt = build(Groups(0.1, 0.2)), Groups(1.0)
    scheduler = build(opt)
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match="the state is of 2 parameter groups, the optimizer has 1"):
        scheduler.load_state_dict(other.state_dict())
    for key in before:
        with pytest.raises(KeyError, match=key):
            scheduler.load_state_dict({name: value for name, value in before.items() if name != key})
    assert scheduler.state_dict() == before
    assert opt.param_groups[0]["lr"] == 1.0
