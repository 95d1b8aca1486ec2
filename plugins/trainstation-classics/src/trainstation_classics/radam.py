"""RAdam: its meaning in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np

from trainstation.kernels import power
from trainstation.optimizers import Optimizer
from trainstation_classics.common import Array, moment_scalars, moments

__all__ = ["RAdam"]

LEAST_LENGTH = 5  # of the average: below, the variance of the adaptive rate is not known


class RAdam(Optimizer):
    r"""RAdam: Adam whose adaptive rate is rectified, and left out while its variance is not known.

    For each element, with t the number of this step of the parameter, counted from 1:

        g = g + weight_decay * p                    (if weight_decay is not 0 and not decoupled)
        m = flush(m + (1 - beta1) * (g - m))        (exp_avg; flush: subnormals become 0)
        v = flush(beta2 * v + ((1 - beta2) * g) * g)                                (exp_avg_sq)
        p = p * (1 - lr * weight_decay)             (if decoupled)
        L = 2 / (1 - beta2) - 1
        l = L - 2 * t * beta2^t / (1 - beta2^t)     (the length of the average; L: in the end)
        if l > 5:
            r = sqrt((l - 4) * (l - 2) * L / ((L - 4) * (L - 2) * l))
            p = p - ((lr / (1 - beta1^t) * r * sqrt(1 - beta2^t)) * m) / (sqrt(v) + eps)
        else:
            p = p - (lr / (1 - beta1^t)) * m

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        betas: decay rates of the two moments, each in [0, 1).
        eps: added to the root, outside of it; > 0.
        weight_decay: L2 penalty, added to the gradient.
        decoupled_weight_decay: decay the parameter itself, as AdamW does.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2019 (arXiv:1908.03265).
    """

    states = ("exp_avg", "exp_avg_sq")
    rule = "classics_radam"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
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
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The first moment has signs, the second has none."""
        return {"exp_avg": "signed", "exp_avg_sq": "positive"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return `moment_scalars`, the step size, 1 if it is rectified and 0 if not, eps."""
        beta1, beta2 = hyper["betas"]
        step_size = hyper["lr"] / (1 - power(beta1, t))
        decayed = power(beta2, t)
        most = 2 / (1 - beta2) - 1
        length = most - 2 * t * decayed / (1 - decayed)
        if length <= LEAST_LENGTH:
            return *moment_scalars(hyper), step_size, 0.0, hyper["eps"]
        rectification = sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
        return *moment_scalars(hyper), step_size * rectification * sqrt(1 - decayed), 1.0, hyper["eps"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        *of_moments, step_size, is_rectified, eps = scalars
        _, m, v = moments(p, g, state, of_moments)
        p -= (step_size * m) / (np.sqrt(v) + eps) if is_rectified else step_size * m
