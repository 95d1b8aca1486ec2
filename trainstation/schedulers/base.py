"""What schedulers share: how they read and write an optimizer's groups, their steps, and their state."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainstation.schedules import Schedule

__all__ = ["LRScheduler", "ScheduleLR", "Schedules", "for_each_group", "momentum_of", "positive", "set_rate"]

# One for all groups, or one for each.
Schedules = Schedule | list[Schedule]


class LRScheduler(ABC):
    """What all schedulers share: an optimizer, and the count of steps."""

    def __init__(self, optimizer: Any, last_epoch: int) -> None:
        if not hasattr(optimizer, "param_groups"):
            msg = f"a scheduler needs an optimizer with param_groups, not {type(optimizer).__name__}"
            raise TypeError(msg)
        self.optimizer = optimizer
        self.last_epoch = last_epoch

    def get_last_lr(self) -> list[float]:
        """Return the current rate of each group."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def _check_groups(self, rates: Sequence[float]) -> None:
        """Refuse a state of another number of groups than the optimizer has."""
        groups = len(self.optimizer.param_groups)
        if len(rates) != groups:
            msg = f"the state is of {len(rates)} parameter groups, the optimizer has {groups}"
            raise ValueError(msg)

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the arguments: numbers, and lists of them."""

    @abstractmethod
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, and write its rates into the optimizer.

        Raises:
            KeyError: something is missing.
            ValueError: the state is of another number of groups.

        """


class ScheduleLR(LRScheduler):
    """A scheduler whose rate is a schedule of the number of its steps.

    A group that is added to the optimizer later follows the schedule from its next step; its base is the rate it has
    then.

    Attributes:
        schedule: of the rate, which can be called, plotted and pickled alone; a list has one for each group.
        momentum: of the momentum (or the first of betas), where it is moved too.
        base_lrs: for each group, its "initial_lr".
        last_epoch: the number of steps.

    """

    def __init__(
        self, optimizer: Any, schedule: Schedules, last_epoch: int = -1, *, momentum: Schedules | None = None
    ) -> None:
        """Write the rate of step `last_epoch` + 1.

        Raises:
            TypeError: `optimizer` has no parameter groups.
            KeyError: `last_epoch` is not -1, and a group has no "initial_lr".
            ValueError: a momentum is to be moved, and a group has none.

        """
        super().__init__(optimizer, last_epoch)
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch != -1 and "initial_lr" not in group:
                msg = (
                    f"param 'initial_lr' is not specified in param_groups[{index}] "
                    f"when resuming scheduler with last_epoch={last_epoch}"
                )
                raise KeyError(msg)
            if momentum is not None:
                momentum_of(group)
        self.schedule = schedule
        self.momentum = momentum
        self.base_lrs: list[float] = []
        self.step()

    def step(self) -> None:
        """Go on by one step, and write the rates into the optimizer."""
        groups, step = self.optimizer.param_groups, self.last_epoch + 1
        bases = [float(group.get("initial_lr", group["lr"])) for group in groups[len(self.base_lrs) :]]
        bases = self.base_lrs + bases
        rates = []
        for schedule, group, base in zip(_each(self.schedule, len(bases)), groups, bases, strict=True):
            is_recursive = schedule.is_recursive
            rates.append(schedule.follow(step, base, float(group["lr"])) if is_recursive else schedule(step, base))
        momenta = []
        if self.momentum is not None:
            current = [momentum_of(group) for group in groups]
            schedules = _each(self.momentum, len(groups))
            momenta = [each.follow(step, m, m) for each, m in zip(schedules, current, strict=True)]
        self._write(rates, momenta)
        for group, base in zip(groups, bases, strict=True):
            group.setdefault("initial_lr", base)
        self.base_lrs, self.last_epoch = bases, step

    def _write(self, rates: Sequence[float], momenta: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_rate(group, rate)
        if momenta:
            for group, momentum in zip(self.optimizer.param_groups, momenta, strict=True):
                _set_momentum(group, momentum)

    def _functions(self) -> list[Callable[..., Any]]:
        """Return what the caller gave to be called: their attributes are part of the state."""
        return []

    def state_dict(self) -> dict[str, Any]:
        """Return the count of steps, the base rates, and what is written in the optimizer.

        Of a function that is an object, "functions" has the attributes; of others None: they cannot be saved.
        """
        state: dict[str, Any] = {
            "last_epoch": self.last_epoch,
            "base_lrs": list(self.base_lrs),
            "last_lr": self.get_last_lr(),
        }
        if self.momentum is not None:
            state["last_momentum"] = [momentum_of(group) for group in self.optimizer.param_groups]
        if self._functions():
            state["functions"] = [copy.deepcopy(_attributes(function)) for function in self._functions()]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, and write its rates into the optimizer."""
        last_epoch, bases, rates = (state_dict[name] for name in ("last_epoch", "base_lrs", "last_lr"))
        momenta = [] if self.momentum is None else state_dict["last_momentum"]
        functions = self._functions()
        attributes = state_dict["functions"] if functions else []
        for given in (bases, rates, momenta) if momenta else (bases, rates):
            self._check_groups(given)
        if len(attributes) != len(functions):
            msg = f"the state is of {len(attributes)} functions, the scheduler has {len(functions)}"
            raise ValueError(msg)
        self.last_epoch, self.base_lrs = last_epoch, list(bases)
        for function, saved in zip(functions, attributes, strict=True):
            if saved is not None:
                vars(function).update(copy.deepcopy(dict(saved)))
        self._write(rates, momenta)


def positive(name: str, value: float) -> None:
    """Raise ValueError unless a number is positive."""
    if not value > 0:
        msg = f"{name} must be > 0, not {value}"
        raise ValueError(msg)


def for_each_group(name: str, value: float | Sequence[float], optimizer: Any) -> list[float]:
    """Return one number for each group, of one or as many; ValueError for another number of them."""
    count = len(optimizer.param_groups)
    if not isinstance(value, Sequence):
        return [value] * count
    if len(value) != count:
        msg = (
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(value)} values, param_groups has {count}."
        )
        raise ValueError(msg)
    return list(value)


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Write a group's rate; torch allows a tensor there, which is filled."""
    if hasattr(group["lr"], "fill_"):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def momentum_of(group: Mapping[str, Any]) -> float:
    """Return a group's momentum, or the first of its betas; ValueError if it has neither."""
    if "betas" in group:
        return float(group["betas"][0])
    if "momentum" in group:
        return float(group["momentum"])
    msg = "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
    raise ValueError(msg)


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def _each(schedules: Schedules, count: int) -> list[Schedule]:
    return schedules if isinstance(schedules, list) else [schedules] * count


def _attributes(function: Callable[..., Any]) -> dict[str, Any] | None:
    """Return the attributes of a function that is an object; None for others, as torch has it."""
    return None if type(function).__name__ in ("function", "type") else getattr(function, "__dict__", None)
