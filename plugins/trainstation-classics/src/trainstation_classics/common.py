"""What the classics have in common: the library of their compiled rules, and what several of them compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from math import sqrt
from typing import Any

from numpy.typing import NDArray

from trainstation import kernels
from trainstation.kernels import power
from trainstation.optimizers.elementwise import flush, l2

__all__ = ["Array", "moment_scalars", "moments", "real_power"]

Array = NDArray[Any]

library = resources.files("trainstation_classics") / "_classics.so"
if library.is_file():  # otherwise `update` steps
    kernels.load(str(library))


def real_power(base: float, exponent: float) -> float:
    """Return base ** exponent, 0 < base <= 1, the same on every machine: square roots are exactly rounded, pow is not.

    The whole part of the exponent is a power; of the binary digits behind its point, last one first, each is a root.
    """
    whole = int(exponent)
    digits, scale = (exponent - whole).as_integer_ratio()
    result = 1.0
    while scale > 1:
        result = sqrt(result * base if digits % 2 else result)
        digits, scale = digits // 2, scale // 2
    return result * power(base, min(whole, 1 << 60))


def moment_scalars(hyper: Mapping[str, Any]) -> tuple[float, ...]:
    """Return weight_decay of the gradient, the factor of p (one of the two decays), 1-beta1, beta2, 1-beta2."""
    beta1, beta2 = hyper["betas"]
    decay = hyper["weight_decay"]
    l2_decay, keep = (0.0, 1 - hyper["lr"] * decay) if hyper["decoupled_weight_decay"] else (decay, 1.0)
    return l2_decay, keep, 1 - beta1, beta2, 1 - beta2


def moments(p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> tuple[Array, Array, Array]:
    """Decay p or its gradient, and update Adam's moments; return the gradient and both."""
    weight_decay, keep, one_minus_beta1, beta2, one_minus_beta2 = scalars
    m, v = state["exp_avg"], state["exp_avg_sq"]
    g = l2(p, g, weight_decay)
    p *= keep
    m[...] = flush(m + one_minus_beta1 * (g - m))
    v[...] = flush(beta2 * v + (one_minus_beta2 * g) * g)
    return g, m, v
