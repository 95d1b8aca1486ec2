"""Schedulers made of schedulers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trainstation.schedulers.base import LRScheduler, ScheduleLR, Schedules, set_rate
from trainstation.schedules import Chain, Joined, Kept, Schedule

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Composed(ScheduleLR):
    """A scheduler that has taken over the schedules of others."""

    _parts: list[ScheduleLR]

    def _functions(self) -> list[Callable[..., Any]]:
        return [function for part in self._parts for function in part._functions()]


class SequentialLR(_Composed):
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
        self._parts = _checked("SequentialLR", optimizer, schedulers)
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

        def joined(schedules: tuple[Schedule, ...]) -> Schedule:
            return Joined(schedules, tuple(milestones))

        schedule = _composed([part.schedule for part in self._parts], joined)
        momentum = None
        if any(part.momentum is not None for part in self._parts):
            momentum = _composed([part.momentum or Kept() for part in self._parts], joined)
        super().__init__(optimizer, schedule, last_epoch, momentum=momentum)


class ChainedScheduler(_Composed):
    """All schedulers at once: at each step, each goes on from the rate that the one before it has made.

    Those that multiply the rate (step, exponential, linear, ...) thereby multiply; those that set it (lambda, one
    cycle, ...) undo what came before them.
    """

    def __init__(self, schedulers: Sequence[Any], optimizer: Any = None) -> None:
        """Take over the schedules of `schedulers`, which are not stepped any more, from where they are.

        Raises:
            TypeError: something is not a scheduler.
            ValueError: a scheduler belongs to another optimizer or is no function of the step, or they are not all at
                the same step.

        """
        if not schedulers:
            msg = "ChainedScheduler expects at least one scheduler to be chained, but got no scheduler."
            raise ValueError(msg)
        if optimizer is None:
            optimizer = getattr(schedulers[0], "optimizer", None)
        self._parts = _checked("ChainedScheduler", optimizer, schedulers)
        steps = sorted({part.last_epoch for part in self._parts})
        if len(steps) > 1:
            msg = f"the schedulers of a chain begin together; these are at the steps {steps}"
            raise ValueError(msg)
        schedule = _composed([part.schedule for part in self._parts], Chain)
        momenta = [part.momentum for part in self._parts if part.momentum is not None]
        before = steps[0] - 1
        for index, group in enumerate(optimizer.param_groups):  # each of them has written as if it were alone
            chain = schedule[index] if isinstance(schedule, list) else schedule
            set_rate(group, chain(before, float(group["initial_lr"])))  # the base itself at step -1
        super().__init__(optimizer, schedule, before, momentum=_composed(momenta, Chain) if momenta else None)


def _checked(name: str, optimizer: Any, schedulers: Sequence[Any]) -> list[ScheduleLR]:
    parts = []
    for index, scheduler in enumerate(schedulers):
        kind = type(scheduler).__name__
        if not isinstance(scheduler, LRScheduler):
            msg = f"{name} expects schedulers of trainstation.schedulers, but got {kind} at index {index}"
            raise TypeError(msg)
        if not isinstance(scheduler, ScheduleLR):
            msg = f"{name} does not support `{kind}` scheduler (index {index}): it is no function of the step"
            raise ValueError(msg)  # noqa: TRY004  # torch's ValueError
        if scheduler.optimizer is not optimizer:
            msg = (
                f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                f"{kind} at index {index} of another one"
            )
            raise ValueError(msg)
        parts.append(scheduler)
    return parts


def _composed(parts: Sequence[Schedules], make: Callable[[tuple[Schedule, ...]], Schedule]) -> Schedules:
    """Make one of several: for each group, if one of them has one for each."""
    count = max((len(part) for part in parts if isinstance(part, list)), default=None)
    if count is None:
        return make(tuple(part for part in parts if not isinstance(part, list)))
    return [make(tuple(part[i] if isinstance(part, list) else part for part in parts)) for i in range(count)]
