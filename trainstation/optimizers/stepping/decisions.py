"""What is decided for a whole step, over all of its gradients, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import NonFiniteGradientError
from trainstation.optimizers.contract import Contract, LastStep
from trainstation.optimizers.stepping.row import Row

__all__ = ["decided", "isa_of", "measured", "refused", "unmeasured"]

Array = NDArray[Any]


def measured(rows: Sequence[Row], gradients: Mapping[int, Array]) -> tuple[float, Row | None]:
    """Return the sum of the squares of all gradients, as C adds them up, and the first row that has one not finite."""
    total, wrong = 0.0, None
    for row in rows:
        gradient = np.ascontiguousarray(gradients[row.number])
        sum_of_row = kernels.squares(gradient)
        total += sum_of_row
        if wrong is None and not math.isfinite(sum_of_row) and not np.isfinite(gradient).all():
            wrong = row
    return total, wrong


def decided(optimizer: Contract, squares: float, is_finite: bool) -> tuple[float, float, bool]:
    """Return the norm of all gradients, by what they are multiplied, and whether the step is made along them."""
    squares, is_finite = optimizer.agree(squares, is_finite)
    norm = math.sqrt(squares)
    factor = optimizer.max_grad_norm / (norm + 1e-6) if optimizer.max_grad_norm else 1.0
    return norm, 1.0 if factor >= 1 else factor, is_finite or optimizer.on_nonfinite == "ignore"


def refused(optimizer: Contract, row: Row | None, norm: float) -> LastStep:
    """Return what came of a step along a gradient that is not finite, or raise that."""
    if optimizer.on_nonfinite == "raise":
        whose = "somewhere else: a" if row is None else f"{row.name}: its"
        msg = f"{whose} gradient has a NaN or an infinity; nothing was changed"
        raise NonFiniteGradientError(msg)
    return LastStep(norm, True, isa_of(None))


@cache
def unmeasured(isa: int | None) -> LastStep:
    """Return what came of a step of which nothing was asked: the same object each time."""
    return LastStep(None, False, isa_of(isa))


@cache
def isa_of(index: int | None) -> str:
    """Return the name of the instruction set that compiled rows ran with; "numpy" if there were none."""
    return "numpy" if index is None else kernels.isa_name(index)
