"""An optimizer without fault, of which those of this folder differ in one thing each."""

from trainstation.kernels import power
from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush


class Right(Optimizer):
    """Momentum with bias correction and decoupled decay.

    For each element:

        m = flush(beta * m + (1 - beta) * g)        (exp_avg)
        p = p * (1 - lr * weight_decay)
        p = p - (lr / (1 - beta^t)) * m

    Args:
        params: what to step.
        lr: learning rate.
        beta: decay rate of the momentum.
        weight_decay: multiplied by `lr`.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    """

    states = ("exp_avg",)

    def __init__(
        self,
        params=None,
        lr=1e-2,
        beta=0.9,
        weight_decay=0,
        *,
        maximize=False,
        state_dtype=None,
        max_grad_norm=None,
        on_nonfinite="ignore",
    ):
        super().__init__(
            params,
            {"lr": lr, "beta": beta, "weight_decay": weight_decay, "maximize": maximize},
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper):
        super().validate(hyper)
        if not 0 <= hyper.get("beta", 0) < 1:
            msg = f"Invalid beta value: {hyper['beta']}"
            raise ValueError(msg)

    def scalars(self, hyper, t):
        beta, lr = hyper["beta"], hyper["lr"]
        return beta, 1 - beta, 1 - lr * hyper["weight_decay"], lr / (1 - power(beta, t))

    def update(self, p, g, state, scalars):
        beta, one_minus_beta, keep, size = scalars
        m = state["exp_avg"]
        m[...] = flush(beta * m + one_minus_beta * g)
        p *= keep
        p -= size * m
