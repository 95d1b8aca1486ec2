"""The optimizer: its equations, and what they mean in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush, sign
from trainstation.optimizers.groups import require

Array = NDArray[Any]


class MyOptimizer(Optimizer):
    r"""Steps of one size, along the sign of a momentum.

    For each element:

        m = flush(momentum * m + (1 - momentum) * g)    (momentum_buffer; flush: subnormals become 0)
        p = p * (1 - lr * weight_decay)
        p = p - lr * sign(m)

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: the size of each step.
        momentum: how much of the momentum is kept, in [0, 1).
        weight_decay: decoupled, multiplied by `lr`.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Bernstein et al., signSGD: Compressed Optimisation for Non-Convex Problems, 2018 (arXiv:1802.04434).
    """

    states = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        """Link `params`, or none yet."""
        super().__init__(
            params,
            {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "maximize": maximize},
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters of a group; the base class knows the ranges of common ones."""
        super().validate(hyper)
        require(hyper["momentum"] < 1, "momentum value", hyper["momentum"])

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:
        """Let `state_dtype` keep the momentum in fewer bits; it has signs."""
        return {"momentum_buffer": "signed"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return 1-lr*weight_decay, momentum, 1-momentum, lr; t counts the steps of a parameter, from 1."""
        lr, momentum = hyper["lr"], hyper["momentum"]
        return 1 - lr * hyper["weight_decay"], momentum, 1 - momentum, lr

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter in place: the equations of the class, in their order."""
        keep, momentum, one_minus_momentum, lr = scalars
        m = state["momentum_buffer"]
        m[...] = flush(momentum * m + one_minus_momentum * g)
        p *= keep
        p -= lr * sign(m)
