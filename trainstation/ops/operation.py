"""What an operation is, the table of all of them, and what several families share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation.gradtrack import VJP

Array = NDArray[Any]
Forward = Callable[..., tuple[Any, VJP]]

OUTPUT = -1


class Operation(NamedTuple):
    """One differentiable operation; see `trainstation.ops`."""

    name: str
    forward: Forward
    reads: tuple[tuple[int, ...], ...]
    view: bool


OPERATIONS: dict[str, Operation] = {}


def operation(*reads: tuple[int, ...], view: bool = False) -> Callable[[Forward], Operation]:
    """Enter a forward function into the table; `view`: the value may share memory with the first input."""

    def enter(forward: Forward) -> Operation:
        entry = Operation(forward.__name__.rstrip("_"), forward, reads, view)
        OPERATIONS[entry.name] = entry
        return entry

    return enter


def unbroadcast(gradient: Array, like: Any) -> Array:
    """Sum a gradient over the dimensions that broadcasting added to `like`, or stretched."""
    shape = like.shape
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    stretched = tuple(added + i for i, n in enumerate(shape) if n == 1 and gradient.shape[added + i] != 1)
    total: Array = np.asarray(gradient.sum(axis=(*range(added), *stretched))).reshape(shape)
    return total
