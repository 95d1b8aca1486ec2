"""ADOPT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush, maximum, minimum
from trainstation.optimizers.groups import require

__all__ = ["ADOPT"]

Array = NDArray[Any]


class ADOPT(Optimizer):
    r"""ADOPT: each gradient is divided by the second moment of those before it, clipped, and then averaged.

    So it converges with any beta2. For each element, with t the number of this step of the parameter, counted from 1:

        c = (t - 1)^clip_exp                                (None: no bound)
        u = min(max(g / max(sqrt(v), eps), -c), c)
        m = flush(m + (1 - beta1) * (u - m))                (exp_avg; flush: subnormals become 0)
        p = p * (1 - lr * weight_decay)
        p = p - lr * m
        v = flush(beta2 * v + ((1 - beta2) * g) * g)        (exp_avg_sq)

    At t = 1 there is nothing to divide by: v = flush(g * g), and nothing else changes.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        betas: decay rates of momentum and second moment, each in [0, 1).
        clip_exp: the exponent of the bound; the paper proves 0.25. None: no bound, as in its first version.
        weight_decay: decoupled, multiplied by `lr`.
        eps: the least divisor; > 0.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`; the second moment is always as the parameters are.

    Paper: Taniguchi et al., ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate, 2024
    (arXiv:2411.02853).
    """

    states = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.9999),
        clip_exp: float | None = 0.25,
        weight_decay: float = 0,
        eps: float = 1e-6,
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
                "clip_exp": clip_exp,
                "weight_decay": weight_decay,
                "eps": eps,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; the bound does not shrink."""
        super().validate(hyper)
        require(hyper["clip_exp"] is None or 0 <= hyper["clip_exp"] <= 1, "clip_exp value", hyper["clip_exp"])

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The second moment is not named: it would gather the noise of ten thousand roundings."""
        return {"exp_avg": "signed"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return 1-lr*weight_decay, 1-beta1, beta2, 1-beta2, c, eps, lr; at t = 1 those that change v alone."""
        if t == 1:
            return 1.0, 0.0, 0.0, 1.0, 0.0, hyper["eps"], 0.0
        (beta1, beta2), lr, clip_exp = hyper["betas"], hyper["lr"], hyper["clip_exp"]
        clip = inf if clip_exp is None else (t - 1) ** clip_exp
        return 1 - lr * hyper["weight_decay"], 1 - beta1, beta2, 1 - beta2, clip, hyper["eps"], lr

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        keep, one_minus_beta1, beta2, one_minus_beta2, clip, eps, lr = scalars
        m, v = state["exp_avg"], state["exp_avg_sq"]
        u = minimum(maximum(g / maximum(np.sqrt(v), eps), -clip), clip)
        m[...] = flush(m + one_minus_beta1 * (u - m))
        p *= keep
        p -= lr * m
        v[...] = flush(beta2 * v + (one_minus_beta2 * g) * g)
