"""What samples say, and how surely: intervals by resampling, verdicts, and what a step's time consists of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DISTURBED",
    "RESAMPLES",
    "Fit",
    "Interval",
    "bootstrapped",
    "doubts",
    "fit",
    "interval",
    "mad",
    "median",
    "ratio",
    "verdict",
]

Array = NDArray[Any]
RESAMPLES = 2000
NOT_SLOWER = 0.97  # of the other's speed
# pyperf's: a spread, a sample off the mean, and nanoseconds, beyond or below which a result is in doubt
SPREAD, OFF, SHORT = 0.10, 0.50, 1_000_000
DISTURBED = 5.0  # percent of the processors' time for others


class Interval(NamedTuple):
    """An estimate within its 95 % bootstrap interval."""

    low: float
    mid: float
    high: float


def _picks(count: int, seed: int) -> Array:
    """Draw places of samples, with replacement, the same ones at every call."""
    return np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))


def bootstrapped(mid: float, resampled: Array) -> Interval:
    """Return an estimate, and what 95 % of those lie between that were made of samples drawn again."""
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Interval(float(low), mid, float(high))


def interval(samples: Sequence[float]) -> Interval:
    """Return the median, and where it would lie were the samples drawn again."""
    values = np.asarray(samples)
    return bootstrapped(float(np.median(values)), np.median(values[_picks(len(values), 0)], axis=1))


def median(values: Sequence[float | None]) -> float | None:
    """Return the median of those that there are; None of none."""
    there = [value for value in values if value is not None]
    return float(np.median(there)) if there else None


def mad(samples: Sequence[float]) -> float:
    """Return the median distance from the median."""
    values = np.asarray(samples)
    return float(np.median(np.abs(values - np.median(values))))


def ratio(above: Sequence[float], below: Sequence[float], *, paired: bool = True) -> Interval:
    """Return the quotient of two medians.

    Paired samples, the nth of both from the same round, are drawn again together: what slowed a round down slowed both.
    """
    one, two = np.asarray(above), np.asarray(below)
    first = _picks(len(one), 0)
    second = first if paired else _picks(len(two), 1)
    resampled = np.median(one[first], axis=1) / np.median(two[second], axis=1)
    return bootstrapped(float(np.median(one) / np.median(two)), resampled)


def verdict(speed: Interval) -> str:
    """Say what a quotient of speeds shows: "faster" and "slower" only where its interval excludes 1."""
    if speed.low > 1:
        return "faster"
    if speed.low >= NOT_SLOWER:
        return "not slower"
    return "slower" if speed.high < 1 else "tie"


def doubts(samples: Sequence[float], loops: int, others_pct: float = 0.0) -> list[str]:
    """Return pyperf's warnings of samples, each in nanoseconds for one of so many calls, and of others at work."""
    values = np.asarray(samples)
    mean, said = values.mean(), []
    if others_pct > DISTURBED:
        said.append(f"others took {others_pct:.0f} % of the processors' time")
    if len(values) > 1 and values.std(ddof=1) >= SPREAD * mean:
        said.append(f"the standard deviation is {values.std(ddof=1) / mean:.0%} of the mean")
    if np.abs(values - mean).max() >= OFF * mean:
        said.append(f"a sample is {np.abs(values - mean).max() / mean:.0%} off the mean")
    if values.min() * loops < SHORT:
        said.append(f"the shortest sample took {values.min() * loops / 1e3:.3g} us")
    return said


class Fit(NamedTuple):
    """What a step costs in nanoseconds: once, for each tensor (None: the cases cannot say), for each element."""

    call: float
    tensor: float | None
    element: float


def fit(cases: Sequence[tuple[int, int, float]]) -> Fit | None:
    """Fit t = call + tensor * tensors + element * elements to (tensors, elements, ns), none of the three below 0.

    Squares of relative errors are least, so that microseconds count as much as seconds. Each set of terms that are not
    held at 0 is solved, and the best that is not negative is taken: with three terms that is exact. None if there are
    fewer cases than terms.
    """
    tensors, elements, times = np.asarray(cases, float).reshape(-1, 3).T
    varied = len(set(tensors)) > 1  # else a call's and a tensor's cost are one
    columns = np.stack([np.ones_like(times), tensors, elements] if varied else [np.ones_like(times), elements], axis=1)
    terms = columns.shape[1]
    if len(times) < terms:
        return None
    matrix = columns / times[:, None]
    best, least = np.zeros(terms), np.inf
    for count in range(1, terms + 1):
        for chosen in map(list, combinations(range(terms), count)):
            solved = np.linalg.lstsq(matrix[:, chosen], np.ones_like(times))[0]
            error = float(np.square(matrix[:, chosen] @ solved - 1).sum())
            if (solved >= 0).all() and error < least:
                best, least = np.zeros(terms), error
                best[chosen] = solved
    return Fit(float(best[0]), float(best[1]) if varied else None, float(best[-1]))
