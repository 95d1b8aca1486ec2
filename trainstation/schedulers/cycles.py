"""Schedulers that go up and down, most of them with the momentum the other way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trainstation.schedulers.base import ScheduleLR, for_each_group, momentum_of, positive, set_rate
from trainstation.schedules import CosineRestarts, Cycle, OneCycle, Schedule

__all__ = ["CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]


class CosineAnnealingWarmRestarts(ScheduleLR):
    """eta_min + (base - eta_min) * (1 + cos(pi * t / T)) / 2, t and T of the present cycle: from `T_0`, times `T_mult`.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2016.
    """

    def __init__(
        self,
        optimizer: Any,
        T_0: int,  # noqa: N803  # torch's names
        T_mult: int = 1,  # noqa: N803
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        """Raise ValueError unless `T_0` and `T_mult` are positive ints, and `eta_min` a number."""
        if not isinstance(T_0, int) or T_0 <= 0:
            msg = f"Expected positive integer T_0, but got {T_0}"
            raise ValueError(msg)
        if not isinstance(T_mult, int) or T_mult < 1:
            msg = f"Expected integer T_mult >= 1, but got {T_mult}"
            raise ValueError(msg)
        if not isinstance(eta_min, float | int):
            msg = f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
            raise ValueError(msg)  # noqa: TRY004  # torch's ValueError
        self._restarts = CosineRestarts(T_0, T_mult, eta_min)
        super().__init__(optimizer, self._restarts, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """Go on by one step, or to `epoch`, which may be a fraction: epoch + batch / batches."""
        if epoch is None:
            super().step()
            return
        if epoch < 0:
            msg = f"Expected non-negative epoch, but got {epoch}"
            raise ValueError(msg)
        self._write([self._restarts(epoch, base) for base in self.base_lrs], [])
        self.last_epoch = math.floor(epoch)


class OneCycleLR(ScheduleLR):
    """From `max_lr` / `div_factor` up to `max_lr`, and down to its start / `final_div_factor`; the momentum reversed.

    Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates, 2017.
    """

    def __init__(
        self,
        optimizer: Any,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        """Write the first rate, and the momentum (or the first of betas).

        Args:
            optimizer: has `param_groups`.
            max_lr: the peak; one number, or one for each group.
            total_steps: of the cycle; or `epochs` times `steps_per_epoch`. A step beyond them is a ValueError.
            epochs: see above.
            steps_per_epoch: see above.
            pct_start: the part of the steps until the peak.
            anneal_strategy: "cos" or "linear".
            cycle_momentum: whether the momentum is moved too.
            base_momentum: at the peak.
            max_momentum: at the start and the end.
            div_factor: the peak by the start.
            final_div_factor: the start by the end.
            three_phase: down to the start as it went up, and then to the end.
            last_epoch: the step before the first one.

        Raises:
            ValueError: an argument is out of its range, or a group has no momentum.

        """
        steps = _total(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            msg = f"Expected float between 0 and 1 pct_start, but got {pct_start}"
            raise ValueError(msg)
        if anneal_strategy not in ("cos", "linear"):
            msg = f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            raise ValueError(msg)
        top = pct_start * steps - 1
        ends = (top, 2 * top, steps - 1) if three_phase else (top, steps - 1)

        def cycle(first: float, peak: float, last: float) -> Schedule:
            return OneCycle(
                (first, peak, first, last) if three_phase else (first, peak, last), ends, anneal_strategy, steps
            )

        peaks = for_each_group("max_lr", max_lr, optimizer)
        firsts = [peak / div_factor for peak in peaks]
        rates = [cycle(first, peak, first / final_div_factor) for first, peak in zip(firsts, peaks, strict=True)]
        momenta = None
        if cycle_momentum:
            lows, highs = _momenta(optimizer, base_momentum, max_momentum)
            momenta = [cycle(high, low, high) for low, high in zip(lows, highs, strict=True)]
        if last_epoch == -1:
            for group, first in zip(optimizer.param_groups, firsts, strict=True):
                group["initial_lr"] = first
        super().__init__(optimizer, rates, last_epoch, momentum=momenta)


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    """Return the number of steps; ValueError unless it can be told, and is positive."""
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        msg = "You must define either total_steps OR (epochs AND steps_per_epoch)"
        raise ValueError(msg)
    given = {"total_steps": total_steps}
    if total_steps is None:
        given = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            msg = f"Expected positive integer {name}, but got {value}"
            raise ValueError(msg)
    return math.prod(value for value in given.values() if value is not None)


@dataclass(frozen=True, slots=True)
class _Scale:
    """What CyclicLR's modes multiply the height of a peak by."""

    mode: str
    gamma: float

    def __call__(self, x: float) -> float:
        if self.mode == "triangular":
            return 1.0
        return float(0.5 ** (x - 1) if self.mode == "triangular2" else self.gamma**x)


class CyclicLR(ScheduleLR):
    """From `base_lr` up to `max_lr` and back, again and again; the momentum the other way.

    Smith, Cyclical Learning Rates for Training Neural Networks, 2015.
    """

    def __init__(
        self,
        optimizer: Any,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        """Write the first rate, and the momentum (or the first of betas).

        Args:
            optimizer: has `param_groups`.
            base_lr: where a cycle begins; one number, or one for each group.
            max_lr: the peak; likewise.
            step_size_up: steps to the peak.
            step_size_down: steps back; None: as many.
            mode: "triangular", "triangular2" (each peak half as high) or "exp_range" (times `gamma` to the step).
            gamma: of "exp_range".
            scale_fn: instead of a mode: what a peak's height is multiplied by.
            scale_mode: of `scale_fn`: a function of the "cycle", from 1, or of "iterations".
            cycle_momentum: whether the momentum is moved too.
            base_momentum: at the peak.
            max_momentum: where a cycle begins.
            last_epoch: the step before the first one.

        Raises:
            ValueError: an argument is out of its range, or a group has no momentum.

        """
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            msg = "mode is invalid and scale_fn is None"
            raise ValueError(msg)
        down = step_size_up if step_size_down is None else step_size_down
        positive("step_size_up + step_size_down", step_size_up + down)
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self._own_scale, scale = scale_fn, scale_fn or _Scale(mode, gamma)

        def cycle(low: float, high: float) -> Schedule:
            return Cycle(low, high, step_size_up, down, scale, scale_mode)

        lows, highs = for_each_group("base_lr", base_lr, optimizer), for_each_group("max_lr", max_lr, optimizer)
        rates = [cycle(low, high) for low, high in zip(lows, highs, strict=True)]
        momenta = None
        if cycle_momentum:
            least, most = _momenta(optimizer, base_momentum, max_momentum)
            momenta = [cycle(high, low) for low, high in zip(least, most, strict=True)]
        if last_epoch == -1:
            for group, low in zip(optimizer.param_groups, lows, strict=True):
                set_rate(group, low)
        super().__init__(optimizer, rates, last_epoch, momentum=momenta)

    def _functions(self) -> list[Callable[..., Any]]:
        return [] if self._own_scale is None else [self._own_scale]


def _momenta(
    optimizer: Any, base_momentum: float | Sequence[float], max_momentum: float | Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return the least and the greatest momentum of each group; ValueError if a group has none."""
    for group in optimizer.param_groups:
        momentum_of(group)
    return (
        for_each_group("base_momentum", base_momentum, optimizer),
        for_each_group("max_momentum", max_momentum, optimizer),
    )
