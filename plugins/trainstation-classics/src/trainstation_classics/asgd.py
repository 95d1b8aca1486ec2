"""ASGD: its meaning in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import l2
from trainstation.optimizers.groups import require
from trainstation_classics.common import Array, real_power

__all__ = ["ASGD"]


class ASGD(Optimizer):
    r"""ASGD: stochastic gradient descent with a decaying rate, and an average of the parameters beside them.

    For each element, with t the number of this step of the parameter, counted from 1:

        eta = lr * (1 / (1 + lambd * lr * (t - 1)))^alpha
        g = g + weight_decay * p                    (if weight_decay is not 0)
        p = p * (1 - lambd * eta)
        p = p - eta * g
        a = a + (p - a) / n,  n = t - 1 - t0        (ax, the average; before n is above 1: a = p)

    The average is `state[p]["ax"]`. A changed rate takes effect at once, in torch one step later.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        lambd: decay of the parameter and of the rate, >= 0.
        alpha: power of the rate's decay, >= 0.
        t0: how many steps are not averaged, >= 0; inf averages none.
        weight_decay: L2 penalty, added to the gradient.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`; the average is kept whole.

    Paper: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.
    """

    states = ("ax",)
    rule = "classics_asgd"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
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
                "lambd": lambd,
                "alpha": alpha,
                "t0": t0,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; alpha is an exponent here, no decay rate below 1."""
        super().validate(hyper)
        require(0 <= hyper["lambd"] < inf, "lambd value", hyper["lambd"])
        require(hyper["t0"] >= 0, "t0 value", hyper["t0"])

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return weight_decay, 1-lambd*eta, eta, the share of p in the average."""
        lr, lambd = hyper["lr"], float(hyper["lambd"])
        eta = lr * real_power(1 / (1 + lambd * lr * (t - 1)), hyper["alpha"])
        return hyper["weight_decay"], 1 - lambd * eta, eta, 1 / max(1.0, t - 1 - float(hyper["t0"]))

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        weight_decay, keep, eta, share = scalars
        ax = state["ax"]
        g = l2(p, g, weight_decay)
        p *= keep
        p -= eta * g
        ax[...] = p if share == 1 else ax + share * (p - ax)
