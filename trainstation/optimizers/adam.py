"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels import power
from trainstation.optimizers.base import Optimizer
from trainstation.optimizers.elementwise import flush, l2, maximum

__all__ = ["Adam", "AdamW"]

Array = NDArray[Any]


class Adam(Optimizer):
    r"""Adam: adaptive moment estimation.

    For each element, with t the number of this step of the parameter, counted from 1:

        g = g + weight_decay * p                    (if weight_decay is not 0)
        m = flush(m + (1 - beta1) * (g - m))        (exp_avg; flush: subnormals become 0)
        v = flush(beta2 * v + ((1 - beta2) * g) * g)                                        (exp_avg_sq)
        v^ = max(v^, v)                             (amsgrad: max_exp_avg_sq, then v^ in place of v)
        p = p - ((lr / (1 - beta1^t)) * m) / (sqrt(v) * (1 / sqrt(1 - beta2^t)) + eps)

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        betas: decay rates of the two moments, each in [0, 1).
        eps: added to the root, outside of it; > 0.
        weight_decay: L2 penalty, added to the gradient.
        amsgrad: divide by the root of the largest second moment so far.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Papers: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014 (arXiv:1412.6980); Reddi et al., On the
    Convergence of Adam and Beyond, 2018 (amsgrad).

    >>> import trainstation as ts
    >>> p = ts.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = Adam([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([ 0.9, -1.9], requires_grad=True)

    """

    states = ("exp_avg", "exp_avg_sq")
    optional_states = ("max_exp_avg_sq",)
    rule = "adam"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
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
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def variant(self, hyper: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
        """Amsgrad has a rule of its own and one more state."""
        if hyper["amsgrad"]:
            return self.rule and f"{self.rule}_amsgrad", (*self.states, *self.optional_states)
        return self.rule, self.states

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The first moment has signs, the others have none."""
        return {"exp_avg": "signed", "exp_avg_sq": "positive", "max_exp_avg_sq": "positive"}

    def _decay(self, hyper: Mapping[str, Any]) -> float:
        """Return the scalar that decay is made with."""
        decay: float = hyper["weight_decay"]
        return decay

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return decay, 1-beta1, beta2, 1-beta2, lr/(1-beta1^t), 1/sqrt(1-beta2^t), eps."""
        beta1, beta2 = hyper["betas"]
        step_size = hyper["lr"] / (1 - power(beta1, t))
        correction = 1 / sqrt(1 - power(beta2, t))
        return self._decay(hyper), 1 - beta1, beta2, 1 - beta2, step_size, correction, hyper["eps"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        self._move(p, l2(p, g, scalars[0]), state, scalars)

    def _move(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Update the moments, and move along them: what Adam and AdamW have in common."""
        _, one_minus_beta1, beta2, one_minus_beta2, step_size, correction, eps = scalars
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m[...] = flush(m + one_minus_beta1 * (g - m))
        v[...] = flush(beta2 * v + (one_minus_beta2 * g) * g)
        if "max_exp_avg_sq" in state:
            largest = state["max_exp_avg_sq"]
            largest[...] = maximum(largest, v)
            v = largest
        denom = np.sqrt(v) * correction + eps
        p -= (step_size * m) / denom


class AdamW(Adam):
    r"""AdamW: Adam with weight decay that does not pass through the moments.

    The equations are those of `Adam`, with one line before them in place of the penalty:

        p = p * (1 - lr * weight_decay)

    The arguments are those of `Adam`; `weight_decay` is multiplied by `lr`, and 0.01 by default.

    Paper: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017 (arXiv:1711.05101).
    """

    rule = "adamw"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def _decay(self, hyper: Mapping[str, Any]) -> float:
        decay: float = 1 - hyper["lr"] * hyper["weight_decay"]
        return decay

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        p *= scalars[0]
        self._move(p, g, state, scalars)
