"""A check of gradients against differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from trainstation.gradtrack import no_grad
from trainstation.tensor import Tensor

__all__ = ["check_grad"]


def check_grad(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], *, seed: int = 0, step: float = 1e-6, rtol: float = 1e-6
) -> None:
    """Check the gradients of `function(*inputs)` against central differences, along random directions.

    For a random u of the result's shape and a random v of the inputs' shapes, <u, J v> measured by differences must be
    <J^T u, v> of backward: two evaluations, whatever the number of elements.

    Args:
        function: returns one tensor.
        inputs: float64 tensors; those that require a gradient are checked, and must be away from kinks by `step`.
        seed: of u and v.
        step: of the differences.
        rtol: how far the two may differ, relative to the larger and to 1.

    Raises:
        TypeError: an input that requires a gradient is not float64.
        AssertionError: the gradients are wrong, with both numbers.

    """
    for position, tensor in enumerate(inputs):
        if tensor.requires_grad and tensor.dtype != np.float64:
            msg = f"check_grad needs float64; input {position} is {tensor.dtype}"
            raise TypeError(msg)
    rng = np.random.default_rng(seed)
    checked = [tensor for tensor in inputs if tensor.requires_grad]
    result = function(*inputs)
    along = rng.standard_normal(result.shape)
    for tensor in checked:
        tensor.grad = None
    result.backward(along)
    for position, tensor in enumerate(checked):
        direction = rng.standard_normal(tensor.shape)
        kept = tensor.data
        try:
            with no_grad():
                tensor.data = np.asarray(kept + step * direction)
                above = float((function(*inputs).data * along).sum())
                tensor.data = np.asarray(kept - step * direction)
                below = float((function(*inputs).data * along).sum())
        finally:
            tensor.data = kept
        measured = (above - below) / (2 * step)
        given = 0.0 if tensor.grad is None else float((tensor.grad.data * direction).sum())
        if not abs(measured - given) <= rtol * max(1.0, abs(measured), abs(given)):
            msg = f"gradient {position}: backward gives {given!r} along a random direction, differences {measured!r}"
            raise AssertionError(msg)
