"""SOAP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels import power
from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush
from trainstation.optimizers.groups import Parameter, require

__all__ = ["SOAP"]

Array = NDArray[Any]


class SOAP(Optimizer):
    r"""SOAP: Adam in the slowly turning eigenbasis of Shampoo's preconditioner.

    Each axis i of a parameter with n <= max_precondition_dim elements has an n x n matrix GG_i, and in the columns of
    Q_i its eigenvectors, the largest first. With t the number of this step of the parameter, counted from 1, and
    rot(x) the array x with each such axis multiplied by Q_i:

        m = flush(m + (1 - beta1) * (g - m))                (exp_avg; flush: subnormals become 0)
        v = flush(v + (1 - beta2) * (rot(g)^2 - v))         (exp_avg_sq, in the eigenbasis)
        u = unrot(rot(m) / (sqrt(v) + eps))
        u = u / (sqrt(mean(u^2)) + eps)                     (normalize_gradient)
        p = p * (1 - lr * weight_decay)
        p = p - lr * (sqrt(1 - beta2^(t-1)) / (1 - beta1^(t-1))) * u        (correct_bias; else p - lr * u)
        GG_i = flush(GG_i + (1 - shampoo_beta) * (G_i - GG_i))              (G_i: g times g, over all other axes)
        Q_i = qr(GG_i Q_i)                                  (where precondition_frequency divides t - 1; the columns of
                                                             Q_i, and v along its axis, are put in order before)

    At t = 1 only GG_i and Q_i are made, so that no gradient is seen in a basis of its own.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate.
        betas: decay rates of the two moments, each in [0, 1).
        shampoo_beta: decay rate of the preconditioner; None: the second of `betas`.
        weight_decay: decoupled, multiplied by `lr`.
        precondition_frequency: how many steps a basis serves.
        max_precondition_dim: the largest axis that gets one; longer ones are left as they are.
        precondition_1d: whether parameters with one axis get one.
        correct_bias: correct the moments as Adam does.
        normalize_gradient: make the root mean square of each step `lr`.
        eps: added to the root, outside of it; > 0.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`; the state is always as the parameters are.

    Paper: Vyas et al., SOAP: Improving and Stabilizing Shampoo using Adam, 2024 (arXiv:2409.11321).
    """

    states = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        shampoo_beta: float | None = None,
        weight_decay: float = 1e-2,
        precondition_frequency: int = 10,
        max_precondition_dim: int = 10000,
        precondition_1d: bool = False,
        correct_bias: bool = True,
        normalize_gradient: bool = False,
        eps: float = 1e-8,
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
                "shampoo_beta": shampoo_beta,
                "weight_decay": weight_decay,
                "precondition_frequency": precondition_frequency,
                "max_precondition_dim": max_precondition_dim,
                "precondition_1d": precondition_1d,
                "correct_bias": correct_bias,
                "normalize_gradient": normalize_gradient,
                "eps": eps,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters."""
        super().validate(hyper)
        require(
            hyper["shampoo_beta"] is None or 0 <= hyper["shampoo_beta"] < 1, "shampoo_beta value", hyper["shampoo_beta"]
        )
        for name in ("precondition_frequency", "max_precondition_dim"):
            require(hyper[name] >= 1, f"{name} value", hyper[name])

    def init_state(self, p: Parameter) -> dict[str, Any]:
        """Add lists of matrices, one of each axis, or None; the first step makes them."""
        return {**super().init_state(p), "GG": [], "Q": []}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return 1-lr*weight_decay, 1-beta1, 1-beta2, 1-shampoo_beta, step size, eps, and what is to be done."""
        beta1, beta2 = hyper["betas"]
        shampoo_beta = beta2 if hyper["shampoo_beta"] is None else hyper["shampoo_beta"]
        step_size, done = hyper["lr"], t - 1
        if hyper["correct_bias"] and done:
            step_size *= sqrt(1 - power(beta2, done)) / (1 - power(beta1, done))
        return (
            1 - hyper["lr"] * hyper["weight_decay"],
            1 - beta1,
            1 - beta2,
            1 - shampoo_beta,
            step_size,
            hyper["eps"],
            hyper["normalize_gradient"],
            done % hyper["precondition_frequency"] == 0,
            hyper["max_precondition_dim"] if done == 0 else 0,
            hyper["precondition_1d"],
        )

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        keep, one_minus_beta1, one_minus_beta2, one_minus_shampoo_beta, lr, eps, normalizes, turns, largest, one = (
            scalars
        )
        m, v, gg, q = state["exp_avg"], state["exp_avg_sq"], state["GG"], state["Q"]
        if largest:  # t = 1
            wants = p.size > 0 and (p.ndim > 1 or one)
            gg[:] = [np.zeros((n, n), p.dtype) if wants and n <= largest else None for n in p.shape]
        else:
            m[...] = flush(m + one_minus_beta1 * (g - m))
            v[...] = flush(v + one_minus_beta2 * (_turned(g, q) ** 2 - v))
            u = _turned(_turned(m, q) / (np.sqrt(v) + eps), q, back=True)
            if normalizes:
                u = u / (np.sqrt(np.sum(u * u) / max(u.size, 1)) + eps)
            p *= keep
            p -= lr * u
        for axis, matrix in enumerate(gg):
            if matrix is not None:
                others = [other for other in range(p.ndim) if other != axis]
                matrix[...] = flush(matrix + one_minus_shampoo_beta * (np.tensordot(g, g, (others, others)) - matrix))
        if largest:
            q[:] = [None if matrix is None else _eigenvectors(matrix) for matrix in gg]
        elif turns:
            for axis, matrix in enumerate(gg):
                if matrix is not None:
                    product = matrix @ q[axis]
                    order = np.argsort(-np.sum(q[axis] * product, axis=0), kind="stable")
                    v[...] = np.take(v, order, axis)
                    q[axis][...] = np.linalg.qr(product[:, order]).Q


def _turned(x: Array, q: Sequence[Array | None], *, back: bool = False) -> Array:
    """Return x in the eigenbasis, or from there: the first axis is turned and becomes the last, until all have been."""
    for matrix in q:
        x = np.moveaxis(x, 0, -1) if matrix is None else np.tensordot(x, matrix, (0, 1 if back else 0))
    return x


def _eigenvectors(matrix: Array) -> Array:
    """Return the eigenvectors of a symmetric matrix in columns, that of the largest eigenvalue first."""
    if not np.isfinite(matrix).all():
        return np.full_like(matrix, np.nan)  # eigh would raise; this says of the gradient what all other states say
    vectors: Array = np.linalg.eigh(matrix).eigenvectors[:, ::-1].copy()
    return vectors
