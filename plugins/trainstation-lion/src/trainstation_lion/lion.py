"""Lion, in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.optimizers import Optimizer

Array = NDArray[Any]


class Lion(Optimizer):
    r"""Lion: steps of one size, along the sign of a momentum.

    For each element:

        c = beta1 * m + (1 - beta1) * g
        p = p * (1 - lr * weight_decay)
        p = p - lr * sign(c)
        m = beta2 * m + (1 - beta2) * g     (exp_avg)

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: the size of each step; the paper advises a third to a tenth of AdamW's.
        betas: of the direction and of the momentum, each in [0, 1).
        weight_decay: decoupled, multiplied by `lr`; the paper advises three to ten times AdamW's.
        maximize: ascend.

    Paper: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023 (arXiv:2302.06675).
    """

    states = ("exp_avg",)

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:  # noqa: ARG002  # no bias correction
        """Return 1-lr*weight_decay, beta1, 1-beta1, beta2, 1-beta2, lr."""
        beta1, beta2 = hyper["betas"]
        return 1 - hyper["lr"] * hyper["weight_decay"], beta1, 1 - beta1, beta2, 1 - beta2, hyper["lr"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        keep, beta1, one_minus_beta1, beta2, one_minus_beta2, lr = scalars
        m = state["exp_avg"]
        c = beta1 * m + one_minus_beta1 * g
        p *= keep
        p -= lr * np.sign(c)
        m[...] = beta2 * m + one_minus_beta2 * g
