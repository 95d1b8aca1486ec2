"""What may be claimed of two optimizers: how many times faster one is, how surely, and whether that beats chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.bench.stats import RESAMPLES, Interval, bootstrapped
from trainstation.bench.verdicts.cells import Cell, Measure, Tracks
from trainstation.bench.words import DASH, counted, number

__all__ = [
    "LEVEL",
    "LIMIT",
    "NOT_CLAIMED",
    "Claim",
    "Duel",
    "Versus",
    "evenly_searched",
    "log_ratios",
    "matched",
    "paired",
    "said",
    "searched",
    "unpaired",
    "versus",
]

Array = NDArray[Any]

LIMIT = 4.0  # no pair says more than so many times faster or slower; so a miss can be counted
LEVEL = 0.05
DRAWS = 10_000
EXACT = 13  # pairs whose 8,192 signs are all tried
ROUNDING = 1e-12
# of steps, of seconds: more than 1, less than 1, neither
WORDS = {"steps": ("better", "worse"), "secs": ("faster", "slower")}
WON, LOST = (frozenset(word) for word in zip(*WORDS.values(), strict=True))
NOT_CLAIMED = "not claimed"


@dataclass(frozen=True)
class Claim:
    """How many times faster one optimizer is than another, over several problems.

    Attributes:
        verdict: better or worse (of seconds: faster or slower) only where the interval excludes 1 and p < 0.05; else
            tie; "too few" where so few trials could not have p < 0.05 whatever they say; "not claimed" where whoever
            has lost was tuned with fewer trials than who has won.
        speedup: geometric mean over problems of that over seeds, with its 95 % bootstrap interval; None: too few.
        p: two-sided, that there is no difference; None: too few.
        pairs: of trials with the same seed; of unpaired ones the trials of both.
        problems: with two pairs or more: a single one cannot tell a difference from noise, and is left out.

    """

    verdict: str
    speedup: Interval | None
    p: float | None
    pairs: int
    problems: int


def log_ratios(above: Array, below: Array) -> Array:
    """Return ln(above / below), limited to a factor of 4 either way: two misses are as fast, one is 4 times slower."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(above) - np.log(below)
    limited: Array = np.clip(np.nan_to_num(logs, nan=0.0), -math.log(LIMIT), math.log(LIMIT))
    return limited


def paired(pairs: Sequence[tuple[Array, Array]], measure: Measure) -> Claim:
    """Compare the times of two optimizers by their pairs of trials.

    Args:
        pairs: of each problem the times of the one and of the other, float64 of one length, a seed at each place.
        measure: what the times are; says the words of the verdict.

    The estimate is exp(mean over problems of the mean over seeds of ln(other / one)). Its interval is from drawing
    n - 1 of the n pairs of each problem again, with replacement (n would make it too narrow: Hesterberg, 2015, What
    Teachers Should Know about the Bootstrap). Were there no difference, each pair could as well have stood the other
    way round: p is the share of all ways, or of 10,000 that are drawn, in which the estimate is as far from 1.

    Trials of different problems are taken as independent, those with the same seed too. Where a seed draws the same
    numbers in two problems, what is chance in one is repeated in the other, and p is too small.

    """
    logs = [log_ratios(other, one) for one, other in pairs if len(one) > 1]
    count = sum(map(len, logs))
    if 2.0 ** (1 - count) >= LEVEL:
        return Claim("too few", None, None, count, len(logs))
    means = np.stack([_weights(len(each), place) @ each for place, each in enumerate(logs)])
    parts = np.concatenate([each / len(each) for each in logs]) / len(logs)
    return _claim(parts.sum(), means.mean(axis=0), _signs(count) @ parts, count, len(logs), measure)


def unpaired(groups: Sequence[tuple[Array, Array]], measure: Measure) -> Claim:
    """Compare the times of two optimizers that have no seed in common.

    Args:
        groups: of each problem the times of the one and of the other, float64, of any length.
        measure: what the times are; says the words of the verdict.

    As `paired`, but each trial of the one is compared with each of the other, both are drawn again by themselves, and p
    is of trials dealt to the two anew.

    """
    groups = [(one, other) for one, other in groups if min(len(one), len(other)) > 1]
    count = sum(len(one) + len(other) for one, other in groups)
    if 2.0 / math.prod(math.comb(len(one) + len(other), len(one)) for one, other in groups) >= LEVEL:
        return Claim("too few", None, None, count, len(groups))
    estimates, resampled, dealt = [], [], []
    for place, (one, other) in enumerate(groups):
        size, both = len(one), np.concatenate([one, other])
        logs = log_ratios(both[None, :], both[:, None])
        between = logs[:size, size:]
        drawn, against = _weights(size, 2 * place), _weights(len(other), 2 * place + 1)
        estimates.append(between.mean())
        resampled.append(((drawn @ between) * against).sum(axis=1))
        # logs are antisymmetric, so that the sum over the rows of a hand is that between it and the rest
        dealt.append(_hands(size, len(both), place) @ logs.sum(axis=1) / between.size)
    means = [np.mean(each, axis=0) for each in (estimates, resampled, dealt)]
    return _claim(float(means[0]), means[1], means[2], count, len(groups), measure)


def _claim(log: float, resampled: Array, by_chance: Array, count: int, problems: int, measure: Measure) -> Claim:
    as_far = int((np.abs(by_chance) >= abs(log) - ROUNDING).sum())
    p = as_far / len(by_chance)
    speedup = Interval(*map(math.exp, bootstrapped(log, resampled)))
    verdict = "tie"
    if p < LEVEL and (speedup.low > 1 or speedup.high < 1):
        verdict = WORDS[measure][speedup.high < 1]
    return Claim(verdict, speedup, p, count, problems)


def evenly_searched(claim: Claim, cells: Iterable[tuple[Cell, Cell]]) -> Claim:
    """Take back a claim that may be due to the search alone: the loser's settings are from fewer trials.

    Args:
        claim: of the one optimizer against the other.
        cells: of each problem that of the one and that of the other.

    """
    some = list(cells)
    one, other = (searched([each[place] for each in some]) for place in (0, 1))
    if one is None or other is None:
        return claim
    if (claim.verdict in LOST and one < other) or (claim.verdict in WON and other < one):
        return replace(claim, verdict=NOT_CLAIMED)
    return claim


def searched(cells: Iterable[Cell]) -> int | None:
    """Return from how many trials the settings of some cells are; None where that is as many as everybody's."""
    counts = [cell.searched for cell in cells]
    return sum(count or 0 for count in counts) if counts and None not in counts else None


@cache
def _weights(count: int, place: int) -> Array:
    """Draw n - 1 of n, and return the weight of each in the mean, the same ones at every call."""
    random = np.random.default_rng((count, place))
    return random.multinomial(count - 1, [1 / count] * count, RESAMPLES) / (count - 1)


@cache
def _signs(count: int) -> Array:
    """Return all ways of signs, or many; the first is as it was."""
    if count <= EXACT:
        return 1.0 - 2.0 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
    drawn = 1.0 - 2.0 * np.random.default_rng(count).integers(0, 2, (DRAWS, count))
    drawn[0] = 1.0
    return drawn


@cache
def _hands(size: int, count: int, place: int) -> Array:
    """Return many ways to deal `size` of `count`, as zeros and ones; the first is as it was."""
    random = np.random.default_rng((size, count, place))
    order = random.permuted(np.tile(np.arange(count), (DRAWS, 1)), axis=1)
    order[0] = np.arange(count)
    return (order < size).astype(float)


@dataclass(frozen=True)
class Duel:
    """Two optimizers on one problem: the medians of their trials, inf where most miss the target; `n` of each one."""

    problem: str
    n_a: int
    n_b: int
    steps_a: float
    steps_b: float
    secs_a: float
    secs_b: float


@dataclass(frozen=True)
class Versus:
    """Two optimizers compared.

    Attributes:
        a: the one.
        b: the other; verdicts are of the one: "better" than this.
        track: default, known or tuned.
        paired: by the seeds that both have; False: they have none in common.
        duels: of each problem that has a target and trials of both.
        steps: what the steps to the target say.
        secs: what the seconds say.
        sentence: all of it for people.

    """

    a: str
    b: str
    track: str
    paired: bool
    duels: list[Duel]
    steps: Claim
    secs: Claim
    sentence: str

    def __str__(self) -> str:
        """Return a table of the medians by problem, and the sentence."""
        width = max([len(duel.problem) for duel in self.duels], default=0)
        heads = (f"steps, {self.a}", f"steps, {self.b}", f"seconds, {self.a}", f"seconds, {self.b}")
        lines = ["  ".join([" " * width, f"{'n':>5}", *heads])] if self.duels else []
        for duel in self.duels:
            values = [number(each, ".4g", DASH) for each in (duel.steps_a, duel.steps_b, duel.secs_a, duel.secs_b)]
            columns = [f"{value:>{len(head)}}" for value, head in zip(values, heads, strict=True)]
            n = str(duel.n_a) if self.paired else f"{duel.n_a}+{duel.n_b}"
            lines.append("  ".join([f"{duel.problem:{width}}", f"{n:>5}", *columns]))
        return "\n".join([*lines, self.sentence])


def versus(known: Tracks, a: str, b: str, track: str) -> Versus:
    """Compare two optimizers over the problems that both were trained on.

    Trials with the same seed are pairs, and others are dropped; if there are none with the same seed at all, all trials
    are compared without pairs.
    """
    cells = known[track]
    problems = dict.fromkeys(problem for problem, _ in cells)
    both = [
        (cells[problem, a], cells[problem, b]) for problem in problems if {(problem, a), (problem, b)} <= set(cells)
    ]
    both = [(one, other) for one, other in both if one.has_target]
    are_paired = not both or any(set(one.seeds) & set(other.seeds) for one, other in both)
    steps, secs = (
        [
            matched(one, other, measure) if are_paired else (one.times(measure), other.times(measure))
            for one, other in both
        ]
        for measure in ("steps", "secs")
    )
    compare = paired if are_paired else unpaired
    claims = evenly_searched(compare(steps, "steps"), both), evenly_searched(compare(secs, "secs"), both)
    duels = [
        Duel(one.problem, len(s[0]), len(s[1]), *(_median(each) for each in (*s, *t)))
        for (one, _), s, t in zip(both, steps, secs, strict=True)
        if len(s[0])
    ]
    return Versus(a, b, track, are_paired, duels, *claims, _sentence(a, b, track, are_paired, *claims))


def matched(one: Cell, other: Cell, measure: Measure) -> tuple[Array, Array]:
    """Return the times of the trials of two optimizers that have the same seeds."""
    _, first, second = np.intersect1d(one.seeds, other.seeds, return_indices=True)
    return one.times(measure)[first], other.times(measure)[second]


def _median(times: Array) -> float:
    return float(np.median(times))


def _sentence(a: str, b: str, track: str, are_paired: bool, steps: Claim, secs: Claim) -> str:
    trials = "pair" if are_paired else "trial"
    n = f"{counted(steps.pairs, trials)}{' of trials' if are_paired else ' (no seed in common)'}"
    start = f"{a} against {b}, {track}, {n} on {counted(steps.problems, 'problem')}"
    if steps.speedup is None:
        return f"{start}: too few to tell."
    return f"{start}: in steps to the target {said(steps)}; in seconds {said(secs)}."


def said(claim: Claim) -> str:
    """Write a verdict with its evidence.

    >>> said(Claim("tie", Interval(0.98, 1.04, 1.1), 0.3, 50, 10))
    'a tie, 1.04 times as fast [0.98, 1.1], p = 0.3'

    """
    if claim.speedup is None:
        return claim.verdict
    low, mid, high = (f"{each:.3g}" for each in claim.speedup)
    chance = "p < 0.001" if (claim.p or 0.0) < 0.001 else f"p = {claim.p:.2g}"  # noqa: PLR2004  # as it is written
    return f"{'a ' * (claim.verdict == 'tie')}{claim.verdict}, {mid} times as fast [{low}, {high}], {chance}"
