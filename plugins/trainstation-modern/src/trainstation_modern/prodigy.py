"""Prodigy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels import copy_beside, power
from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush
from trainstation.optimizers.groups import Parameter, require

__all__ = ["Prodigy"]

Array = NDArray[Any]


class Prodigy(Optimizer):
    r"""Prodigy: Adam that multiplies its rate by an estimate d of how far the solution is from where it began.

    There is one d for all parameters. With t the number of this step of the parameter, counted from 1, and p0 its first
    values:

        c = sqrt(1 - beta2^t) / (1 - beta1^t)               (bias_correction; else 1)
        r = r + (d / d0) * (d * lr * c) * sum(g * (p0 - p)) (over all parameters of the step)
        m = flush(beta1 * m + (d * (1 - beta1)) * g)        (exp_avg; flush: subnormals become 0)
        v = flush(beta2 * v + ((d * d * (1 - beta2)) * g) * g)              (exp_avg_sq)
        s = flush(beta3 * s + ((d / d0) * (d * lr * c)) * g)                (s; safeguard_warmup: (d / d0) * d)
        p = p * (1 - d * lr * c * weight_decay)
        p = p - (d * lr * c) * (m / (sqrt(v) + d * eps))

    Before the next step:

        d^ = d_coef * r / sum(|s|)                          (over the same parameters; 0 / 0: d and r stay)
        d_max = max(d_max, d^)
        d = min(d_max, growth_rate * d)                     (the first time that d grows: d_max)
        r = beta3 * r

    Each group's "d" is that of the last step. The first group keeps "d_max", r as "d_numerator" and the sum of |s| as
    "d_denominator", and it is the one whose beta3, d0, d_coef and growth_rate make d.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: a factor of d, to be left at 1 and multiplied by a schedule.
        betas: decay rates of the two moments, each in [0, 1).
        beta3: decay rate of r and s; None: sqrt(beta2).
        d0: the first d, > 0, smaller than any good one.
        d_coef: a factor of each estimate, > 0: the way to larger or smaller steps.
        growth_rate: how much d may grow in a step, >= 1.
        weight_decay: decoupled, multiplied by d and `lr`.
        bias_correction: correct the moments as Adam does.
        safeguard_warmup: keep `lr` out of s, for schedules that begin near 0.
        eps: multiplied by d and added to the root, outside of it; > 0.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`; s and p0 are always as the parameters are.

    Paper: Mishchenko and Defazio, Prodigy: An Expeditiously Adaptive Parameter-Free Learner, 2023 (arXiv:2306.06101).
    """

    states = ("exp_avg", "exp_avg_sq", "s", "p0")

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        beta3: float | None = None,
        d0: float = 1e-6,
        d_coef: float = 1.0,
        growth_rate: float = inf,
        weight_decay: float = 0,
        bias_correction: bool = False,
        safeguard_warmup: bool = False,
        eps: float = 1e-8,
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        self._next: dict[str, float] = _start(d0)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "beta3": beta3,
                "d0": d0,
                "d_coef": d_coef,
                "growth_rate": growth_rate,
                "weight_decay": weight_decay,
                "bias_correction": bias_correction,
                "safeguard_warmup": safeguard_warmup,
                "eps": eps,
                "maximize": maximize,
                **_start(d0),
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters."""
        super().validate(hyper)
        require(hyper["beta3"] is None or 0 <= hyper["beta3"] < 1, "beta3 value", hyper["beta3"])
        require(0 < hyper["d0"] < inf, "d0 value", hyper["d0"])
        require(0 < hyper["d_coef"] < inf, "d_coef value", hyper["d_coef"])
        require(hyper["growth_rate"] >= 1, "growth_rate value", hyper["growth_rate"])

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The moments are Adam's."""
        return {"exp_avg": "signed", "exp_avg_sq": "positive"}

    def init_state(self, p: Parameter) -> dict[str, Any]:
        """Remember where the parameter begins."""
        return {**super().init_state(p), "p0": copy_beside(p.data, p.data)}

    def clear_states(self) -> None:
        """Forget all state, and d."""
        with self.hold_steps():
            super().clear_states()
            for group in self.param_groups:
                group.update(_start(group["d0"]))

    def prepare(self, active: Sequence[Parameter]) -> None:  # noqa: ARG002  # the first group has the sums
        """Make d of the last step's sums; it is written to the groups with each parameter that is stepped."""
        first = self.param_groups[0]
        d, d_max, r, denominator = (first[name] for name in ("d", "d_max", "d_numerator", "d_denominator"))
        if denominator > 0:
            d_max = max(d_max, first["d_coef"] * r / denominator)
            d = d_max if d == first["d0"] else min(d_max, d * first["growth_rate"])
            r *= _beta3(first)
        self._next = {"d": d, "d_max": d_max, "d_numerator": r, "d_denominator": 0.0}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return 1-d*lr*c*weight_decay, beta1, d*(1-beta1), beta2, d^2*(1-beta2), beta3, factors of r and s, ..."""
        (beta1, beta2), d = hyper["betas"], self._next["d"]
        correction = sqrt(1 - power(beta2, t)) / (1 - power(beta1, t)) if hyper["bias_correction"] else 1.0
        d_lr = d * hyper["lr"] * correction
        return (
            1 - d_lr * hyper["weight_decay"],
            beta1,
            d * (1 - beta1),
            beta2,
            d * d * (1 - beta2),
            _beta3(hyper),
            d / hyper["d0"] * d_lr,
            d / hyper["d0"] * (d if hyper["safeguard_warmup"] else d_lr),
            d * hyper["eps"],
            d_lr,
        )

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        keep, beta1, add1, beta2, add2, beta3, factor_r, factor_s, eps, d_lr = scalars
        m, v, s = state["exp_avg"], state["exp_avg_sq"], state["s"]
        sums = self._next  # over the parameters of this step so far
        sums["d_numerator"] += float(factor_r) * float(np.sum(g * (state["p0"] - p), dtype=np.float64))
        m[...] = flush(beta1 * m + add1 * g)
        v[...] = flush(beta2 * v + (add2 * g) * g)
        s[...] = flush(beta3 * s + factor_s * g)
        sums["d_denominator"] += float(np.sum(np.abs(s), dtype=np.float64))
        p *= keep
        p -= d_lr * (m / (np.sqrt(v) + eps))
        for group in self.param_groups:
            self.note_settings(group, {"d": sums["d"]})
        self.note_settings(self.param_groups[0], dict(sums))


def _start(d0: float) -> dict[str, float]:
    """Return d and its sums before the first step: hyper-parameters of a group, so that a state dict has them."""
    return {"d": d0, "d_max": d0, "d_numerator": 0.0, "d_denominator": 0.0}


def _beta3(hyper: Mapping[str, Any]) -> float:
    beta3 = hyper["beta3"]
    return float(sqrt(hyper["betas"][1]) if beta3 is None else beta3)
