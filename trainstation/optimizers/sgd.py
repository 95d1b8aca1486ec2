"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from trainstation.optimizers.base import Optimizer
from trainstation.optimizers.elementwise import flush, l2

__all__ = ["SGD"]

Array = NDArray[Any]


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum and Nesterov's variant.

    For each element, with t the number of this step of the parameter, counted from 1:

        g = g + weight_decay * p                    (if weight_decay is not 0)
        b = flush(momentum * b + (1 - dampening) * g)       (momentum: momentum_buffer; at t = 1: b = g;
                                                             flush: subnormals become 0)
        d = g + momentum * b                        (nesterov; else d = b, or g without momentum)
        p = p - lr * d

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        momentum: how much of the last direction is kept, >= 0.
        dampening: how much less of the gradient is added to it; not applied at the first step.
        weight_decay: L2 penalty, added to the gradient.
        nesterov: look ahead along the momentum; needs momentum > 0 and dampening = 0.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.

    >>> import trainstation as ts
    >>> p = ts.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SGD([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([ 0.5, -1. ], requires_grad=True)

    """

    optional_states = ("momentum_buffer",)
    rule = "sgd"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
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
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters, and that Nesterov has a momentum and no dampening."""
        super().validate(hyper)
        if hyper["nesterov"] and (hyper["momentum"] <= 0 or hyper["dampening"] != 0):
            msg = "Nesterov momentum requires a momentum and zero dampening"
            raise ValueError(msg)

    def variant(self, hyper: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
        """Momentum has a rule and a state of its own."""
        if hyper["momentum"]:
            return self.rule and f"{self.rule}_momentum", self.optional_states
        return self.rule, ()

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The buffer has signs."""
        return {"momentum_buffer": "signed"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return weight_decay, the two factors of the buffer (0 and 1 at t = 1), Nesterov's factor of it, lr."""
        momentum = hyper["momentum"]
        keep, add = (0.0, 1.0) if t == 1 else (momentum, 1 - hyper["dampening"])
        return hyper["weight_decay"], keep, add, momentum if hyper["nesterov"] else 0.0, hyper["lr"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        weight_decay, keep, add, look_ahead, lr = scalars
        g = l2(p, g, weight_decay)
        if "momentum_buffer" in state:
            buffer = state["momentum_buffer"]
            buffer[...] = flush(keep * buffer + add * g)
            g = g + look_ahead * buffer if look_ahead != 0 else buffer
        p -= lr * g
