"""Muon in NumPy; what is not a matrix is stepped by AdamW."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.optimizers import AdamW, Optimizer
from trainstation.optimizers.elementwise import flush
from trainstation.optimizers.groups import Parameter

Array = NDArray[Any]

ADAMW = AdamW()  # linked to nothing: its equations
ADAMW_SCALARS = 7


class Muon(Optimizer):
    r"""Muon: momentum, orthogonalised by a Newton-Schulz iteration.

    For each parameter of two dimensions, of R rows and C columns:

        m = flush(m + (1 - momentum) * (g - m))     (momentum_buffer; flush: subnormals become 0)
        d = m + (1 - momentum) * (g - m)            (nesterov; else d = m)
        X = d / max(||d||, eps)                     (transposed if R > C; Frobenius norm)
        ns_steps times:
            A = X @ X.T
            X = a * X + (b * A + c * A @ A) @ X     (a, b, c: ns_coefficients)
        p = p * (1 - lr * weight_decay)
        p = p - lr * sqrt(max(1, R / C)) * X        ("match_rms_adamw": lr * 0.2 * sqrt(max(R, C)))

    Every other parameter is stepped by `AdamW`, with this `lr`, `betas`, `eps` and `weight_decay`: `torch.optim.Muon`
    refuses those. Groups give them values of their own. Embeddings and the last layer are matrices too, but the author
    advises AdamW for them: give them to another optimizer.

    The iteration runs in the parameter's dtype; torch rounds it to bfloat16, so that its steps are off by some percent.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        weight_decay: decoupled, multiplied by `lr`.
        momentum: decay rate of the momentum, >= 0.
        nesterov: look ahead along the momentum.
        ns_coefficients: of the iteration's polynomial.
        eps: the least norm to divide by; for AdamW, added to the root; > 0.
        ns_steps: how many iterations, from 0 to 99.
        adjust_lr_fn: how a step's size depends on the shape: "original" (or None), or "match_rms_adamw", with which
            AdamW's `lr` and `weight_decay` suit Muon.
        betas: of AdamW, each in [0, 1).
        maximize: ascend.
        state_dtype: states keep the dtype of their parameter, whatever it is.
        max_grad_norm, on_nonfinite: see `Optimizer`.

    Papers: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024
    (kellerjordan.github.io/posts/muon); Liu et al., Muon is Scalable for LLM Training, 2025 (arXiv:2502.16982:
    match_rms_adamw).
    """

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
        *,
        betas: tuple[float, float] = (0.9, 0.95),
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "nesterov": nesterov,
                "ns_coefficients": ns_coefficients,
                "eps": eps,
                "ns_steps": ns_steps,
                "adjust_lr_fn": adjust_lr_fn,
                "betas": betas,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; what is said of the iteration and the rate is torch's."""
        super().validate(hyper)
        if len(hyper["ns_coefficients"]) != 3 or not np.isfinite(hyper["ns_coefficients"]).all():  # noqa: PLR2004
            msg = f"Coefficients must be a tuple of exactly 3 values, not {hyper['ns_coefficients']!r}"
            raise ValueError(msg)
        if hyper["ns_steps"] not in range(100):
            msg = f"Number of steps must be a whole number from 0 to 99, not {hyper['ns_steps']!r}"
            raise ValueError(msg)
        if hyper["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            msg = f"Adjust learning rate function {hyper['adjust_lr_fn']!r} is not supported"
            raise ValueError(msg)

    def init_state(self, p: Parameter) -> dict[str, Any]:
        """A matrix has a momentum, everything else the moments of AdamW."""
        names = ("momentum_buffer",) if p.data.ndim == 2 else ADAMW.states  # noqa: PLR2004
        return {name: kernels.zeros_beside(p.data, p.data.shape, p.data.dtype) for name in names}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return AdamW's, the weights of the gradient in m and in d, steps and coefficients, lr, match_rms_adamw."""
        weight = 1 - hyper["momentum"]
        return (
            *ADAMW.scalars(hyper, t),
            weight,
            weight if hyper["nesterov"] else 0.0,
            hyper["ns_steps"],
            *hyper["ns_coefficients"],
            hyper["lr"],
            hyper["adjust_lr_fn"] == "match_rms_adamw",
        )

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        if p.ndim != 2:  # noqa: PLR2004
            ADAMW.update(p, g, state, scalars[:ADAMW_SCALARS])
            return
        if not p.size:
            return
        keep, *_, eps = scalars[:ADAMW_SCALARS]
        weight, look_ahead, ns_steps, a, b, c, lr, match_rms_adamw = scalars[ADAMW_SCALARS:]
        m = state["momentum_buffer"]
        m[...] = flush(m + weight * (g - m))
        d = m + look_ahead * (g - m)
        rows, columns = p.shape
        ratio = 0.2 * sqrt(max(rows, columns)) if match_rms_adamw else sqrt(max(1, rows / columns))
        p *= keep
        p -= (lr * ratio) * orthogonal(d, int(ns_steps), (a, b, c), eps)


def orthogonal(d: Array, steps: int, coefficients: tuple[Any, Any, Any], eps: float) -> Array:
    """Return about U @ V.T of d = U @ S @ V.T: its singular values are brought to between 0.7 and 1.2."""
    a, b, c = coefficients
    rows, columns = d.shape
    x = np.ascontiguousarray(d.T if rows > columns else d)  # the smaller Gram matrix
    x = x / max(sqrt(kernels.squares(x)), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if rows > columns else x
