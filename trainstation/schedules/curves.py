"""Schedules that have a closed form."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "InverseSquareRoot",
    "Lambda",
    "Linear",
    "MultiStep",
    "Polynomial",
    "Schedule",
    "Step",
    "WarmupStableDecay",
]


class Schedule(ABC):
    """A learning rate as a function of the step."""

    __slots__ = ()

    @property
    def is_recursive(self) -> bool:
        """Whether it goes on from the rate that it finds; else a scheduler takes `schedule(step)`."""
        return False

    @abstractmethod
    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""

    def follow(self, step: int, base_lr: float, rate: float) -> float:  # noqa: ARG002  # for overrides
        """Return the rate at a step from the one before it, which a chain of schedules has made; at 0, the first."""
        return self(step, base_lr)

    def begin(self, base_lr: float, rate: float) -> float:  # noqa: ARG002  # for overrides
        """Return the rate at step 0, after another schedule that ended at `rate`."""
        return self(0, base_lr)


class _Factor(Schedule):
    """A schedule that multiplies the base rate by a factor."""

    __slots__ = ()

    @abstractmethod
    def factor(self, step: int) -> float:
        """Return what the base rate is multiplied by at a step >= 0."""

    def __call__(self, step: int, base_lr: float) -> float:
        return base_lr * self.factor(step)

    def follow(self, step: int, base_lr: float, rate: float) -> float:  # noqa: ARG002  # as the base
        before = self.factor(step - 1) if step else 1.0
        return rate * (self.factor(step) / before) if before else rate


@dataclass(frozen=True, slots=True)
class Cosine(Schedule):
    """From the base rate down to `eta_min` along half a cosine of `T_max` steps, and up again."""

    T_max: int
    eta_min: float = 0.0

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        return self.eta_min + (base_lr - self.eta_min) * self._height(step)

    def _height(self, step: int) -> float:
        return (1 + math.cos(math.pi * step / self.T_max)) / 2

    def follow(self, step: int, base_lr: float, rate: float) -> float:
        """Return the rate at a step from the one before it."""
        if step == 0:
            return rate
        if (step - 1 - self.T_max) % (2 * self.T_max) == 0:  # the one before it is eta_min: no factor leads from there
            return rate + (base_lr - self.eta_min) * self._height(self.T_max - 1)
        return self.eta_min + (rate - self.eta_min) * (self._height(step) / self._height(step - 1))


@dataclass(frozen=True, slots=True)
class Linear(_Factor):
    """The base rate times a factor that moves from `start_factor` to `end_factor` in `total_iters` steps."""

    start_factor: float = 1 / 3
    end_factor: float = 1.0
    total_iters: int = 5

    def factor(self, step: int) -> float:
        """Return what the base rate is multiplied by."""
        done = min(step, self.total_iters) / self.total_iters if self.total_iters else 1.0
        return self.start_factor + (self.end_factor - self.start_factor) * done


@dataclass(frozen=True, slots=True)
class Polynomial(_Factor):
    """The base rate times `(1 - step / total_iters) ** power`, which stays 0 after `total_iters` steps."""

    total_iters: int = 5
    power: float = 1.0

    def factor(self, step: int) -> float:
        """Return what the base rate is multiplied by."""
        return float((1.0 - min(step, self.total_iters) / self.total_iters) ** self.power)


@dataclass(frozen=True, slots=True)
class Constant(Schedule):
    """The base rate times `factor` for `total_iters` steps, and the base rate after them."""

    factor: float = 1 / 3
    total_iters: int = 5

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        return base_lr if step >= self.total_iters else base_lr * self.factor

    def follow(self, step: int, base_lr: float, rate: float) -> float:
        """Return the rate at a step from the one before it."""
        if step == 0:
            return rate * self.factor if self.total_iters > 0 else rate
        if step != self.total_iters:
            return rate
        return rate * (1.0 / self.factor) if self.factor else base_lr  # nothing leads back from 0


@dataclass(frozen=True, slots=True)
class Step(Schedule):
    """The base rate times `gamma` once for every `step_size` steps."""

    step_size: int
    gamma: float = 0.1

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        return base_lr * float(self.gamma ** (step // self.step_size))

    def follow(self, step: int, base_lr: float, rate: float) -> float:  # noqa: ARG002  # as the base
        """Return the rate at a step from the one before it."""
        return rate if step == 0 or step % self.step_size else rate * self.gamma


@dataclass(frozen=True, slots=True)
class MultiStep(Schedule):
    """The base rate times `gamma` once for every milestone that is reached; they do not decrease."""

    milestones: tuple[int, ...]
    gamma: float = 0.1

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        return base_lr * float(self.gamma ** bisect_right(self.milestones, step))

    def follow(self, step: int, base_lr: float, rate: float) -> float:  # noqa: ARG002  # as the base
        """Return the rate at a step from the one before it."""
        return rate * float(self.gamma ** self.milestones.count(step))


@dataclass(frozen=True, slots=True)
class Exponential(Schedule):
    """The base rate times `gamma` at every step."""

    gamma: float

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        return base_lr * float(self.gamma**step)

    def follow(self, step: int, base_lr: float, rate: float) -> float:  # noqa: ARG002  # as the base
        """Return the rate at a step from the one before it."""
        return rate * self.gamma if step else rate


@dataclass(frozen=True, slots=True)
class Lambda(Schedule):
    """The base rate times a function of the step."""

    function: Callable[[int], float]

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        return base_lr * float(self.function(step))


@dataclass(frozen=True, slots=True)
class InverseSquareRoot(_Factor):
    """The base rate times `min((step + 1) / W, sqrt(W / (step + 1)))`, W = `warmup_steps`."""

    warmup_steps: int

    def factor(self, step: int) -> float:
        """Return what the base rate is multiplied by."""
        done = (step + 1) / self.warmup_steps
        return min(done, 1 / math.sqrt(done))


@dataclass(frozen=True, slots=True)
class WarmupStableDecay(_Factor):
    """The base rate times a factor: up to 1, there for `stable_steps`, down to `min_factor`."""

    warmup_steps: int
    stable_steps: int
    decay_steps: int
    min_factor: float = 0.0
    decay: str = "sqrt"

    def factor(self, step: int) -> float:
        """Return what the base rate is multiplied by."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        into = step - self.warmup_steps - self.stable_steps
        if into < 0:
            return 1.0
        done = min(into, self.decay_steps) / self.decay_steps if self.decay_steps else 1.0
        left = {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "sqrt": 1 - math.sqrt(done)}
        return self.min_factor + (1 - self.min_factor) * left[self.decay]
