"""What is drawn of several seeds: the median and the middle of them, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation.bench.records.rows import Point, Trial

__all__ = ["Curve", "curve", "loss_curve"]

LOW, HIGH = 0.2, 0.8  # of the seeds, between which the band lies


class Curve(NamedTuple):
    """One optimizer over its seeds; what fewer than half of them got to is not there."""

    steps: NDArray[Any]
    middle: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]

    def draw(self, axes: Any, line: dict[str, Any], mark: str = "") -> None:
        """Draw the line, with a mark at its end, and the band behind it."""
        low, high = (np.where(np.isfinite(each), each, self.middle) for each in (self.low, self.high))
        if (low != high).any():
            # What is toggled on a page is one group: the line's; the band has the same gid.
            band = {key: value for key, value in line.items() if key in ("color", "gid")}
            axes.fill_between(self.steps, low, high, linewidth=0, alpha=0.13, **band)
        axes.plot(self.steps, self.middle, marker=mark, markevery=[len(self.steps) - 1], **line)


def curve(trials: Sequence[Trial]) -> Curve:
    """Return the metric; a seed that has no value at a step, since it diverged, counts as worse than all."""
    return _curve(trials, lambda point: point.val_metric, trials[0].lower_is_better)


def loss_curve(trials: Sequence[Trial]) -> Curve:
    """Return the training loss, likewise: at each point its mean since the last one."""
    return _curve(trials, lambda point: point.train_loss, lower_is_better=True, begin=1)


def _curve(
    trials: Sequence[Trial], value_of: Callable[[Point], float | None], lower_is_better: bool, begin: int = 0
) -> Curve:
    worst = math.inf if lower_is_better else -math.inf
    values: dict[int, list[float]] = {}
    for trial in trials:
        for point in trial.points[begin:]:
            value = value_of(point)
            values.setdefault(point.step, []).append(worst if value is None or not math.isfinite(value) else value)
    steps = sorted(step for step, some in values.items() if 2 * len(some) > len(trials))
    table = np.array([[*values[step], *[worst] * (len(trials) - len(values[step]))] for step in steps])
    if not steps:
        return Curve(*np.empty((4, 0)))
    low, middle, high = np.quantile(table, (LOW, 0.5, HIGH), axis=1, method="nearest")
    found = np.isfinite(middle)
    return Curve(np.array(steps)[found], *(each[found] for each in (middle, low, high)))
