import json
import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trainstation as ts
from trainstation import schedulers
from trainstation.interop import torch as bridge

STEPS = 1000


def unit(least=0.0, most=1.0, **options):
    return st.floats(least, most, **options)


counts = st.integers(1, 400)
bases = st.lists(unit(1e-6, 10.0), min_size=1, max_size=3)
ramps = st.sampled_from(["cos", "linear"])


def drawn(name, required=None, optional=None):
    return st.tuples(st.just(name), st.fixed_dictionaries(required or {}, optional=optional or {}))


def wave(step):
    return 1.1 + math.sin(step)


def slow(step):
    return 0.5 + 0.6 * (step % 3)


multiply = drawn("MultiplicativeLR", {"lr_lambda": st.just(slow)})
anneal = drawn("SWALR", {"swa_lr": unit()}, {"anneal_epochs": st.integers(0, 50), "anneal_strategy": ramps})
restarts = drawn(
    "CosineAnnealingWarmRestarts",
    {"T_0": counts},
    {"T_mult": st.integers(1, 3), "eta_min": unit(0.0, 0.1)},
)
decays = st.one_of(
    drawn("CosineAnnealingLR", {"T_max": counts}, {"eta_min": unit(0.0, 0.1)}),
    drawn("LinearLR", {}, {"start_factor": unit(1e-3), "end_factor": unit(), "total_iters": counts}),
    drawn("ConstantLR", {}, {"factor": unit(1e-3), "total_iters": counts}),
    drawn("PolynomialLR", {}, {"total_iters": counts, "power": unit(0.0, 4.0)}),
    drawn("StepLR", {"step_size": counts}, {"gamma": unit(0.0, 1.01)}),
    drawn("MultiStepLR", {"milestones": st.lists(st.integers(0, 900), max_size=5)}, {"gamma": unit(0.0, 1.5)}),
    drawn("ExponentialLR", {"gamma": unit(0.0, 1.01)}),
    drawn("LambdaLR", {"lr_lambda": st.just(wave)}),
)
momentum = {"cycle_momentum": st.booleans(), "base_momentum": unit(0.0, 0.9), "max_momentum": unit(0.0, 0.99)}
one_cycle = drawn(
    "OneCycleLR",
    {"max_lr": unit(1e-3, 2.0), "total_steps": st.integers(1000, 1500)},
    {
        "pct_start": unit(0.01),
        "anneal_strategy": ramps,
        "div_factor": unit(1.0, 30.0),
        "final_div_factor": unit(1.0, 1e4),
        "three_phase": st.booleans(),
        **momentum,
    },
)
cyclic = drawn(
    "CyclicLR",
    {"base_lr": unit(), "max_lr": unit(), "step_size_up": counts},
    {
        "step_size_down": counts,
        "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
        "gamma": unit(0.9),
        "scale_fn": st.just(lambda x: 1 / (1 + x)),
        "scale_mode": st.sampled_from(["cycle", "iterations"]),
        **momentum,
    },
)
single = st.one_of(decays, restarts, multiply, anneal, one_cycle, cyclic)
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


# torch warns of a scheduler that is stepped before its optimizer, and of its own use of `epoch`
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

THEIRS = {**vars(torch.optim.lr_scheduler), "SWALR": torch.optim.swa_utils.SWALR}
OURS = vars(schedulers)


def native(rates, kind="SGD"):
    """An optimizer of ours, with a group for each rate."""
    groups = [{"params": [ts.Tensor.ones(1, requires_grad=True)], "lr": rate} for rate in rates]
    return getattr(ts.optimizers, kind)(groups, lr=1.0)


def torchs(rates, kind="SGD"):
    """One of torch's."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return getattr(torch.optim, kind)(groups, lr=1.0)


def pair(rates, kind="SGD"):
    """The same groups for torch and for us."""
    return torchs(rates, kind), native(rates, kind)


def values(optimizer):
    """What schedulers may move."""
    return [
        (float(group["lr"]), float(group["betas"][0] if "betas" in group else group.get("momentum", 0)))
        for group in optimizer.param_groups
    ]


def agree(theirs, ours):
    for a, b in zip(values(theirs.optimizer), values(ours.optimizer), strict=True):
        assert b == pytest.approx(a, rel=1e-9, abs=1e-9), ours.last_epoch


def same(theirs, ours, steps=STEPS):
    """Equal rates and momenta in every group, at every step."""
    for _ in range(steps):
        agree(theirs, ours)
        theirs.step()
        ours.step()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(single, bases, st.sampled_from(["SGD", "AdamW"]))
def test_single(chosen, rates, kind):
    name, options = chosen
    theirs, ours = pair(rates, kind)
    same(THEIRS[name](theirs, **options), OURS[name](ours, **options))


def apart(chosen, *first):
    """Leave out what torch's schedulers do to one another through the groups: their rates are kept there.

    `first` are names that may only come first; of SWALR there may only be one.
    """
    kept = []
    for index, each in enumerate(chosen):
        if not (index and each[0] in first) and not (each[0] == "SWALR" and each[0] in dict(kept)):
            kept.append(each)
    return kept


def joined(data, each, optimizers):
    """The same of each library: made in turn, one after the other."""
    count = len(each) - 1
    milestones = sorted(data.draw(st.lists(st.integers(1, 600), min_size=count, max_size=count, unique=True)))
    return [
        made["SequentialLR"](optimizer, [made[name](optimizer, **options) for name, options in each], milestones)
        for made, optimizer in zip((THEIRS, OURS), optimizers, strict=True)
    ]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(single, one_cycle), st.lists(decays | restarts | multiply | anneal | cyclic, max_size=3), st.data(), bases
)
def test_sequential(first, others, data, rates):
    same(*joined(data, apart([first, *others]), pair(rates)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(single, min_size=1, max_size=4), bases)
def test_chained(chosen, rates):
    chosen = apart(chosen, "CyclicLR")
    chains = [
        made["ChainedScheduler"]([made[name](optimizer, **options) for name, options in chosen])
        for made, optimizer in zip((THEIRS, OURS), pair(rates), strict=True)
    ]
    same(*chains)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(decays, min_size=2, max_size=3), st.lists(decays, min_size=1, max_size=2), decays, st.data(), bases)
def test_chained_of_sequential_and_chained(phases, inner, outer, data, rates):
    sequential = joined(data, phases, pair(rates))
    chains = []
    for made, first in zip((THEIRS, OURS), sequential, strict=True):
        chain = made["ChainedScheduler"]([made[name](first.optimizer, **options) for name, options in inner])
        last = made[outer[0]](first.optimizer, **outer[1])
        chains.append(made["ChainedScheduler"]([first, chain, last]))
    same(*chains)


@settings(max_examples=30, deadline=None)
@given(restarts, st.lists(unit(0.0, 300.0), min_size=1, max_size=30))
def test_warm_restarts_at_fractions(chosen, epochs):
    theirs, ours = pair([1.0, 0.1])
    theirs, ours = (made[chosen[0]](each, **chosen[1]) for made, each in ((THEIRS, theirs), (OURS, ours)))
    for epoch in sorted(epochs):
        theirs.step(epoch)
        ours.step(epoch)
        agree(theirs, ours)
        assert ours.last_epoch == theirs.last_epoch


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(single, st.sampled_from(["ours", "torch's", "bridge"]), st.booleans())
def test_drives_every_kind_of_optimizer(chosen, kind, as_tensor):
    """A rate that is a tensor is filled, and never shared."""
    name, options = chosen
    theirs = torchs([0.5])
    if kind == "ours":
        driven = native([0.5])
    else:
        module = torch.optim if kind == "torch's" else bridge
        rate = torch.tensor(0.5, dtype=torch.float64) if as_tensor else 0.5
        driven = module.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    rate = driven.param_groups[0]["lr"]
    ours = OURS[name](driven, **options)
    same(THEIRS[name](theirs, **options), ours, 100)
    assert isinstance(rate, float) or driven.param_groups[0]["lr"] is rate
    assert isinstance(ours.get_last_lr()[0], float)
    assert isinstance(driven.param_groups[0]["initial_lr"], float)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(single, min_size=1, max_size=3), st.sampled_from(["", "SequentialLR", "ChainedScheduler"]), st.data())
def test_resumes_as_torch_would_have_gone_on(chosen, composed, data):
    """At every step of 12, from a state of JSON, whatever was built and loaded first."""
    cut = data.draw(st.integers(0, 11))
    scheduler_first, optimizer_before = data.draw(st.booleans()), data.draw(st.booleans())

    def build(made, optimizer):
        each = [made[name](optimizer, **options) for name, options in chosen]
        if composed == "SequentialLR":
            return made[composed](optimizer, each, [3, 5][: len(each) - 1])
        return made[composed](each) if composed else each[0]

    chosen = apart(chosen, "CyclicLR", "OneCycleLR")[: None if composed else 1]
    theirs, ours = pair([0.3, 0.5])
    theirs, ours = build(THEIRS, theirs), build(OURS, ours)
    for _ in range(cut):
        theirs.step()
        ours.step()
    optimizer_state, state = ours.optimizer.state_dict(), json.loads(json.dumps(ours.state_dict()))
    resumed = native([0.7, 0.7])
    if optimizer_before:
        resumed.load_state_dict(optimizer_state)
    again = build(OURS, resumed)
    if scheduler_first:
        again.load_state_dict(state)
    if not optimizer_before:
        resumed.load_state_dict(optimizer_state)
    if not scheduler_first:
        again.load_state_dict(state)
    same(theirs, again, 12 - cut)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plateau, st.lists(metrics, min_size=20, max_size=40), bases)
def test_plateau(options, values, rates):
    theirs, ours = pair(rates)
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    mine = schedulers.ReduceLROnPlateau(ours, **options)
    for step in range(STEPS):
        other.step(values[step % len(values)])
        mine.step(values[step % len(values)])
        assert [group["lr"] for group in ours.param_groups] == [group["lr"] for group in theirs.param_groups]
        assert (mine.num_bad_epochs, mine.cooldown_counter) == (other.num_bad_epochs, other.cooldown_counter)
    assert mine.best == other.best


@given(st.lists(unit(0.0, 0.1), min_size=3, max_size=3))
def test_plateau_with_a_least_rate_for_each_group(least):
    theirs, ours = pair([1.0, 0.5, 0.05])
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, patience=0, min_lr=least)
    mine = schedulers.ReduceLROnPlateau(ours, patience=0, min_lr=least)
    for _ in range(20):
        other.step(1.0)
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
        ("ConstantLR", {"factor": 1.5}),
        ("LambdaLR", {"lr_lambda": [wave, wave]}),
        ("MultiplicativeLR", {"lr_lambda": [wave, wave]}),
        ("CosineAnnealingWarmRestarts", {"T_0": 0}),
        ("CosineAnnealingWarmRestarts", {"T_0": 2.5}),
        ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 0}),
        ("CosineAnnealingWarmRestarts", {"T_0": 2, "eta_min": "0"}),
        ("OneCycleLR", {"max_lr": 1.0}),
        ("OneCycleLR", {"max_lr": 1.0, "epochs": 3}),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 0}),
        ("OneCycleLR", {"max_lr": 1.0, "epochs": 0, "steps_per_epoch": 3}),
        ("OneCycleLR", {"max_lr": 1.0, "epochs": 3, "steps_per_epoch": 1.5}),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "pct_start": 1.5}),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "anneal_strategy": "x"}),
        ("OneCycleLR", {"max_lr": [1.0, 2.0], "total_steps": 9}),
        ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "mode": "x"}),
        ("CyclicLR", {"base_lr": [0.1, 0.2], "max_lr": 1.0}),
        ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "max_momentum": [0.9, 0.8]}),
        ("SWALR", {"swa_lr": [0.1, 0.2]}),
        ("SWALR", {"swa_lr": 0.1, "anneal_strategy": "x"}),
        ("SWALR", {"swa_lr": 0.1, "anneal_epochs": -1}),
    ],
)
def test_the_same_words_for_the_same_mistakes(name, options):
    said = []
    for made, optimizer in zip((THEIRS, OURS), pair([1.0]), strict=True):
        with pytest.raises(ValueError) as caught:  # noqa: PT011  # its words are compared
            made[name](optimizer, **options)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_one_cycle_says_when_it_is_over():
    said = []
    for made, optimizer in zip((THEIRS, OURS), pair([1.0]), strict=True):
        scheduler = made["OneCycleLR"](optimizer, 1.0, epochs=2, steps_per_epoch=2)
        for _ in range(4):
            scheduler.step()
        with pytest.raises(ValueError, match="Tried to step 5 times") as caught:
            scheduler.step()
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("name", ["OneCycleLR", "CyclicLR"])
def test_a_cycle_of_momentum_needs_one(name):
    options = {"OneCycleLR": {"total_steps": 9}, "CyclicLR": {"base_lr": 0.1}}[name]
    said = []
    for made, kind in ((THEIRS, torch.optim.Adagrad), (OURS, PlainGroups)):
        with pytest.raises(ValueError, match="must support momentum or beta1") as caught:
            made[name](kind([torch.nn.Parameter(torch.zeros(1))], 1.0), max_lr=1.0, **options)
        said.append(str(caught.value))
    assert said[0] == said[1]


class PlainGroups:
    def __init__(self, params, lr):
        self.param_groups = [{"params": params, "lr": lr}]
