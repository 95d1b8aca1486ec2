"""What a problem is: a named source of tasks. The same seed starts the same task for every optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from trainstation.tensor import Tensor

__all__ = ["PERCENT", "Problem", "Task"]

PERCENT = ("accuracy", "error")  # metrics that are shares


class Task(Protocol):
    """One training run to be: a model with its first weights, and data in their order."""

    def parameters(self) -> list[Any]:
        """Return what to optimize."""

    def epoch(self) -> Iterator[Any]:
        """Yield the batches of the next epoch."""

    def loss(self, batch: Any) -> Tensor:
        """Return the training loss of a batch, recorded for backward."""

    def evaluate(self) -> float:
        """Return the metric on the data that are not trained on."""


@dataclass(frozen=True)
class Problem:
    """A named source of tasks.

    Attributes:
        name: as the command line knows it.
        summary: one line: model and data.
        metric: what a task's `evaluate` returns; "accuracy" and "error" are shown in percent.
        steps_per_epoch: batches of an epoch.
        start: makes a task from a seed: first weights, order of the data and noise depend on it alone.
        lower_is_better: of the metric.
        budget: steps of a trial that is scored; None: 20 epochs.
        target: the metric that a trial is to reach; None: no steps to a target are counted.
        profile: the smallest that it belongs to: smoke, standard or full.

    """

    name: str
    summary: str
    metric: str
    steps_per_epoch: int
    start: Callable[[int], Task]
    lower_is_better: bool = False
    budget: int | None = None
    target: float | None = None
    profile: str = "standard"

    def better(self, one: float, other: float) -> bool:
        """Whether one value of the metric is better than another; NaN is neither better nor worse."""
        return one < other if self.lower_is_better else one > other

    def say(self, value: float | None) -> str:
        """Write a value of the metric for people."""
        if value is None:
            return "-"
        return f"{100 * value:.1f} %" if self.metric in PERCENT else f"{value:.4g}"
