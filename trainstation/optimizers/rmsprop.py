"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.optimizers.base import Optimizer
from trainstation.optimizers.elementwise import flush, l2, maximum
from trainstation.optimizers.hyper import require

__all__ = ["RMSprop"]

Array = NDArray[Any]


class RMSprop(Optimizer):
    r"""RMSprop: the gradient divided by a running root mean square of itself.

    For each element:

        g = g + weight_decay * p                        (if weight_decay is not 0)
        v = flush(alpha * v + ((1 - alpha) * g) * g)    (square_avg; flush: subnormals become 0)
        a = flush(a + (1 - alpha) * (g - a))            (centered: grad_avg)
        d = sqrt(v) + eps                               (centered: sqrt(max(v - a * a, 0)) + eps)
        b = flush(momentum * b + g / d)                 (momentum: momentum_buffer)
        p = p - lr * b                                  (without momentum: p - (lr * g) / d)

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        alpha: decay rate of the averages, in [0, 1).
        eps: added to the root, outside of it; > 0.
        weight_decay: L2 penalty, added to the gradient.
        momentum: how much of the last direction is kept, >= 0.
        centered: subtract the square of the gradient's mean; where rounding makes the difference negative it is 0.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Sources: Tieleman and Hinton, Lecture 6.5 of Neural Networks for Machine Learning, 2012; centered: Graves,
    Generating Sequences With Recurrent Neural Networks, 2013 (arXiv:1308.0850).

    >>> import trainstation as ts
    >>> p = ts.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = RMSprop([p], lr=0.01)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.numpy().round(4)
    array([ 0.9, -1.9], dtype=float32)

    """

    states = ("square_avg",)
    optional_states = ("grad_avg", "momentum_buffer")
    rule = "rmsprop"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
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
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; alpha is a decay rate."""
        super().validate(hyper)
        require(hyper["alpha"] < 1, "alpha value", hyper["alpha"])

    def variant(self, hyper: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
        """Centering and momentum have a state each."""
        rule: str | None = self.rule
        states: tuple[str, ...] = self.states
        for word, state in (("centered", "grad_avg"), ("momentum", "momentum_buffer")):
            if hyper[word]:
                rule, states = rule and f"{rule}_{word}", (*states, state)
        return rule, states

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:
        """Centered, the two averages stay exact: their difference would cancel what is left of them."""
        return {"momentum_buffer": "signed"} | ({} if hyper["centered"] else {"square_avg": "positive"})

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:  # noqa: ARG002  # no bias correction
        """Return weight_decay, alpha, 1-alpha, eps, momentum, lr."""
        alpha = hyper["alpha"]
        return hyper["weight_decay"], alpha, 1 - alpha, hyper["eps"], hyper["momentum"], hyper["lr"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        weight_decay, alpha, one_minus_alpha, eps, momentum, lr = scalars
        g = l2(p, g, weight_decay)
        v = state["square_avg"]
        v[...] = flush(alpha * v + (one_minus_alpha * g) * g)
        if "grad_avg" in state:
            a = state["grad_avg"]
            a[...] = flush(a + one_minus_alpha * (g - a))
            v = maximum(v - a * a, np.zeros_like(v))
        d = np.sqrt(v) + eps
        if "momentum_buffer" in state:
            buffer = state["momentum_buffer"]
            buffer[...] = flush(momentum * buffer + g / d)
            p -= lr * buffer
        else:
            p -= (lr * g) / d
