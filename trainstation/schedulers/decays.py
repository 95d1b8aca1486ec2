"""Schedulers that lead from the base rate, in closed form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trainstation.schedulers.base import ScheduleLR, positive
from trainstation.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseSquareRoot,
    Linear,
    MultiStep,
    Polynomial,
    Step,
    WarmupStableDecay,
)

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "InverseSquareRootLR",
    "LinearLR",
    "MultiStepLR",
    "PolynomialLR",
    "StepLR",
    "WarmupStableDecayLR",
]


class CosineAnnealingLR(ScheduleLR):
    r"""eta_min + (base - eta_min) * (1 + cos(pi * t / T_max)) / 2.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2016 (without the restarts).
    """

    def __init__(self, optimizer: Any, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:  # noqa: N803
        """`T_max`: the number of steps until `eta_min` is reached."""
        positive("T_max", T_max)
        super().__init__(optimizer, Cosine(T_max, eta_min), last_epoch)


class LinearLR(ScheduleLR):
    """The base rate times a factor that moves from `start_factor` to `end_factor` in `total_iters` steps: a warm-up.

    In 0 steps it is at its end at once (torch keeps `start_factor` for ever).
    """

    def __init__(
        self,
        optimizer: Any,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        """Raise ValueError for a factor that is not in (0, 1], or an end not in [0, 1]."""
        if not 0 < start_factor <= 1:
            msg = "Starting multiplicative factor expected to be greater than 0 and less or equal to 1."
            raise ValueError(msg)
        if not 0 <= end_factor <= 1:
            msg = "Ending multiplicative factor expected to be between 0 and 1."
            raise ValueError(msg)
        super().__init__(optimizer, Linear(start_factor, end_factor, total_iters), last_epoch)


class ConstantLR(ScheduleLR):
    """The base rate times `factor` for `total_iters` steps, and the base rate after them.

    For 0 steps it is the base rate at once (torch keeps `factor` for ever).
    """

    def __init__(self, optimizer: Any, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        """Raise ValueError for a factor that is not in [0, 1]."""
        if not 0 <= factor <= 1:
            msg = "Constant multiplicative factor expected to be between 0 and 1."
            raise ValueError(msg)
        super().__init__(optimizer, Constant(factor, total_iters), last_epoch)


class PolynomialLR(ScheduleLR):
    """The base rate times `(1 - t / total_iters) ** power`, and 0 after `total_iters` steps."""

    def __init__(self, optimizer: Any, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        """Raise ValueError unless `total_iters` is positive, and `power` not negative."""
        positive("total_iters", total_iters)
        if not power >= 0:
            msg = f"power must be >= 0, not {power}"
            raise ValueError(msg)
        super().__init__(optimizer, Polynomial(total_iters, power), last_epoch)


class StepLR(ScheduleLR):
    """The base rate times `gamma` once for every `step_size` steps."""

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        """Raise ValueError unless `step_size` is positive."""
        positive("step_size", step_size)
        super().__init__(optimizer, Step(step_size, gamma), last_epoch)


class MultiStepLR(ScheduleLR):
    """The base rate times `gamma` once for every milestone that is reached."""

    def __init__(self, optimizer: Any, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        """`milestones`: steps, in any order; one may come twice."""
        super().__init__(optimizer, MultiStep(tuple(sorted(milestones)), gamma), last_epoch)


class ExponentialLR(ScheduleLR):
    """The base rate times `gamma` at every step."""

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1) -> None:
        """`gamma`: what a step multiplies the rate by."""
        super().__init__(optimizer, Exponential(gamma), last_epoch)


class InverseSquareRootLR(ScheduleLR):
    """base * min((t + 1) / W, sqrt(W / (t + 1))), W = `warmup_steps`: a linear warm-up, then a decay without an end.

    Vaswani et al., Attention Is All You Need, 2017; the base rate is the peak.
    """

    def __init__(self, optimizer: Any, warmup_steps: int, last_epoch: int = -1) -> None:
        """Raise ValueError unless `warmup_steps` is positive; with 1, there is no warm-up."""
        positive("warmup_steps", warmup_steps)
        super().__init__(optimizer, InverseSquareRoot(warmup_steps), last_epoch)


class WarmupStableDecayLR(ScheduleLR):
    """A linear warm-up to the base rate, the base rate, and a decay to `min_factor` times it.

    base * (t + 1) / W for the W = `warmup_steps` first steps, base for `stable_steps`, and then, with x from 0 to 1 in
    `decay_steps`, base * (m + (1 - m) * f(x)), m = `min_factor`; f is 1 - sqrt(x), 1 - x or (1 + cos(pi x)) / 2.

    Hu et al., MiniCPM: Unveiling the Potential of Small Language Models, 2024; of the decays: Hägele et al., Scaling
    Laws and Compute-Optimal Training Beyond Fixed Training Durations, 2024.
    """

    def __init__(
        self,
        optimizer: Any,
        warmup_steps: int,
        stable_steps: int,
        decay_steps: int,
        min_factor: float = 0.0,
        decay: str = "sqrt",
        last_epoch: int = -1,
    ) -> None:
        """Raise ValueError for a negative count, a factor not in [0, 1], or a `decay` not of sqrt, linear, cosine."""
        for name, count in (
            ("warmup_steps", warmup_steps),
            ("stable_steps", stable_steps),
            ("decay_steps", decay_steps),
        ):
            if not count >= 0:
                msg = f"{name} must be >= 0, not {count}"
                raise ValueError(msg)
        if not 0 <= min_factor <= 1:
            msg = f"min_factor must be between 0 and 1, not {min_factor}"
            raise ValueError(msg)
        if decay not in ("sqrt", "linear", "cosine"):
            msg = f"decay must be one of 'sqrt', 'linear' or 'cosine', not {decay!r}"
            raise ValueError(msg)
        schedule = WarmupStableDecay(warmup_steps, stable_steps, decay_steps, min_factor, decay)
        super().__init__(optimizer, schedule, last_epoch)
