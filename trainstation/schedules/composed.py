"""Schedules made of schedules."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from trainstation.schedules.curves import Schedule

__all__ = ["Chain", "Joined"]


@dataclass(frozen=True, slots=True)
class Joined(Schedule):
    """One schedule after the other, each from its own step 0; the next begins at each milestone."""

    schedules: tuple[Schedule, ...]
    milestones: tuple[int, ...]

    @property
    def is_recursive(self) -> bool:
        """Whether one of them is."""
        return any(schedule.is_recursive for schedule in self.schedules)

    def _place(self, step: int) -> tuple[int, int]:
        """Return which schedule it is at a step, and its own step."""
        index = bisect_right(self.milestones, step)
        return index, step - (self.milestones[index - 1] if index else 0)

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        index, own = self._place(step)
        if not self.is_recursive:
            return self.schedules[index](own, base_lr)
        rate = base_lr
        for each in range(step + 1):
            rate = self.follow(each, base_lr, rate)
        return rate

    def follow(self, step: int, base_lr: float, rate: float) -> float:
        """Return the rate at a step from the one before it; each schedule but the first begins anew."""
        index, own = self._place(step)
        schedule = self.schedules[index]
        if step == 0:
            return schedule.follow(0, base_lr, base_lr)
        return schedule.follow(own, base_lr, rate) if own else schedule.begin(base_lr, rate)


@dataclass(frozen=True, slots=True)
class Chain(Schedule):
    """All schedules at once: each goes on from the rate that the one before it has made."""

    schedules: tuple[Schedule, ...]

    @property
    def is_recursive(self) -> bool:
        """The rate of a step depends on the one before it."""
        return True

    def __call__(self, step: int, base_lr: float) -> float:
        """Return the rate at a step >= 0."""
        rate = base_lr
        for each in range(step + 1):
            rate = self.follow(each, base_lr, rate)
        return rate

    def follow(self, step: int, base_lr: float, rate: float) -> float:
        """Return the rate at a step from the one before it."""
        for schedule in self.schedules:
            rate = schedule.follow(step, base_lr, rate)
        return rate
