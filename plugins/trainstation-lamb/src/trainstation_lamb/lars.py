"""LARS in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

from numpy.typing import NDArray

from trainstation.optimizers import SGD, Optimizer
from trainstation.optimizers.groups import require
from trainstation_lamb.norm import norm

Array = NDArray[Any]


class Lars(SGD):
    r"""LARS: SGD whose gradient has, in each parameter, a length in proportion to the parameter's.

    For each parameter, if weight_decay is not 0, or always_adapt:

        r = trust_coeff * ||p|| / (||g|| + weight_decay * ||p|| + eps)      (1 if ||p|| or ||g|| is 0)
        r = min(r / lr, 1)                          (trust_clip)
        g = r * (g + weight_decay * p)

    Then the equations of `SGD` without its penalty, with the momentum's buffer.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        momentum: how much of the last direction is kept, >= 0.
        dampening: how much less of the gradient is added to it; not applied at the first step.
        weight_decay: L2 penalty, added to the gradient.
        nesterov: look ahead along the momentum; needs momentum > 0 and dampening = 0.
        trust_coeff: the length of a gradient, relative to the parameter's.
        eps: added to the norms that are divided by; > 0.
        trust_clip: let `lr` be the most that a gradient is multiplied by (LARC).
        always_adapt: adapt the length without weight decay too.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: You et al., Large Batch Training of Convolutional Networks, 2017 (arXiv:1708.03888).
    """

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1.0,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        trust_coeff: float = 0.001,
        eps: float = 1e-8,
        trust_clip: bool = False,
        always_adapt: bool = False,
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        Optimizer.__init__(  # SGD's knows its own hyper-parameters only
            self,
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "trust_coeff": trust_coeff,
                "eps": eps,
                "trust_clip": trust_clip,
                "always_adapt": always_adapt,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters: SGD's, and the trust."""
        super().validate(hyper)
        require(0 <= hyper["trust_coeff"] < inf, "trust_coeff value", hyper["trust_coeff"])

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return SGD's, and: whether to adapt the length, trust_coeff, eps, trust_clip."""
        adapts = hyper["weight_decay"] != 0 or hyper["always_adapt"]
        return *super().scalars(hyper, t), adapts, hyper["trust_coeff"], hyper["eps"], hyper["trust_clip"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        weight_decay, *of_sgd, lr, adapts, trust_coeff, eps, trust_clip = scalars
        if adapts:
            of_p, of_g = norm(p), norm(g)
            trusted = of_p > 0 and of_g > 0
            ratio = trust_coeff * of_p / (of_g + weight_decay * of_p + eps) if trusted else 1
            if trust_clip:
                ratio = min(ratio / lr, 1)
            g = ratio * (g + weight_decay * p)
        super().update(p, g, state, (0, *of_sgd, lr))
