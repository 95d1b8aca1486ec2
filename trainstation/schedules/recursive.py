"""Schedules that go on from the rate that they find; called, they tell what they make of the base rate alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from trainstation.schedules.curves import Schedule

__all__ = ["Anneal", "Kept", "Multiplicative"]


@dataclass(frozen=True, slots=True)
class Multiplicative(Schedule):
    """The rate times a function of the step, from step 1."""

    function: Callable[[int], float]

    @property
    def is_recursive(self) -> bool:
        """The rate of a step depends on the one before it."""
        return True

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0: the product of all factors until then."""
        return base_lr * math.prod(float(self.function(each)) for each in range(1, step + 1))

    def follow(self, step: int, base_lr: float, rate: float) -> float:  # noqa: ARG002  # as the base
        """Return the rate at a step from the one before it."""
        return rate * float(self.function(step)) if step else rate

    def begin(self, base_lr: float, rate: float) -> float:  # noqa: ARG002  # as the base
        """Return the rate at step 0, after another schedule that ended at `rate`: there, torch multiplies too."""
        return rate * float(self.function(0))


@dataclass(frozen=True, slots=True)
class Anneal(Schedule):
    """From the rate that it finds to `final_lr`, in `anneal_epochs` steps."""

    final_lr: float
    anneal_epochs: int = 10
    strategy: str = "cos"

    @property
    def is_recursive(self) -> bool:
        """Where it begins is the rate that it finds."""
        return True

    def _done(self, step: int) -> float:
        done = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return done if self.strategy == "linear" else (1 - math.cos(math.pi * done)) / 2

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        done = self._done(max(1, step) if self.anneal_epochs == 0 else step)
        return base_lr + (self.final_lr - base_lr) * done

    def follow(self, step: int, base_lr: float, rate: float) -> float:  # noqa: ARG002  # as the base
        """Return the rate at a step from the one before it: as if it had been annealed from some rate until there."""
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, done = self._done(step - 1), self._done(step)
        first = self.final_lr if before == 1 else (rate - before * self.final_lr) / (1 - before)
        return self.final_lr * done + first * (1 - done)

    def begin(self, base_lr: float, rate: float) -> float:
        """Return the rate at step 0, after another schedule that ended at `rate`."""
        return self.follow(0, base_lr, rate)


@dataclass(frozen=True, slots=True)
class Kept(Schedule):
    """What is there: the momentum under a scheduler that moves only the rate."""

    @property
    def is_recursive(self) -> bool:
        """It is nothing but what it finds."""
        return True

    def __call__(self, step: int, base_lr: float) -> float:  # noqa: ARG002  # none changes anything
        """Return the base."""
        return base_lr

    def follow(self, step: int, base_lr: float, rate: float) -> float:  # noqa: ARG002  # none changes anything
        """Return what is there."""
        return rate

    def begin(self, base_lr: float, rate: float) -> float:  # noqa: ARG002  # none changes anything
        """Return what is there."""
        return rate
