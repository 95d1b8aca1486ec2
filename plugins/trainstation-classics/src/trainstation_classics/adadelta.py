"""Adadelta: its meaning in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush, l2
from trainstation.optimizers.groups import require
from trainstation_classics.common import Array

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    r"""Adadelta: steps in the units of the parameter, without a rate to choose.

    For each element:

        g = g + weight_decay * p                    (if weight_decay is not 0)
        v = flush(rho * v + ((1 - rho) * g) * g)    (square_avg; flush: subnormals become 0)
        d = (sqrt(a + eps) / sqrt(v + eps)) * g
        a = flush(rho * a + ((1 - rho) * d) * d)    (acc_delta)
        p = p - lr * d

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: factor of each step.
        rho: decay rate of both averages, in [0, 1].
        eps: added to them, inside the roots; > 0. The first steps are of about its root.
        weight_decay: L2 penalty, added to the gradient.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012 (arXiv:1212.5701).
    """

    states = ("square_avg", "acc_delta")
    rule = "classics_adadelta"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        super().__init__(
            params,
            {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize},
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters."""
        super().validate(hyper)
        require(0 <= hyper["rho"] <= 1, "rho value", hyper["rho"])

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """Both are averages of squares."""
        return {"square_avg": "positive", "acc_delta": "positive"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:  # noqa: ARG002  # no bias correction
        """Return weight_decay, rho, 1-rho, eps, lr."""
        rho = float(hyper["rho"])
        return hyper["weight_decay"], rho, 1 - rho, hyper["eps"], hyper["lr"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        weight_decay, rho, one_minus_rho, eps, lr = scalars
        v, a = state["square_avg"], state["acc_delta"]
        g = l2(p, g, weight_decay)
        v[...] = flush(rho * v + (one_minus_rho * g) * g)
        delta = (np.sqrt(a + eps) / np.sqrt(v + eps)) * g
        a[...] = flush(rho * a + (one_minus_rho * delta) * delta)
        p -= lr * delta
