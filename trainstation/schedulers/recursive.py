"""Schedulers of the caller's own functions, and those that go on from the rate that they find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trainstation.schedulers.base import ScheduleLR, Schedules, for_each_group
from trainstation.schedules import Anneal, Lambda, Multiplicative

__all__ = ["SWALR", "LambdaLR", "MultiplicativeLR"]

Function = Callable[[int], float]


class _FunctionLR(ScheduleLR):
    """A scheduler of a function of the step, or of one for each group."""

    def __init__(
        self, optimizer: Any, lr_lambda: Function | Sequence[Function], kind: type[Lambda | Multiplicative], last: int
    ) -> None:
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, Sequence) else [lr_lambda]
        for function in self.lr_lambdas:
            if not callable(function):
                msg = f"lr_lambda should be a function, but got {type(function).__name__}"
                raise TypeError(msg)
        schedule: Schedules = [kind(function) for function in self.lr_lambdas]
        if not isinstance(lr_lambda, Sequence):
            schedule = kind(lr_lambda)
        elif len(lr_lambda) != len(getattr(optimizer, "param_groups", lr_lambda)):
            msg = f"Expected {len(optimizer.param_groups)} lr_lambdas, but got {len(lr_lambda)}"
            raise ValueError(msg)
        super().__init__(optimizer, schedule, last)

    def _functions(self) -> list[Callable[..., Any]]:
        return [*self.lr_lambdas]


class LambdaLR(_FunctionLR):
    """The base rate times a function of the step."""

    def __init__(self, optimizer: Any, lr_lambda: Function | Sequence[Function], last_epoch: int = -1) -> None:
        """`lr_lambda`: the function, or one for each group; TypeError or ValueError if that is not so."""
        super().__init__(optimizer, lr_lambda, Lambda, last_epoch)


class MultiplicativeLR(_FunctionLR):
    """The rate times a function of the step, from step 1: it goes on from the rate that is there."""

    def __init__(self, optimizer: Any, lr_lambda: Function | Sequence[Function], last_epoch: int = -1) -> None:
        """`lr_lambda`: the function, or one for each group; TypeError or ValueError if that is not so."""
        super().__init__(optimizer, lr_lambda, Multiplicative, last_epoch)


class SWALR(ScheduleLR):
    """From the rate that is there at its first step to `swa_lr`, in `anneal_epochs` steps; then it stays there.

    For the end of a training whose weights are averaged (`trainstation.SWA`): another scheduler may be
    stepped before it. Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, 2018.
    """

    def __init__(
        self,
        optimizer: Any,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        """`swa_lr`: for all groups, or one for each; ValueError for another number of them or another strategy."""
        if anneal_strategy not in ("cos", "linear"):
            msg = f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            raise ValueError(msg)
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            msg = f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}"
            raise ValueError(msg)
        schedule: Schedules
        if isinstance(swa_lr, Sequence):
            finals = for_each_group("swa_lr", swa_lr, optimizer)
            schedule = [Anneal(final, anneal_epochs, anneal_strategy) for final in finals]
        else:
            schedule = Anneal(swa_lr, anneal_epochs, anneal_strategy)
        super().__init__(optimizer, schedule, last_epoch)
