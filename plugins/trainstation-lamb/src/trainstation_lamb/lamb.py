"""LAMB in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels import power
from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush
from trainstation_lamb.norm import norm

Array = NDArray[Any]


class Lamb(Optimizer):
    r"""LAMB: Adam's direction, its length in each parameter that of the parameter itself.

    For each parameter, with t the number of this step of the parameter, counted from 1:

        m = flush(beta1 * m + (1 - beta1) * g)      (exp_avg; g instead of (1 - beta1) * g without grad_averaging;
                                                     flush: subnormals become 0)
        v = flush(beta2 * v + ((1 - beta2) * g) * g)                        (exp_avg_sq)
        u = (m / (1 - beta1^t)) / (sqrt(v) / sqrt(1 - beta2^t) + eps)       (bias_correction; else m / (sqrt(v) + eps))
        u = u * [u * g > 0] / max(mean([u * g > 0]), 0.001)                 (caution)
        u = u + weight_decay * p                    (decoupled_decay: p = p * (1 - lr * weight_decay) instead)
        u = u * ||p|| / ||u||                       (if weight_decay is not 0, or always_adapt, and neither norm is 0;
                                                     trust_clip: no factor above 1)
        p = p - lr * u

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        bias_correction: correct the moments for their beginning at 0.
        betas: decay rates of the two moments, each in [0, 1).
        eps: added to the root, outside of it; > 0.
        weight_decay: added to the direction.
        grad_averaging: whether the first moment is a mean of gradients, or a sum.
        trust_clip: never lengthen a direction (LAMBC).
        always_adapt: adapt the length without weight decay too.
        caution: leave out elements whose direction is against the gradient.
        decoupled_decay: decay as AdamW does.
        corrected_weight_decay: decay decoupled by lr^2 / (the lr given here) in place of lr; groups name that
            `max_lr_snapshot`.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`; in timm and FusedLAMB, max_grad_norm is 1.

    Paper: You et al., Large Batch Optimization for Deep Learning: Training BERT in 76 minutes, 2019 (arXiv:1904.00962);
    in the form of NVIDIA's FusedLAMB, as timm has it.
    """

    states = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        bias_correction: bool = True,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        grad_averaging: bool = True,
        *,
        trust_clip: bool = False,
        always_adapt: bool = False,
        caution: bool = False,
        decoupled_decay: bool = False,
        corrected_weight_decay: bool = False,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "bias_correction": bias_correction,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "grad_averaging": grad_averaging,
                "trust_clip": trust_clip,
                "always_adapt": always_adapt,
                "caution": caution,
                "decoupled_decay": decoupled_decay,
                "corrected_weight_decay": corrected_weight_decay,
                "max_lr_snapshot": lr,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; the corrected decay divides by the largest rate."""
        super().validate(hyper)
        if hyper["corrected_weight_decay"] and not hyper["max_lr_snapshot"] > 0:
            msg = f"Corrected weight decay requires a positive max lr, got {hyper['max_lr_snapshot']}"
            raise ValueError(msg)

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The first moment has signs, the second has none."""
        return {"exp_avg": "signed", "exp_avg_sq": "positive"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return the factors of moments and roots, of both kinds of decay, of the length, and lr.

        In order: beta1, that of the gradient in the first moment, beta2, 1-beta2, 1-beta1^t, sqrt(1-beta2^t), eps,
        caution, 1-lr*weight_decay (1 unless decoupled), weight_decay (0 if decoupled), whether to adapt the length,
        the largest factor to do so, lr.
        """
        (beta1, beta2), lr, decay = hyper["betas"], hyper["lr"], hyper["weight_decay"]
        correction1, correction2 = (1 - power(beta1, t), 1 - power(beta2, t)) if hyper["bias_correction"] else (1, 1)
        decay_rate = lr**2 / hyper["max_lr_snapshot"] if hyper["corrected_weight_decay"] else lr
        keep, penalty = (1 - decay_rate * decay, 0) if hyper["decoupled_decay"] else (1, decay)
        return (
            beta1,
            1 - beta1 if hyper["grad_averaging"] else 1,
            beta2,
            1 - beta2,
            correction1,
            sqrt(correction2),
            hyper["eps"],
            hyper["caution"],
            keep,
            penalty,
            decay != 0 or hyper["always_adapt"],
            1 if hyper["trust_clip"] else inf,
            lr,
        )

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        beta1, add, beta2, one_minus_beta2, correction1, root2, eps, caution, keep, penalty, adapts, most, lr = scalars
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m[...] = flush(beta1 * m + add * g)
        v[...] = flush(beta2 * v + (one_minus_beta2 * g) * g)
        u = (m / correction1) / (np.sqrt(v) / root2 + eps)
        if caution and p.size:
            mask = u * g > 0
            u = u * mask / max(float(mask.mean()), 1e-3)
        p *= keep
        if penalty != 0:
            u = u + penalty * p
        if adapts:
            of_p, of_u = norm(p), norm(u)
            u = u * min(of_p / of_u if of_p > 0 and of_u > 0 else 1, most)
        p -= lr * u
