"""NAdam: its meaning in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import inf, sqrt
from operator import mul
from typing import Any

import numpy as np

from trainstation.kernels import power
from trainstation.optimizers import Optimizer
from trainstation.optimizers.groups import require
from trainstation_classics.common import Array, moment_scalars, moments, real_power

__all__ = ["NAdam"]

NEGLIGIBLE = 2.0**-60  # 1 - x is 1 for such an x
# Of this many factors 1 - 0.5 * base^t the product is negligible, or else all that follow are 1: if base^MANY is not
# negligible, base > 2^(-60 / MANY) = 0.9899, and the sum of 0.5 * base^t is at least 49.
MANY = 4096


def factor(beta1: float, base: float, t: int) -> float:
    """Return mu of step t."""
    return beta1 * (1 - 0.5 * power(base, t))


@lru_cache(maxsize=8)
def products(beta1: float, momentum_decay: float, n: int) -> tuple[float, tuple[float, ...]]:
    """Return 0.96^momentum_decay, and the products of the first 0, 1, ... n mu."""
    base = real_power(0.96, momentum_decay)
    return base, tuple(accumulate((factor(beta1, base, t) for t in range(1, n + 1)), mul, initial=1.0))


class NAdam(Optimizer):
    r"""NAdam: Adam with Nesterov's momentum.

    For each element, with t the number of this step of the parameter, counted from 1:

        mu_t = beta1 * (1 - 0.5 * 0.96^(t * momentum_decay)),  M_t = mu_1 * mu_2 * ... * mu_t
        g = g + weight_decay * p                    (if weight_decay is not 0 and not decoupled)
        m = flush(m + (1 - beta1) * (g - m))        (exp_avg; flush: subnormals become 0)
        v = flush(beta2 * v + ((1 - beta2) * g) * g)                                (exp_avg_sq)
        d = (lr * (1 - mu_t) / (1 - M_t)) * g + (lr * mu_t+1 / (1 - M_t+1)) * m
        p = p * (1 - lr * weight_decay)             (if decoupled)
        p = p - d / (sqrt(v) * (1 / sqrt(1 - beta2^t)) + eps)

    M_t is a function of t, as beta2^t is: that of the present hyper-parameters. (torch multiplies those that each
    former step had: the same, unless they change within the first steps.)

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        betas: decay rates of the two moments, each in [0, 1).
        eps: added to the root, outside of it; > 0.
        weight_decay: L2 penalty, added to the gradient.
        momentum_decay: how fast mu grows from beta1 / 2 to beta1, >= 0.
        decoupled_weight_decay: decay the parameter itself, as AdamW does.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Dozat, Incorporating Nesterov Momentum into Adam, 2016.
    """

    states = ("exp_avg", "exp_avg_sq")
    rule = "classics_nadam"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
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
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters."""
        super().validate(hyper)
        require(0 <= hyper["momentum_decay"] < inf, "momentum_decay value", hyper["momentum_decay"])

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The first moment has signs, the second has none."""
        return {"exp_avg": "signed", "exp_avg_sq": "positive"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return `moment_scalars`, the step sizes along gradient and first moment, 1/sqrt(1-beta2^t), eps."""
        (beta1, beta2), lr = hyper["betas"], hyper["lr"]
        # No mu is larger than beta1. The number of products is a power of two, for which they seldom are made anew.
        is_negligible = power(beta1, t) < NEGLIGIBLE
        many = 0 if is_negligible else min(1 << t.bit_length(), MANY)
        base, product = products(beta1, float(hyper["momentum_decay"]), many)
        done, ahead = (
            0.0 if is_negligible else product[min(n, MANY)] * power(beta1, max(n - MANY, 0)) for n in (t, t + 1)
        )
        along_g = lr * (1 - factor(beta1, base, t)) / (1 - done)
        along_m = lr * factor(beta1, base, t + 1) / (1 - ahead)
        return *moment_scalars(hyper), along_g, along_m, 1 / sqrt(1 - power(beta2, t)), hyper["eps"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        *of_moments, along_g, along_m, correction, eps = scalars
        g, m, v = moments(p, g, state, of_moments)
        p -= (along_g * g + along_m * m) / (np.sqrt(v) * correction + eps)
