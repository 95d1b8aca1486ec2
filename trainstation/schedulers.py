"""Schedulers, under torch's names: they write `trainstation.schedules` into an optimizer.

A scheduler sets each group's "lr" from the group's "initial_lr" (its rate when the first scheduler came). The optimizer
needs no more than `param_groups`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from trainstation.schedules import Cosine, Exponential, Joined, Linear, Schedule, Step

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LinearLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


class _Scheduler(ABC):
    """What all schedulers share: an optimizer, and the count of steps."""

    def __init__(self, optimizer: Any, last_epoch: int) -> None:
        if not hasattr(optimizer, "param_groups"):
            msg = f"a scheduler needs an optimizer with param_groups, not {type(optimizer).__name__}"
            raise TypeError(msg)
        self.optimizer = optimizer
        self.last_epoch = last_epoch

    def get_last_lr(self) -> list[float]:
        """Return the current rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _check_groups(self, rates: Sequence[float]) -> None:
        """Refuse a state of another number of groups than the optimizer has."""
        groups = len(self.optimizer.param_groups)
        if len(rates) != groups:
            msg = f"the state is of {len(rates)} parameter groups, the optimizer has {groups}"
            raise ValueError(msg)

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the arguments."""

    @abstractmethod
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, and write the rates into the optimizer."""


class _ScheduleLR(_Scheduler):
    """A scheduler whose rate is a schedule of the number of its steps.

    A group that is added to the optimizer later follows the schedule from its next step; its base is the rate it has
    then.
    """

    def __init__(self, optimizer: Any, schedule: Schedule, last_epoch: int = -1) -> None:
        super().__init__(optimizer, last_epoch)
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch != -1 and "initial_lr" not in group:
                msg = (
                    f"param 'initial_lr' is not specified in param_groups[{index}] "
                    f"when resuming scheduler with last_epoch={last_epoch}"
                )
                raise KeyError(msg)
        self.schedule = schedule
        self.base_lrs: list[float] = []
        self.step()

    def step(self) -> None:
        """Go on by one step, and write the rates into the optimizer."""
        self.last_epoch += 1
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self.base_lrs.append(group.setdefault("initial_lr", group["lr"]))
        self._write()

    def _write(self) -> None:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.schedule(self.last_epoch, base)

    def state_dict(self) -> dict[str, Any]:
        """Return the count of steps and the base rates."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, and write the rates into the optimizer."""
        last_epoch, base_lrs = state_dict["last_epoch"], list(state_dict["base_lrs"])
        self._check_groups(base_lrs)
        self.last_epoch, self.base_lrs = last_epoch, base_lrs
        self._write()


def _positive(name: str, value: int) -> None:
    if not value > 0:
        msg = f"{name} must be > 0, not {value}"
        raise ValueError(msg)


class CosineAnnealingLR(_ScheduleLR):
    r"""eta_min + (base - eta_min) * (1 + cos(pi * t / T_max)) / 2.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2016 (without the restarts).
    """

    def __init__(self, optimizer: Any, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:  # noqa: N803
        """`T_max`: the number of steps until `eta_min` is reached."""
        _positive("T_max", T_max)
        super().__init__(optimizer, Cosine(T_max, eta_min), last_epoch)


class LinearLR(_ScheduleLR):
    """The base rate times a factor that moves from `start_factor` to `end_factor` in `total_iters` steps: a warm-up."""

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


class StepLR(_ScheduleLR):
    """The base rate times `gamma` once for every `step_size` steps."""

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        """Raise ValueError unless `step_size` is positive."""
        _positive("step_size", step_size)
        super().__init__(optimizer, Step(step_size, gamma), last_epoch)


class ExponentialLR(_ScheduleLR):
    """The base rate times `gamma` at every step."""

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1) -> None:
        """`gamma`: what a step multiplies the rate by."""
        super().__init__(optimizer, Exponential(gamma), last_epoch)


class SequentialLR(_ScheduleLR):
    """One scheduler after the other, each from its own step 0; the next begins at each milestone."""

    def __init__(
        self, optimizer: Any, schedulers: Sequence[Any], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        """Take over the schedules of `schedulers`, which are not stepped any more.

        Raises:
            TypeError: something is not a scheduler.
            ValueError: a scheduler belongs to another optimizer or is no function of the step, or the milestones
                decrease or are not one fewer than the schedulers.

        """
        if not schedulers:
            msg = "SequentialLR expects at least one scheduler, but got no scheduler."
            raise ValueError(msg)
        for index, scheduler in enumerate(schedulers):
            kind = type(scheduler).__name__
            if not isinstance(scheduler, _Scheduler):
                msg = f"SequentialLR expects schedulers of trainstation.schedulers, but got {kind} at index {index}"
                raise TypeError(msg)
            if not isinstance(scheduler, _ScheduleLR):
                msg = f"SequentialLR does not support `{kind}` scheduler (index {index}): it is no function of the step"
                raise ValueError(msg)  # noqa: TRY004  # torch's ValueError
            if scheduler.optimizer is not optimizer:
                msg = (
                    "SequentialLR expects all schedulers to belong to the same optimizer, but got scheduler "
                    f"{kind} at index {index} of another one"
                )
                raise ValueError(msg)
        if len(milestones) != len(schedulers) - 1:
            msg = (
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(schedulers)} and the number of milestones to "
                f"be equal to {len(milestones)}"
            )
            raise ValueError(msg)
        if list(milestones) != sorted(milestones):
            msg = f"milestones must not decrease: {list(milestones)}"
            raise ValueError(msg)
        joined = Joined(tuple(scheduler.schedule for scheduler in schedulers), tuple(milestones))
        super().__init__(optimizer, joined, last_epoch)


class ReduceLROnPlateau(_Scheduler):
    """Multiply the rate by `factor` when a metric has not improved for more than `patience` steps."""

    def __init__(
        self,
        optimizer: Any,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        """Prepare to watch a metric.

        Args:
            optimizer: has `param_groups`.
            mode: "min" if a smaller metric is better, "max" if a larger one.
            factor: < 1.
            patience: how many steps without improvement are forgiven.
            threshold: how much better counts as better: relative ("rel") or absolute ("abs"), by `threshold_mode`.
            threshold_mode: "rel" or "abs".
            cooldown: steps after a reduction in which nothing is counted.
            min_lr: no rate falls below it; one number, or one for each group.
            eps: a reduction smaller than this is not made.

        """
        if factor >= 1:
            msg = "Factor should be < 1.0."
            raise ValueError(msg)
        if mode not in ("min", "max"):
            msg = f"mode {mode} is unknown!"
            raise ValueError(msg)
        if threshold_mode not in ("rel", "abs"):
            msg = f"threshold mode {threshold_mode} is unknown!"
            raise ValueError(msg)
        super().__init__(optimizer, 0)
        self.min_lr = [float(m) for m in min_lr] if isinstance(min_lr, Sequence) else float(min_lr)
        count = len(optimizer.param_groups)
        if isinstance(self.min_lr, list) and len(self.min_lr) != count:
            msg = f"expected {count} min_lrs, got {len(self.min_lr)}"
            raise ValueError(msg)
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.eps = threshold, threshold_mode, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def _better(self, metric: float) -> bool:
        margin = self.threshold if self.mode == "max" else -self.threshold
        bound = self.best * (1 + margin) if self.threshold_mode == "rel" else self.best + margin
        return metric > bound if self.mode == "max" else metric < bound

    def step(self, metrics: float) -> None:
        """Take in a metric, and reduce the rates if it has stopped improving."""
        metric = float(metrics)
        self.last_epoch += 1
        if self._better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        least = self.min_lr if isinstance(self.min_lr, list) else [self.min_lr] * len(groups)
        if len(least) != len(groups):
            msg = f"expected {len(groups)} min_lrs, got {len(least)}: parameter groups have been added"
            raise ValueError(msg)
        for group, bound in zip(groups, least, strict=True):
            reduced = max(group["lr"] * self.factor, bound)
            if group["lr"] - reduced > self.eps:
                group["lr"] = reduced

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, the best metric, and the current rates."""
        return {
            "best": self.best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
            "last_epoch": self.last_epoch,
            "last_lr": self.get_last_lr(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, and write the rates into the optimizer."""
        counts = {name: state_dict[name] for name in ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")}
        rates = state_dict["last_lr"]
        self._check_groups(rates)
        vars(self).update(counts)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
