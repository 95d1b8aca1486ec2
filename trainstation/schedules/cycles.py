"""Schedules that go up and down between rates of their own, and momenta that go the other way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from trainstation.schedules.curves import Schedule

__all__ = ["CosineRestarts", "Cycle", "OneCycle"]


@dataclass(frozen=True, slots=True)
class CosineRestarts(Schedule):
    """From the base rate down to `eta_min` in `T_0` steps, again from the base rate in `T_mult` times as many, ..."""

    T_0: int
    T_mult: int = 1
    eta_min: float = 0.0

    def __call__(self, step: float, base_lr: float) -> float:
        """Return the rate at a step >= 0, which may be a fraction."""
        length = self.T_0
        if self.T_mult == 1:
            step %= length
        while step >= length:
            step -= length
            length *= self.T_mult
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * step / length)) / 2


@dataclass(frozen=True, slots=True)
class OneCycle(Schedule):
    """From value to value, each reached at its step; the base rate has no part in it.

    Attributes:
        values: the first, and the one at the end of each phase.
        ends: the step at which each phase ends; the last one goes on after it.
        anneal: "cos" or "linear".
        total_steps: no step comes after it.

    """

    values: tuple[float, ...]
    ends: tuple[float, ...]
    anneal: str
    total_steps: int

    def __call__(self, step: int, base_lr: float) -> float:  # noqa: ARG002  # it has its own
        """Return the value at a step >= 0; ValueError after `total_steps`."""
        if step > self.total_steps:
            msg = f"Tried to step {step} times. The specified number of total steps is {self.total_steps}"
            raise ValueError(msg)
        phase = next((index for index, end in enumerate(self.ends) if step <= end), len(self.ends) - 1)
        first = self.ends[phase - 1] if phase else 0.0
        length = self.ends[phase] - first
        done = (step - first) / length if length else 1.0
        start, end = self.values[phase : phase + 2]
        if self.anneal == "linear":
            return start + (end - start) * done
        return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True, slots=True)
class Cycle(Schedule):
    """From `low` to `high` and back, again and again; the base rate has no part in it.

    Attributes:
        low, high: where a cycle begins, and its peak. That of a momentum is below.
        step_size_up, step_size_down: steps to the peak and back.
        scale: what a peak is multiplied by: a function of the number of the cycle, from 1, or of the step.
        scale_mode: "cycle" or "iterations".

    """

    low: float
    high: float
    step_size_up: float
    step_size_down: float
    scale: Callable[[float], float]
    scale_mode: str

    def __call__(self, step: int, base_lr: float) -> float:  # noqa: ARG002  # it has its own
        """Return the value at a step >= 0."""
        total = self.step_size_up + self.step_size_down
        cycle = math.floor(1 + step / total)
        place, peak = 1 + step / total - cycle, self.step_size_up / total
        height = place / peak if place < peak else (place - 1) / (peak - 1)
        scale = self.scale(cycle if self.scale_mode == "cycle" else step)
        return self.low + (self.high - self.low) * height * scale
