"""Adamax: its meaning in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from trainstation.kernels import power
from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush, l2, maximum
from trainstation_classics.common import Array

__all__ = ["Adamax"]


class Adamax(Optimizer):
    r"""Adamax: Adam with a decaying maximum of the gradients in place of their mean square.

    For each element, with t the number of this step of the parameter, counted from 1:

        g = g + weight_decay * p                    (if weight_decay is not 0)
        m = flush(m + (1 - beta1) * (g - m))        (exp_avg; flush: subnormals become 0)
        u = max(beta2 * u, |g| + eps)               (exp_inf; it never falls below eps)
        p = p - ((lr / (1 - beta1^t)) * m) / u

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        betas: decay rates of the two moments, each in [0, 1).
        eps: added to the gradient's magnitude; > 0.
        weight_decay: L2 penalty, added to the gradient.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014 (arXiv:1412.6980), section 7.1.
    """

    states = ("exp_avg", "exp_inf")
    rule = "classics_adamax"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize},
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The first moment has signs, the maximum has none."""
        return {"exp_avg": "signed", "exp_inf": "positive"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return weight_decay, 1-beta1, beta2, eps, lr/(1-beta1^t)."""
        beta1, beta2 = hyper["betas"]
        return hyper["weight_decay"], 1 - beta1, beta2, hyper["eps"], hyper["lr"] / (1 - power(beta1, t))

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        weight_decay, one_minus_beta1, beta2, eps, step_size = scalars
        m, u = state["exp_avg"], state["exp_inf"]
        g = l2(p, g, weight_decay)
        m[...] = flush(m + one_minus_beta1 * (g - m))
        u[...] = maximum(beta2 * u, np.abs(g) + eps)
        p -= (step_size * m) / u
