import dataclasses
import math
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trial_rows import trial, trials

import trainstation as ts
from trainstation.bench.problems import Problem
from trainstation.bench.protocol.trial import Job, run_trial
from trainstation.bench.stats import Interval
from trainstation.bench.verdicts.cells import cells
from trainstation.bench.verdicts.claims import LIMIT, Claim, log_ratios, paired, said, unpaired, versus
from trainstation.bench.verdicts.score import standings

INF = math.inf
TIMES = st.one_of(st.integers(0, 100).map(float), st.just(INF))


def arrays(*lists):
    return [np.array(each, float) for each in lists]


@st.composite
def pairs(draw):
    """Times of two optimizers on some problems, of as many seeds."""
    counts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    return [
        tuple(arrays(*(draw(st.lists(TIMES, min_size=count, max_size=count)) for _ in range(2)))) for count in counts
    ]


def swapped(groups):
    return [(other, one) for one, other in groups]


OPPOSITE = {"better": "worse", "worse": "better", "tie": "tie", "too few": "too few"}


@pytest.mark.parametrize(
    ("searched", "verdicts"),
    [((8, 8), ("better", "worse")), ((2, 8), ("better", "not claimed")), ((8, 2), ("not claimed", "worse"))],
)
def test_who_was_tuned_with_fewer_trials_has_not_lost(searched, verdicts):
    """x is twice as fast as y on a, and half as fast on b; `searched` of x and of y."""
    for steps, verdict in zip(([1, 2], [2, 1]), verdicts, strict=True):
        rows = []
        for name, each, step in zip(("x", "y"), searched, steps, strict=True):
            rows += trials({"a": {name: [step * 10.0] * 8}}, track="known", searched=each)
        rows = [replace(row, optimizer={"x": "x", "y": "adamw"}[row.optimizer]) for row in rows]
        found = versus(cells(rows), "x", "adamw", "known")
        assert found.steps.verdict == verdict
        assert found.steps.speedup.mid == pytest.approx(steps[1] / steps[0])
        standing = next(each for each in standings(cells(rows), "known") if each.optimizer == "x")
        assert (standing.verdict_steps, standing.searched, standing.reference_searched) == (verdict, *searched)


def test_ratios_are_limited_and_two_misses_are_as_fast():
    above, below = arrays([2, 1, 100, 1, INF, 1, INF, 0, 0, 3], [1, 2, 1, 100, 1, INF, INF, 0, 1, 0])
    assert np.exp(log_ratios(above, below)) == pytest.approx([2, 0.5, 4, 0.25, 4, 0.25, 1, 1, 0.25, 4])


@pytest.mark.parametrize(
    ("problems", "verdict"),
    [
        ([([1, 2, 3, 4, 5], [2, 4, 6, 8, 10])], "too few"),  # 2 in 32 ways of signs are as far
        ([([1, 2, 3, 4, 5, 6], [2, 4, 6, 8, 10, 12])], "better"),  # 2 in 64
        ([([2, 4, 6, 8, 10, 12], [1, 2, 3, 4, 5, 6])], "worse"),
        ([([1, 2, 3], [2, 4, 6]), ([1, 2, 3], [2, 4, 6])], "better"),
        ([([1], [2])] * 10, "too few"),  # a pair alone says nothing of noise
        ([([1, 1, 1, 1, 1, 1], [2, 2, 2, 1, 2, 0.5])], "tie"),
        ([([INF] * 6, [INF] * 6)], "tie"),
        ([([INF] * 6, [5.0] * 6)], "worse"),
        ([([], [])], "too few"),
        ([], "too few"),
    ],
)
def test_verdicts(problems, verdict):
    groups = [tuple(arrays(*each)) for each in problems]
    claim = paired(groups, "steps")
    assert claim.verdict == verdict
    assert (claim.speedup is None) == (claim.p is None) == (verdict == "too few")
    assert paired(swapped(groups), "steps").verdict == OPPOSITE[verdict]


def test_a_sure_claim_is_exact():
    one = np.array([10.0, 11, 12, 13, 14, 15, 16])
    claim = paired([(one, 2 * one)], "secs")
    assert claim == Claim("faster", claim.speedup, 2 / 2**7, 7, 1)
    assert claim.speedup == pytest.approx((2, 2, 2))


def test_problems_weigh_the_same_whatever_their_seeds():
    many, few = arrays([1] * 9, [1] * 2)
    assert paired([(many, 2 * many), (few, few / 2)], "steps").speedup.mid == pytest.approx(1)


def test_the_interval_covers_the_truth():
    random = np.random.default_rng(0)
    logs = random.normal(0.1, 0.5, (400, 2, 5))
    claims = [paired([(np.ones(5), np.exp(each)) for each in logs_of], "steps") for logs_of in logs]
    covered = np.mean([claim.speedup.low <= math.exp(0.1) <= claim.speedup.high for claim in claims])
    assert 0.89 <= covered <= 0.97


@given(pairs(), st.floats(0.01, 100))
def test_the_unit_of_time_says_nothing(groups, unit):
    scaled = [(one * unit, other * unit) for one, other in groups]
    for compare in (paired, unpaired):
        known, again = compare(groups, "secs"), compare(scaled, "secs")
        assert (again.p, again.pairs, again.problems) == (known.p, known.pairs, known.problems)
        assert (again.speedup is None) == (known.speedup is None)
        assert known.speedup is None or again.speedup == pytest.approx(known.speedup)


@given(pairs())
def test_the_other_way_round_it_is_the_inverse(groups):
    claim, back = paired(groups, "steps"), paired(swapped(groups), "steps")
    assert (back.verdict, back.p) == (OPPOSITE[claim.verdict], claim.p)
    if claim.speedup:
        low, mid, high = claim.speedup
        assert back.speedup == pytest.approx((1 / high, 1 / mid, 1 / low))
        assert low * (1 + 1e-9) >= 1 / LIMIT
        assert low <= mid * (1 + 1e-9) <= high * (1 + 1e-8)


@given(pairs(), st.data())
def test_a_miss_more_makes_nobody_faster(groups, data):
    place = data.draw(st.integers(0, len(groups) - 1))
    one, other = groups[place]
    missed = one.copy()
    missed[data.draw(st.integers(0, len(one) - 1))] = INF
    worse = paired([*groups[:place], (missed, other), *groups[place + 1 :]], "steps")
    known = paired(groups, "steps")
    assert known.speedup is None or worse.speedup.mid <= known.speedup.mid * (1 + 1e-9)


@given(st.lists(st.lists(TIMES, min_size=2, max_size=5), min_size=1, max_size=4))
def test_who_solves_nothing_is_never_better(times):
    groups = [(np.full(len(each), INF), np.array(each)) for each in times]
    assert paired(groups, "steps").verdict != "better"
    assert unpaired(groups, "steps").verdict != "better"


# Two optimizers by their rows


def test_seeds_that_only_one_has_are_dropped():
    table = {"a": {"x": [1, 2, 3, 4, 5, 6]}, "b": {"x": [5, 5]}}
    rows = trials(table) + trials({"a": {"y": [8, 10, 12, 14, 100, 100]}}, first=2) + trials({"b": {"z": [1, 1]}})
    found = versus(cells(rows), "x", "y", "default")
    assert found.paired
    assert (found.steps.pairs, found.steps.verdict) == (4, "too few")
    [duel] = found.duels
    assert dataclasses.astuple(duel) == ("a", 4, 4, 4.5, 11, 0.045, 0.11)
    assert found.sentence == "x against y, default, 4 pairs of trials on 1 problem: too few to tell."


def test_without_a_common_seed_all_trials_are_compared():
    rows = trials({"a": {"x": [1, 2, 3, 4, 5]}}) + trials({"a": {"y": [8, 10, 12, 14, 100]}}, first=5)
    found = versus(cells(rows), "x", "y", "default")
    assert not found.paired
    assert (found.steps.verdict, found.secs.verdict, found.steps.pairs) == ("better", "faster", 10)
    assert found.steps.p == pytest.approx(2 / math.comb(10, 5), abs=0.003)
    start = "x against y, default, 10 trials (no seed in common) on 1 problem: in steps to the target better, "
    assert found.sentence.startswith(start)
    back = versus(cells(rows), "y", "x", "default")
    assert (back.steps.verdict, back.secs.verdict) == ("worse", "slower")
    assert back.steps.speedup.mid == pytest.approx(1 / found.steps.speedup.mid)


def test_steps_and_seconds_are_told_apart():
    rows = [trial("a", "x", seed, 10, secs=4.0) for seed in range(6)]
    rows += [trial("a", "y", seed, 20, secs=2.0 + seed % 2 * 6) for seed in range(6)]
    found = versus(cells(rows), "x", "y", "default")
    assert (found.steps.verdict, found.secs.verdict) == ("better", "tie")
    assert "in steps to the target better, 2 times as fast [2, 2], p = 0.031; in seconds a tie, " in found.sentence
    assert [line.split() for line in str(found).splitlines()[1:-1]] == [["a", "6", "10", "20", "4", "5"]]


def test_without_trials_or_without_a_target_there_is_nothing_to_say():
    untargeted = [trial("a", name, seed, INF, target=None) for name in "xy" for seed in range(9)]
    for rows in ([], untargeted):
        found = versus(cells(rows), "x", "y", "default")
        assert (found.duels, found.steps.verdict) == ([], "too few")
        assert str(found) == "x against y, default, 0 pairs of trials on 0 problems: too few to tell."


def test_a_claim_is_written_with_its_evidence():
    assert said(Claim("worse", Interval(0.5, 0.6, 0.7), 0.0001, 9, 1)) == (
        "worse, 0.6 times as fast [0.5, 0.7], p < 0.001"
    )


# The null test: real trials of adam against real trials of adam


class Noisy:
    """Squares whose lowest point is heard through noise."""

    def __init__(self, seed, size):
        # The test takes problems as independent: one stream for both made 13 % of the verdicts false.
        self.random = np.random.default_rng((seed, size))
        self.p = ts.Tensor.from_numpy(self.random.normal(size=size).astype(np.float32)).requires_grad_()

    def parameters(self):
        return [self.p]

    def epoch(self):
        return iter(range(10))

    def loss(self, batch):
        off = self.p - ts.Tensor.from_numpy(self.random.normal(size=len(self.p.data)).astype(np.float32))
        return (off * off).sum()

    def evaluate(self):
        return float(np.square(self.p.data).mean())


NOISY = [
    Problem(f"noisy{size}", "", "loss", 10, partial(Noisy, size=size), lower_is_better=True, target=0.1)
    for size in (4, 8)
]


@cache
def pool(rate, seeds=60):
    """Train adam with many seeds; the trials by seed and problem."""
    jobs = [
        [Job(problem.name, "adam", "default", seed, None, {"lr": rate}, "cosine", 60) for problem in NOISY]
        for seed in range(seeds)
    ]
    quiet = {"on_point": lambda _: None, "progress": lambda *_: None}
    return [[run_trial(*each, "here", **quiet) for each in zip(NOISY, some, strict=True)] for some in jobs]


def named(rows, name, seeds):
    """Return rows of some seeds as those of an optimizer of this name, which has tried the first seeds."""
    return [
        dataclasses.replace(row, optimizer=name, seed=each) for each, seed in enumerate(seeds) for row in rows[seed]
    ]


@pytest.mark.parametrize("by_pairs", [True, False])
def test_adam_against_adam_is_a_tie(by_pairs):
    rows, random, verdicts = pool(0.1), np.random.default_rng(0), []
    assert 0.8 < np.mean([row.steps_to_target is not None for some in rows for row in some]) <= 1
    for _ in range(200):
        chosen = random.permutation(len(rows))[:10]
        two = named(rows, "two", chosen[5:])
        if not by_pairs:
            two = [dataclasses.replace(row, seed=row.seed + 5) for row in two]
        found = versus(cells(named(rows, "one", chosen[:5]) + two), "one", "two", "default")
        assert found.paired == by_pairs
        verdicts.append(found.steps.verdict)
    assert set(verdicts) <= {"better", "worse", "tie"}
    assert np.mean([verdict != "tie" for verdict in verdicts]) <= 0.07


@pytest.mark.parametrize("by_pairs", [True, False])
def test_a_crippled_adam_is_worse(by_pairs):
    good, bad, random = pool(0.1), pool(0.03, 20), np.random.default_rng(0)
    worse = 0
    for _ in range(50):
        seeds = random.permutation(20)
        theirs = seeds[:5] if by_pairs else seeds[5:10]
        other = [dataclasses.replace(row, seed=row.seed + 5 * (not by_pairs)) for row in named(good, "adam", theirs)]
        found = versus(cells(named(bad, "bad", seeds[:5]) + other), "bad", "adam", "default")
        worse += found.steps.verdict == "worse"
    assert worse >= 45
