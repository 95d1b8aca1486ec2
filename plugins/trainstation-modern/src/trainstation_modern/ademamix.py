"""AdEMAMix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import exp, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels import power
from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush
from trainstation.optimizers.groups import require

__all__ = ["AdEMAMix"]

Array = NDArray[Any]


class AdEMAMix(Optimizer):
    r"""AdEMAMix: AdamW with a second, slow momentum, which remembers gradients of many thousand steps.

    For each element, with t the number of this step of the parameter, counted from 1:

        alpha_t = alpha * min(t / T, 1)                     (T = t_alpha_beta3; None: alpha_t = alpha)
        beta3_t = min(0.5^(1 / h), beta3),  h = (1 - t / T) * h1 + (t / T) * h3     (None: beta3_t = beta3;
                                                             h1, h3: the half-lives log(0.5) / log(beta1 or beta3))
        m1 = flush(m1 + (1 - beta1) * (g - m1))             (exp_avg; flush: subnormals become 0)
        m2 = flush(m2 + (1 - beta3_t) * (g - m2))           (exp_avg_slow)
        v = flush(beta2 * v + ((1 - beta2) * g) * g)        (exp_avg_sq)
        p = p * (1 - lr * weight_decay)
        p = p - lr * (m1 / (1 - beta1^t) + alpha_t * m2) / (sqrt(v) / sqrt(1 - beta2^t) + eps)

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        betas: decay rates of the fast momentum, of the second moment and of the slow momentum, each in [0, 1).
        weight_decay: decoupled, multiplied by `lr`.
        alpha: the weight of the slow momentum, >= 0.
        t_alpha_beta3: in how many steps `alpha` and the third beta grow to their values, of which the paper advises
            all steps of a training; None: at once.
        eps: added to the root, outside of it; > 0.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`; the slow momentum is always as the parameters are.

    Paper: Pagliardini et al., The AdEMAMix Optimizer: Better, Faster, Older, 2024 (arXiv:2409.03137).
    """

    states = ("exp_avg", "exp_avg_sq", "exp_avg_slow")

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
        weight_decay: float = 0,
        alpha: float = 5.0,
        t_alpha_beta3: float | None = None,
        eps: float = 1e-8,
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
                "alpha": alpha,
                "t_alpha_beta3": t_alpha_beta3,
                "eps": eps,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; a beta of 0 has no half-life to grow."""
        super().validate(hyper)
        warmup, (beta1, _, beta3) = hyper["t_alpha_beta3"], hyper["betas"]
        is_valid = warmup is None or (warmup > 0 and min(beta1, beta3) > 0)
        require(is_valid, "t_alpha_beta3 value", f"{warmup} (with betas {hyper['betas']})")

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The slow momentum is not named: it would gather the noise of ten thousand roundings."""
        return {"exp_avg": "signed", "exp_avg_sq": "positive"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return 1-lr*weight_decay, 1-beta1, beta2, 1-beta2, 1-beta3_t, alpha_t, both corrections, eps, lr."""
        (beta1, beta2, beta3), alpha, warmup = hyper["betas"], hyper["alpha"], hyper["t_alpha_beta3"]
        if warmup is not None and t < warmup:
            grown = t / warmup
            alpha *= grown
            beta3 = min(exp(1 / ((1 - grown) / log(beta1) + grown / log(beta3))), beta3)
        return (
            1 - hyper["lr"] * hyper["weight_decay"],
            1 - beta1,
            beta2,
            1 - beta2,
            1 - beta3,
            alpha,
            1 / (1 - power(beta1, t)),
            1 / sqrt(1 - power(beta2, t)),
            hyper["eps"],
            hyper["lr"],
        )

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        keep, one_minus_beta1, beta2, one_minus_beta2, one_minus_beta3, alpha, correction1, correction2, eps, lr = (
            scalars
        )
        fast, slow, v = state["exp_avg"], state["exp_avg_slow"], state["exp_avg_sq"]
        fast[...] = flush(fast + one_minus_beta1 * (g - fast))
        slow[...] = flush(slow + one_minus_beta3 * (g - slow))
        v[...] = flush(beta2 * v + (one_minus_beta2 * g) * g)
        p *= keep
        p -= lr * ((correction1 * fast + alpha * slow) / (np.sqrt(v) * correction2 + eps))
