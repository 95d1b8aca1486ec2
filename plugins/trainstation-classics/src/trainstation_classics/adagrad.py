"""Adagrad: its meaning in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np

from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import l2, maximum
from trainstation.optimizers.groups import require
from trainstation_classics.common import Array

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    r"""Adagrad: adaptive gradients, divided by the root of the sum of all squares so far.

    For each element, with t the number of this step of the parameter, counted from 1:

        g = g + weight_decay * p                    (if weight_decay is not 0)
        s = max(s, initial_accumulator_value) + g * g                               (sum)
        p = p - ((lr / (1 + (t - 1) * lr_decay)) * g) / (sqrt(s) + eps)

    The sum begins at the initial value, and is never smaller.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        lr_decay: how fast the rate falls, >= 0.
        weight_decay: L2 penalty, added to the gradient.
        initial_accumulator_value: what the sum begins at, >= 0; a group may have its own (torch ignores that).
        eps: added to the root, outside of it; > 0.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, 2011.
    """

    states = ("sum",)
    rule = "classics_adagrad"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "eps": eps,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters."""
        super().validate(hyper)
        for name in ("lr_decay", "initial_accumulator_value"):
            require(0 <= hyper[name] < inf, f"{name} value", hyper[name])

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The sum is one of squares."""
        return {"sum": "positive"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return weight_decay, initial_accumulator_value, lr/(1+(t-1)*lr_decay), eps."""
        rate = hyper["lr"] / (1 + (t - 1) * float(hyper["lr_decay"]))
        return hyper["weight_decay"], hyper["initial_accumulator_value"], rate, hyper["eps"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        weight_decay, initial, rate, eps = scalars
        total = state["sum"]
        g = l2(p, g, weight_decay)
        total[...] = maximum(total, initial) + g * g
        p -= (rate * g) / (np.sqrt(total) + eps)
