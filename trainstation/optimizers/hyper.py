"""Hyper-parameters: what they may be, and what a step takes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

__all__ = [
    "CHECKS",
    "COMMON",
    "FLOAT32_MAX",
    "FLOAT32_ZERO",
    "Group",
    "check_hyper",
    "check_policies",
    "require",
    "scaled",
]

Group = dict[str, Any]

# A scalar is rounded to float32 for float32 parameters; it must be finite there, and eps must not become 0.
FLOAT32_MAX = float(np.finfo(np.float32).max)
FLOAT32_ZERO = 2.0**-150


ON_NONFINITE = ("ignore", "raise", "skip")


def _finite(value: float) -> bool:
    return -FLOAT32_MAX <= value <= FLOAT32_MAX


def _fraction(value: float) -> bool:
    return 0 <= value < 1


def _not_negative(value: float) -> bool:
    return 0 <= value <= FLOAT32_MAX


def _positive(value: float) -> bool:
    return FLOAT32_ZERO < value <= FLOAT32_MAX


# Hyper-parameters that many optimizers share: torch's words, and what is allowed. NaN fails every comparison.
CHECKS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "lr": ("learning rate", _not_negative),
    "lr_scale": ("lr_scale value", _not_negative),
    "eps": ("epsilon value", _positive),
    "weight_decay": ("weight_decay value", _not_negative),
    "momentum": ("momentum value", _not_negative),
    "dampening": ("dampening value", _finite),
    "alpha": ("alpha value", _not_negative),
}


COMMON = frozenset({*CHECKS, "betas"})


def _number(name: str, value: object) -> float:
    if type(value) is float or type(value) is int:
        return value
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    msg = f"{name} must be a number, not {type(value).__name__}"
    raise TypeError(msg)


def require(is_valid: bool, what: str, *values: object) -> None:
    """Raise a ValueError in torch's words unless a hyper-parameter is valid; for `validate`.

    >>> require(0 <= 1.5 < 1, "momentum value", 1.5)
    Traceback (most recent call last):
    ValueError: Invalid momentum value: 1.5

    """
    if not is_valid:
        msg = f"Invalid {what}: {', '.join(map(str, values))}"
        raise ValueError(msg)


def check_hyper(hyper: Mapping[str, Any]) -> None:
    """Check every hyper-parameter of a group whose meaning is common to all optimizers.

    Raises:
        TypeError: one is not a number.
        ValueError: one is NaN, infinite or out of its range; torch's wording.

    """
    for name, (words, allowed) in CHECKS.items():
        if name in hyper:
            require(allowed(_number(name, hyper[name])), words, hyper[name])
    if "betas" in hyper:
        betas = hyper["betas"]
        if not isinstance(betas, Iterable) or isinstance(betas, str):
            msg = f"betas must be numbers in a tuple, not {betas!r}"
            raise TypeError(msg)
        for index, beta in enumerate(betas):
            require(_fraction(_number(f"betas[{index}]", beta)), f"beta parameter at index {index}", beta)


def check_policies(max_grad_norm: object, on_nonfinite: object) -> None:
    """Check what is decided over all gradients of a step.

    Raises:
        TypeError: `max_grad_norm` is neither a number nor None.
        ValueError: it is not > 0, or `on_nonfinite` is an unknown word.

    """
    if max_grad_norm is not None:
        require(_number("max_grad_norm", max_grad_norm) > 0, "max_grad_norm value", max_grad_norm)
    if on_nonfinite not in ON_NONFINITE:
        msg = f"on_nonfinite is one of {', '.join(map(repr, ON_NONFINITE))}, not {on_nonfinite!r}"
        raise ValueError(msg)


def scaled(group: Group) -> Group:
    """Return the hyper-parameters of one step: its rate multiplied by `lr_scale` (layer decay), all in double."""
    changed: dict[str, Any] = {}
    for name in CHECKS.keys() & group.keys():
        if type(group[name]) is not float and isinstance(group[name], Real):  # Adafactor's eps is a pair
            changed[name] = float(group[name])  # NumPy's float32 would drag its precision along
    if "betas" in group:
        changed["betas"] = tuple(map(float, group["betas"]))
    if "lr_scale" in group:
        changed["lr"] = float(group["lr"]) * float(group["lr_scale"])
        if not _not_negative(changed["lr"]):
            msg = f"Invalid learning rate: {group['lr']} times lr_scale {group['lr_scale']}"
            raise ValueError(msg)
    return {**group, **changed}
