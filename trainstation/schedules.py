"""Learning rates as pure functions of the step: `schedule(step, base_lr) -> lr`.

A schedule knows no optimizer: it can be called, plotted and pickled alone. `trainstation.schedulers` write its rates
into one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import NamedTuple, Protocol

__all__ = ["Cosine", "Exponential", "Joined", "Linear", "Schedule", "Step"]


class Schedule(Protocol):
    """A learning rate as a function of the step."""

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""


class Cosine(NamedTuple):
    """From the base rate down to `eta_min` along half a cosine of `T_max` steps, and up again."""

    T_max: int
    eta_min: float = 0.0

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * step / self.T_max)) / 2


class Linear(NamedTuple):
    """The base rate times a factor that moves from `start_factor` to `end_factor` in `total_iters` steps."""

    start_factor: float = 1 / 3
    end_factor: float = 1.0
    total_iters: int = 5

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        done = min(step, self.total_iters) / self.total_iters if self.total_iters else 1.0
        return base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class Step(NamedTuple):
    """The base rate times `gamma` once for every `step_size` steps."""

    step_size: int
    gamma: float = 0.1

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        return base_lr * float(self.gamma ** (step // self.step_size))


class Exponential(NamedTuple):
    """The base rate times `gamma` at every step."""

    gamma: float

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        return base_lr * float(self.gamma**step)


class Joined(NamedTuple):
    """One schedule after the other, each from its own step 0; the next begins at each milestone."""

    schedules: tuple[Schedule, ...]
    milestones: tuple[int, ...]

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        index = bisect_right(self.milestones, step)
        begin = self.milestones[index - 1] if index else 0
        return self.schedules[index](step - begin, base_lr)
