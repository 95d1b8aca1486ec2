"""Adafactor in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush
from trainstation.optimizers.groups import Parameter, require

Array = NDArray[Any]


class Adafactor(Optimizer):
    r"""Adafactor: Adam without a first moment, its second one kept as its means over rows and columns.

    For each parameter, with t the number of this step of the parameter, counted from 1, and rms(x) the root of the
    mean of x * x:

        alpha = max(eps2, rms(p)) * min(lr, 1 / sqrt(t))
        p = p * (1 - lr * weight_decay)
        r = flush(r + t^beta2_decay * (mean(g * g over a row) - r))         (row_var; flush: subnormals
        c = flush(c + t^beta2_decay * (mean(g * g over a column) - c))      (col_var;  become 0)
        v = r * c / max(mean(r), eps1)
        u = g / sqrt(max(v, eps1 * eps1))
        p = p - alpha / max(1, rms(u) / d) * u

    Rows and columns are those of the last two dimensions. A parameter of fewer has the second moment itself:

        v = flush(v + t^beta2_decay * (g * g - v))                          (variance)

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: the most that a step changes a parameter, relative to its size.
        beta2_decay: how fast the second moment comes to keep more of the past, <= 0.
        eps: eps1, the least root of the second moment (None: the dtype's epsilon), and eps2, the least size of a
            parameter that steps are relative to; >= 0.
        d: the largest rms of a direction, >= 1.
        weight_decay: decoupled, multiplied by `lr`.
        maximize: ascend.
        state_dtype: states keep the dtype of their parameter, whatever it is.
        max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018 (arXiv:1804.04235).
    """

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0,
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
                "beta2_decay": beta2_decay,
                "eps": eps,
                "d": d,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters."""
        super().validate({name: value for name, value in hyper.items() if name != "eps"})  # elsewhere one number > 0
        eps1, eps2 = hyper["eps"]
        require(hyper["beta2_decay"] <= 0, "beta2_decay value", hyper["beta2_decay"])
        require(eps1 is None or eps1 >= 0, "eps1 value", eps1)
        require(eps2 >= 0, "eps2 value", eps2)
        require(hyper["d"] >= 1, "d value", hyper["d"])

    def init_state(self, p: Parameter) -> dict[str, Any]:
        """Return means over rows and columns, or a second moment of fewer dimensions."""
        shape, dtype = p.data.shape, p.data.dtype
        if len(shape) > 1:
            return {
                "row_var": np.zeros((*shape[:-1], 1), dtype),
                "col_var": np.zeros((*shape[:-2], 1, shape[-1]), dtype),
            }
        return {"variance": kernels.zeros_beside(p.data, shape, dtype)}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return 1-lr*weight_decay, t^beta2_decay, min(lr, 1/sqrt(t)), eps1 (NaN for None), eps2, d."""
        lr, (eps1, eps2) = hyper["lr"], hyper["eps"]
        keep, weight = 1 - lr * hyper["weight_decay"], t ** hyper["beta2_decay"]
        return keep, weight, min(lr, 1 / sqrt(t)), nan if eps1 is None else eps1, eps2, hyper["d"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        if not p.size:
            return
        keep, weight, rho, eps1, eps2, d = scalars
        if isnan(eps1):
            eps1 = np.finfo(p.dtype).eps
        alpha = max(eps2, rms(p)) * rho
        p *= keep
        v = g * g
        if p.ndim > 1:
            row, col = state["row_var"], state["col_var"]
            row[...] = flush(row + weight * (v.mean(-1, keepdims=True) - row))
            col[...] = flush(col + weight * (v.mean(-2, keepdims=True) - col))
            v = row * col / np.maximum(row.mean(-2, keepdims=True), eps1)
        else:
            state["variance"][...] = v = flush(state["variance"] + weight * (v - state["variance"]))
        u = g / np.sqrt(np.maximum(v, eps1 * eps1))
        p -= alpha / max(1, rms(u) / d) * u


def rms(x: Array) -> float:
    """Return the root of the mean of the squares."""
    return sqrt(kernels.squares(np.ascontiguousarray(x)) / x.size)
