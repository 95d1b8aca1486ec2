"""Cautious AdamW."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.optimizers import AdamW
from trainstation.optimizers.elementwise import flush, maximum, sign

__all__ = ["CautiousAdamW"]

Array = NDArray[Any]


class CautiousAdamW(AdamW):
    r"""Cautious AdamW: moves only those elements whose momentum and gradient have the same sign, and these further.

    The moments m and v (and v^, with amsgrad), the decay and the arguments are those of `AdamW`. Then:

        u = ((lr / (1 - beta1^t)) * m) / (sqrt(v) / sqrt(1 - beta2^t) + eps)
        f = 1 where m * g > 0, 0 elsewhere
        p = p - (n / (sum(f) + 1)) * f * u                  (n: the number of elements of the parameter)

    Paper: Liang et al., Cautious Optimizers: Improving Training with One Line of Code, 2024 (arXiv:2411.16085).
    """

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        keep, one_minus_beta1, beta2, one_minus_beta2, step_size, correction, eps = scalars
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m[...] = flush(m + one_minus_beta1 * (g - m))
        v[...] = flush(beta2 * v + (one_minus_beta2 * g) * g)
        if "max_exp_avg_sq" in state:
            largest = state["max_exp_avg_sq"]
            largest[...] = maximum(largest, v)
            v = largest
        agree = sign(m) * sign(g)  # m * g could underflow
        f = np.where(agree < 0, agree.dtype.type(0), agree)  # a NaN stays
        scale = p.dtype.type(p.size / (np.count_nonzero(f) + 1))
        p *= keep
        p -= (scale * f) * ((step_size * m) / (np.sqrt(v) * correction + eps))
