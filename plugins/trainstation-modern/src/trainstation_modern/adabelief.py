"""AdaBelief."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels import power
from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush, maximum

__all__ = ["AdaBelief"]

Array = NDArray[Any]


class AdaBelief(Optimizer):
    r"""AdaBelief: Adam with large steps where a gradient is as expected, and small ones where it is not.

    For each element, with t the number of this step of the parameter, counted from 1:

        m = flush(m + (1 - beta1) * (g - m))                (exp_avg; flush: subnormals become 0)
        s = flush(beta2 * s + ((1 - beta2) * (g - m)) * (g - m) + eps)      (exp_avg_var)
        s^ = max(s^, s)                                     (ams_bound: max_exp_avg_var, then s^ in place of s)
        p = p * (1 - lr * weight_decay)
        p = p - ((lr / (1 - beta1^t)) * m) / (sqrt(s) / sqrt(1 - beta2^t) + eps)

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        betas: decay rates of the mean and of the squared distance from it, each in [0, 1).
        weight_decay: decoupled, multiplied by `lr`.
        ams_bound: divide by the root of the largest squared distance so far.
        eps: added to the squared distance at every step, and to its root; > 0.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Zhuang et al., AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients, 2020
    (arXiv:2010.07468).
    """

    states = ("exp_avg", "exp_avg_var")
    optional_states = ("max_exp_avg_var",)

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0,
        ams_bound: bool = False,
        eps: float = 1e-16,
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
                "betas": betas,
                "weight_decay": weight_decay,
                "ams_bound": ams_bound,
                "eps": eps,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def variant(self, hyper: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
        """The bound has one more state."""
        return self.rule, (*self.states, *self.optional_states) if hyper["ams_bound"] else self.states

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The mean has signs, the others have none."""
        return {"exp_avg": "signed", "exp_avg_var": "positive", "max_exp_avg_var": "positive"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return 1-lr*weight_decay, 1-beta1, beta2, 1-beta2, lr/(1-beta1^t), 1/sqrt(1-beta2^t), eps."""
        (beta1, beta2), lr = hyper["betas"], hyper["lr"]
        step_size, correction = lr / (1 - power(beta1, t)), 1 / sqrt(1 - power(beta2, t))
        return 1 - lr * hyper["weight_decay"], 1 - beta1, beta2, 1 - beta2, step_size, correction, hyper["eps"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        keep, one_minus_beta1, beta2, one_minus_beta2, step_size, correction, eps = scalars
        m, s = state["exp_avg"], state["exp_avg_var"]
        m[...] = flush(m + one_minus_beta1 * (g - m))
        surprise = g - m
        s[...] = flush(beta2 * s + (one_minus_beta2 * surprise) * surprise + eps)
        if "max_exp_avg_var" in state:
            largest = state["max_exp_avg_var"]
            largest[...] = maximum(largest, s)
            s = largest
        p *= keep
        p -= (step_size * m) / (np.sqrt(s) * correction + eps)
