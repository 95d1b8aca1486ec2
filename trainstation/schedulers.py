"""Learning-rate schedules: pure functions of the step, and torch-named schedulers that write them into an optimizer.

A schedule is `schedule(step, base_lr) -> lr`; it knows no optimizer, and can be called and plotted alone. A scheduler
sets each group's "lr" from the group's "initial_lr" (its rate when the first scheduler came). The optimizer needs no
more than `param_groups`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LinearLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


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


class _Scheduler(ABC):
    """What all schedulers share: the optimizer, the base rate of each group, and the count of steps."""

    def __init__(self, optimizer: Any, last_epoch: int) -> None:
        if not hasattr(optimizer, "param_groups"):
            msg = f"a scheduler needs an optimizer with param_groups, not {type(optimizer).__name__}"
            raise TypeError(msg)
        self.optimizer = optimizer
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                msg = f"group {index} has no initial_lr, which resuming at last_epoch={last_epoch} needs"
                raise KeyError(msg)
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch

    def _write(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=False):  # groups may have been added
            group["lr"] = rate

    def get_last_lr(self) -> list[float]:
        """Return the current rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the arguments."""

    @abstractmethod
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, and write the rates into the optimizer."""


class _ScheduleLR(_Scheduler):
    """A scheduler whose rate is a schedule of the number of its steps."""

    def __init__(self, optimizer: Any, schedule: Schedule, last_epoch: int = -1) -> None:
        super().__init__(optimizer, last_epoch)
        self.schedule = schedule
        self.step()

    def step(self) -> None:
        """Go on by one step, and write the rates into the optimizer."""
        self.last_epoch += 1
        self._write([self.schedule(self.last_epoch, base) for base in self.base_lrs])

    def state_dict(self) -> dict[str, Any]:
        """Return the count of steps and the base rates."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, and write the rates into the optimizer."""
        last_epoch, base_lrs = state_dict["last_epoch"], list(state_dict["base_lrs"])
        if len(base_lrs) != len(self.base_lrs):
            msg = f"the state is of {len(base_lrs)} parameter groups, the optimizer has {len(self.base_lrs)}"
            raise ValueError(msg)
        self.last_epoch, self.base_lrs = last_epoch, base_lrs
        self._write([self.schedule(last_epoch, base) for base in base_lrs])


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
        """Raise ValueError for schedulers of another optimizer or without a schedule, or milestones that do not fit."""
        if not schedulers or len(milestones) != len(schedulers) - 1:
            msg = f"{len(schedulers)} schedulers need {max(len(schedulers) - 1, 0)} milestones, not {len(milestones)}"
            raise ValueError(msg)
        if list(milestones) != sorted(milestones):
            msg = f"milestones must not decrease: {list(milestones)}"
            raise ValueError(msg)
        for index, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, _ScheduleLR):
                msg = f"scheduler {index} ({type(scheduler).__name__}) is not a function of the step"
                raise ValueError(msg)  # noqa: TRY004  # torch's ValueError
            if scheduler.optimizer is not optimizer:
                msg = f"scheduler {index} belongs to another optimizer"
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
        super().__init__(optimizer, -1)
        if factor >= 1:
            msg = "Factor should be < 1.0."
            raise ValueError(msg)
        if mode not in ("min", "max"):
            msg = f"mode {mode} is unknown!"
            raise ValueError(msg)
        if threshold_mode not in ("rel", "abs"):
            msg = f"threshold mode {threshold_mode} is unknown!"
            raise ValueError(msg)
        count = len(optimizer.param_groups)
        self.min_lrs = [float(m) for m in min_lr] if isinstance(min_lr, Sequence) else [float(min_lr)] * count
        if len(self.min_lrs) != count:
            msg = f"expected {count} min_lrs, got {len(self.min_lrs)}"
            raise ValueError(msg)
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.eps = threshold, threshold_mode, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0

    def _better(self, metric: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        margin = self.threshold * (sign * self.best if self.threshold_mode == "rel" else 1)
        if math.isinf(self.best):
            return metric != self.best and not math.isnan(metric)
        return sign * metric < sign * self.best - margin

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
            current = self.get_last_lr()
            reduced = [max(lr * self.factor, least) for lr, least in zip(current, self.min_lrs, strict=False)]
            self._write([new if lr - new > self.eps else lr for lr, new in zip(current, reduced, strict=False)])
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

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
        state = dict(state_dict)
        self._write(state.pop("last_lr"))
        vars(self).update({name: state[name] for name in ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")})
