"""Gradients made smaller, in place, between backward and step: torch's names and semantics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import NonFiniteGradientError
from trainstation.optimizers.groups import entries_of, gradient_of

__all__ = ["clip_grad_norm_", "clip_grad_value_"]

Array = NDArray[Any]


def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> float:
    """Scale gradients so that their norm, over all of them, is at most `max_norm`; return what it was.

    They are multiplied by `min(1, max_norm / (norm + 1e-6))`. The 2-norm is that of an optimizer's `max_grad_norm`,
    which does the same in the step itself, with the same bits for any instruction set and number of threads.

    Args:
        parameters: one parameter, several, (name, parameter) pairs, or a module; those without a gradient are skipped.
        max_norm: >= 0.
        norm_type: > 0, or infinity for the largest element.
        error_if_nonfinite: whether a norm that is NaN or infinite is an error; else it makes all gradients NaN or 0.

    Raises:
        NonFiniteGradientError: the norm is not finite, and that was asked for.
        TypeError: something is no parameter, or a gradient no array.
        ValueError: a number is out of range, or a gradient is read-only. Whatever is raised, nothing has changed.

    """
    if not max_norm >= 0:
        msg = f"Invalid max_norm value: {max_norm}"
        raise ValueError(msg)
    if not norm_type > 0:
        msg = f"Invalid norm_type value: {norm_type}"
        raise ValueError(msg)
    gradients = _gradients(parameters)
    with np.errstate(all="ignore"):
        norm = _norm(gradients, float(norm_type))
        if error_if_nonfinite and not math.isfinite(norm):
            msg = f"the norm of order {norm_type} of the gradients is {norm}, so they cannot be clipped"
            raise NonFiniteGradientError(msg)
        factor = max_norm / (norm + 1e-6)
        if not factor >= 1:  # NaN too
            for gradient in gradients:
                np.multiply(gradient, gradient.dtype.type(factor), out=gradient)
    return norm


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Bring each element of the gradients between `-clip_value` and `clip_value`.

    Args:
        parameters: as in `clip_grad_norm_`.
        clip_value: >= 0.

    Raises:
        TypeError: something is no parameter, or a gradient no array.
        ValueError: the number is out of range, or a gradient is read-only. Whatever is raised, nothing has changed.

    """
    if not clip_value >= 0:
        msg = f"Invalid clip_value value: {clip_value}"
        raise ValueError(msg)
    for gradient in _gradients(parameters):
        np.clip(gradient, -clip_value, clip_value, out=gradient)


def _gradients(parameters: Any) -> list[Array]:
    """Return the arrays of all gradients, each once, after a look at all of them."""
    found: dict[tuple[Any, ...], Array] = {}
    for number, (given, parameter) in enumerate(entries_of(parameters)):
        name = number if given is None else given
        if not hasattr(parameter, "grad"):
            msg = f"parameter {name!r}: a parameter has `.grad`; {type(parameter).__name__} has none"
            raise TypeError(msg)
        gradient = gradient_of(parameter)
        if gradient is None:
            continue
        if not isinstance(gradient, np.ndarray):
            where = "; torch.nn.utils clips torch's" if type(parameter).__module__.startswith("torch") else ""
            msg = f"parameter {name!r}: its gradient must be an array, not {type(gradient).__name__}{where}"
            raise TypeError(msg)
        if not gradient.flags.writeable:
            msg = f"parameter {name!r}: its gradient is read-only"
            raise ValueError(msg)
        found[gradient.__array_interface__["data"], gradient.shape, gradient.strides] = gradient
    return list(found.values())


def _norm(gradients: list[Array], order: float) -> float:
    if order == 2:  # noqa: PLR2004  # the Euclidean one
        return math.sqrt(sum(kernels.squares(np.ascontiguousarray(gradient)) for gradient in gradients))
    if order == math.inf:
        return float(np.max([np.abs(gradient).max(initial=0) for gradient in gradients], initial=0.0))
    total = sum(float((np.abs(gradient, dtype=np.float64) ** order).sum()) for gradient in gradients)
    return float(total ** (1 / order))
