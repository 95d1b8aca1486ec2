"""What a search says besides its best point: how much the learning rate matters, and what fewer trials would find."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation.bench.protocol import search
from trainstation.bench.protocol.plan import best_of
from trainstation.bench.records.rows import Trial
from trainstation.bench.verdicts.cells import Cell, Tracks
from trainstation.registry.spaces import Space

__all__ = ["RatePoint", "Sensitivity", "expected_best", "sensitivity"]

Array = NDArray[Any]
NEAR = 0.05  # of the best final metric


class RatePoint(NamedTuple):
    """A point of a search box: its learning rate (None: the optimizer has none), where it ended, whether it got there.

    A trial that diverged or failed has no final metric.
    """

    lr: float | None
    final: float | None
    reached: bool


@dataclass(frozen=True)
class Sensitivity:
    """How much the learning rate of one optimizer matters on one problem.

    Attributes:
        problem: its name.
        optimizer: its name.
        points: of the search, by their rates.
        n: how many these are.
        reached: the share of them that reach the target; None: there is none.
        decades: log10 of the widest range of rates around the best in which each point that was tried is good: reaches
            the target, or ends within 5 % of the best final metric. 0: the best alone. None: no rate, or none trained.
        best: the hyper-parameters of the best point that were searched; None: none trained.
        edges: what of it lies at an edge of the box, so that there may be better outside.

    """

    problem: str
    optimizer: str
    points: list[RatePoint]
    n: int
    reached: float | None
    decades: float | None
    best: dict[str, Any] | None
    edges: list[str]


def sensitivity(known: Tracks, boxes: Mapping[str, Space]) -> list[Sensitivity]:
    """Return what the searches say of the learning rate, by problem and optimizer; boxes by optimizer."""
    return [_sensitivity(cell, boxes.get(cell.optimizer, {})) for cell in known["tuning"].values()]


def _sensitivity(cell: Cell, box: Space) -> Sensitivity:
    best = best_of(cell.trials)
    trained = best is not None and best.final is not None
    by_rate = sorted(cell.trials, key=lambda trial: _rate(trial) or math.inf)
    reached = [trial.status == "done" and trial.steps_to_target is not None for trial in by_rate]
    # A box that is not known any more cannot say what was searched.
    point = {name: best.hparams[name] for name in box if name in best.hparams} if best is not None and trained else None
    return Sensitivity(
        problem=cell.problem,
        optimizer=cell.optimizer,
        points=[RatePoint(_rate(trial), trial.final, met) for trial, met in zip(by_rate, reached, strict=True)],
        n=len(by_rate),
        reached=sum(reached) / len(reached) if cell.has_target else None,
        decades=_decades(by_rate, reached, best) if best is not None and trained else None,
        best=point,
        edges=search.edges(box, point) if point else [],
    )


def _rate(trial: Trial) -> float | None:
    rate = trial.hparams.get("lr")
    return float(rate) if isinstance(rate, int | float) and rate > 0 else None


def _decades(by_rate: Sequence[Trial], reached: Sequence[bool], best: Trial) -> float | None:
    if best.final is None or _rate(best) is None:
        return None
    good = [
        met or (trial.final is not None and abs(trial.final - best.final) <= NEAR * abs(best.final))
        for trial, met in zip(by_rate, reached, strict=True)
    ]
    low = high = by_rate.index(best)
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < len(good) and good[high + 1]:
        high += 1
    return math.log10((_rate(by_rate[high]) or 1.0) / (_rate(by_rate[low]) or 1.0))


def expected_best(known: Tracks, measure: Literal["final", "steps"] = "final") -> dict[tuple[str, str], Array]:
    """Return what the best of k trials of a search would have been, k = 1 to all, by problem and optimizer.

    Float64. All sets of k trials are as likely, so that the i-th best of n (i from 1) is the best of the set with
    probability C(n - i, k - 1) / C(n, k). Of final metrics the expectation, a trial without one as bad as the worst
    that ended; of steps to the target the median, as misses are infinite (Sivaprasad et al., 2020, Optimizer
    Benchmarking Needs to Account for Hyperparameter Tuning).
    """
    found = {}
    for key, cell in known["tuning"].items():
        values = _final(cell) if measure == "final" else np.sort(cell.steps)
        if len(values):
            chance = _chances(len(values))
            half = np.argmax(chance.cumsum(axis=1) >= 0.5 - 1e-9, axis=1)
            found[key] = chance @ values if measure == "final" else values[half]
    return found


def _final(cell: Cell) -> Array:
    """Return the final metrics, best first; none if no trial has one."""
    ended = cell.finals[np.isfinite(cell.finals)]
    if not len(ended):
        return ended
    lower = cell.trials[0].lower_is_better
    worst = ended.max() if lower else ended.min()
    values = np.sort(np.where(np.isfinite(cell.finals), cell.finals, worst))
    return values if lower else values[::-1]


def _chances(count: int) -> Array:
    """Return a matrix: in row k - 1 how likely each, best first, is the best of k."""
    return np.array(
        [
            [math.comb(count - place, k - 1) / math.comb(count, k) for place in range(1, count + 1)]
            for k in range(1, count + 1)
        ]
    )
