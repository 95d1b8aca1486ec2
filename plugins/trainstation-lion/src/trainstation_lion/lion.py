"""Lion and its cautious variant: what they mean in NumPy, and Lion's compiled rule if this installation has one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush, sign

__all__ = ["CautiousLion", "Lion"]

Array = NDArray[Any]

library = resources.files("trainstation_lion") / "_lion.so"
if library.is_file():  # otherwise `update` steps
    kernels.load(str(library))


class Lion(Optimizer):
    r"""Lion: steps of one size, along the sign of a momentum.

    For each element:

        c = beta1 * m + (1 - beta1) * g
        p = p * (1 - lr * weight_decay)
        p = p - lr * sign(c)
        m = flush(beta2 * m + (1 - beta2) * g)      (exp_avg; flush: subnormals become 0)

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: the size of each step; the paper advises a third to a tenth of AdamW's.
        betas: of the direction and of the momentum, each in [0, 1).
        weight_decay: decoupled, multiplied by `lr`; the paper advises three to ten times AdamW's.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023 (arXiv:2302.06675).
    """

    states = ("exp_avg",)
    rule = "lion"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize},
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The momentum has signs."""
        return {"exp_avg": "signed"}

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
        p -= lr * sign(c)
        m[...] = flush(beta2 * m + one_minus_beta2 * g)


class CautiousLion(Lion):
    r"""Cautious Lion: Lion without the elements whose direction is against their gradient.

    For each element:

        u = sign(beta1 * m + (1 - beta1) * g)
        u = u * (u * g > 0) * (n / (agreeing + 1))      (agreeing: how many of the n elements have u * g > 0)
        p = p * (1 - lr * weight_decay)
        p = p - lr * u
        m = flush(beta2 * m + (1 - beta2) * g)          (exp_avg; flush: subnormals become 0)

    The arguments are those of `Lion`. Counting takes a pass over the whole parameter before the first element can be
    moved, so there is no compiled rule.

    Paper: Liang et al., Cautious Optimizers: Improving Training with One Line of Code, 2024 (arXiv:2411.16085).
    """

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        keep, beta1, one_minus_beta1, beta2, one_minus_beta2, lr = scalars
        m = state["exp_avg"]
        u = sign(beta1 * m + one_minus_beta1 * g)
        agrees = u * g > 0
        scale = p.size / (np.count_nonzero(agrees) + 1)
        p *= keep
        p -= lr * (u * (agrees * p.dtype.type(scale)))
        m[...] = flush(beta2 * m + one_minus_beta2 * g)
