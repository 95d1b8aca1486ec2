"""Rprop: its meaning in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np

from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import maximum, minimum, sign
from trainstation.optimizers.groups import require
from trainstation_classics.common import Array

__all__ = ["Rprop"]


class Rprop(Optimizer):
    r"""Rprop: resilient backpropagation, whose steps know a gradient's sign only; for gradients of full batches.

    For each element, with s = lr before the first step:

        f = etaplus if g * q > 0, etaminus if g * q < 0, else 1
        q = 0 if g * q < 0, else sign(g)            (prev)
        s = min(max(s * f, smallest), largest)      (step_size)
        p = p - q * s

    Of the last gradient only the sign is kept, where torch keeps it whole: the product of two small gradients is not
    lost, and no `state_dtype` loses anything of it.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: the first step size; later ones do not depend on it.
        etas: etaminus in (0, 1) and etaplus > 1, by which a step size shrinks and grows.
        step_sizes: the smallest and the largest step size.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`.

    Paper: Riedmiller and Braun, A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm,
    1993.
    """

    states = ("prev", "step_size")
    rule = "classics_rprop"

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        super().__init__(
            params,
            {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize},
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters."""
        super().validate(hyper)
        minus, plus = hyper["etas"]
        require(0 < minus < 1 < plus < inf, "eta values", minus, plus)
        smallest, largest = hyper["step_sizes"]
        require(0 <= smallest <= largest < inf, "step sizes", smallest, largest)

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # whatever they are
        """The last gradient has a sign, a step size has none."""
        return {"prev": "signed", "step_size": "positive"}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return lr if this is the first step and 0 if not, etaminus, etaplus, smallest and largest step size."""
        return hyper["lr"] if t == 1 else 0.0, *hyper["etas"], *hyper["step_sizes"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        first, minus, plus, smallest, largest = scalars
        prev, size = state["prev"], state["step_size"]
        one = p.dtype.type(1)
        agreement = g * prev
        factor = np.where(agreement > 0, plus, np.where(agreement < 0, minus, one))
        prev[...] = np.where(agreement < 0, one - one, sign(g))
        size[...] = minimum(maximum((size + first) * factor, smallest), largest)
        p -= prev * size
