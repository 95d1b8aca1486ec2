import warnings

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainstation import schedulers

STEPS = 1000


class Groups:
    def __init__(self, rates):
        self.param_groups = [{"params": [], "lr": rate} for rate in rates]


def unit(least=0.0, most=1.0, **options):
    return st.floats(least, most, **options)


counts = st.integers(1, 400)
bases = st.lists(unit(1e-6, 10.0), min_size=1, max_size=3)
single = st.one_of(
    st.tuples(
        st.just("CosineAnnealingLR"), st.fixed_dictionaries({"T_max": counts}, optional={"eta_min": unit(0.0, 0.1)})
    ),
    st.tuples(
        st.just("LinearLR"),
        st.fixed_dictionaries(
            {}, optional={"start_factor": unit(1e-3), "end_factor": unit(), "total_iters": st.integers(1, 400)}
        ),
    ),
    st.tuples(st.just("StepLR"), st.fixed_dictionaries({"step_size": counts}, optional={"gamma": unit(0.0, 1.01)})),
    st.tuples(st.just("ExponentialLR"), st.fixed_dictionaries({"gamma": unit(0.0, 1.01)})),
)
metrics = st.one_of(
    unit(-2.0, 2.0), st.sampled_from([0.0, 1.0, -1.0, 1.0001, float("nan"), float("inf"), -float("inf")])
)
plateau = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["min", "max"]),
        "factor": unit(0.0, 0.99),
        "patience": st.integers(0, 5),
        "threshold": unit(0.0, 2.0) | st.just(1e-4),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(0, 4),
        "min_lr": unit(0.0, 0.1),
        "eps": st.sampled_from([0.0, 1e-8, 1e-3]),
    },
)


def pair(rates):
    """The same groups for torch and for us."""
    theirs = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates], lr=1.0)
    theirs.step()  # torch warns of a scheduler that is stepped before its optimizer
    return theirs, Groups(rates)


def same(theirs, ours, steps=STEPS):
    """Equal rates in every group, at every step."""
    for step in range(steps):
        for a, b in zip(theirs.optimizer.param_groups, ours.optimizer.param_groups, strict=True):
            assert b["lr"] == pytest.approx(a["lr"], rel=1e-9, abs=1e-9), step
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, about the order of steps and its `epoch` argument
            theirs.step()
        ours.step()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(single, bases)
def test_single(chosen, rates):
    name, options = chosen
    theirs, ours = pair(rates)
    same(getattr(torch.optim.lr_scheduler, name)(theirs, **options), getattr(schedulers, name)(ours, **options))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(single, min_size=1, max_size=4), st.data(), bases)
def test_sequential(chosen, data, rates):
    count = len(chosen) - 1
    milestones = sorted(data.draw(st.lists(st.integers(1, 600), min_size=count, max_size=count, unique=True)))
    made = []
    for module, optimizer in zip((torch.optim.lr_scheduler, schedulers), pair(rates), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            each = [getattr(module, name)(optimizer, **options) for name, options in chosen]
            made.append(module.SequentialLR(optimizer, each, milestones))
    same(*made)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plateau, st.lists(metrics, min_size=20, max_size=40), bases)
def test_plateau(options, values, rates):
    theirs, ours = pair(rates)
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    mine = schedulers.ReduceLROnPlateau(ours, **options)
    for step in range(STEPS):
        torchs.step(values[step % len(values)])
        mine.step(values[step % len(values)])
        assert [group["lr"] for group in ours.param_groups] == [group["lr"] for group in theirs.param_groups]
        assert (mine.num_bad_epochs, mine.cooldown_counter) == (torchs.num_bad_epochs, torchs.cooldown_counter)
    assert mine.best == torchs.best


@given(st.lists(unit(0.0, 0.1), min_size=3, max_size=3))
def test_plateau_with_a_least_rate_for_each_group(least):
    theirs, ours = pair([1.0, 0.5, 0.05])
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, patience=0, min_lr=least)
    mine = schedulers.ReduceLROnPlateau(ours, patience=0, min_lr=least)
    for _ in range(20):
        torchs.step(1.0)
        mine.step(1.0)
        assert [group["lr"] for group in ours.param_groups] == [group["lr"] for group in theirs.param_groups]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("LinearLR", {"start_factor": 0.0}),
        ("LinearLR", {"end_factor": 1.5}),
        ("ReduceLROnPlateau", {"factor": 1.0}),
        ("ReduceLROnPlateau", {"mode": "least"}),
        ("ReduceLROnPlateau", {"threshold_mode": "x"}),
        ("ReduceLROnPlateau", {"min_lr": [0.1, 0.1]}),
        ("SequentialLR", {"schedulers": [], "milestones": []}),
    ],
)
def test_the_same_words_for_the_same_mistakes(name, options):
    said = []
    for module, optimizer in zip((torch.optim.lr_scheduler, schedulers), pair([1.0]), strict=True):
        with pytest.raises(ValueError) as caught:  # noqa: PT011  # its words are compared
            getattr(module, name)(optimizer, **options)
        said.append(str(caught.value))
    assert said[0] == said[1]
