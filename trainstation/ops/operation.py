"""What an operation is, the table of all of them, and what several families share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation.gradtrack import VJP

Array = NDArray[Any]
Forward = Callable[..., tuple[Any, VJP]]
Form = tuple[tuple[int, ...], np.dtype[Any]] | None  # shape and dtype; None for a number

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


def form(x: Any) -> Form:
    """Return what a gradient with respect to `x` looks like; a vjp that keeps it need not keep the array."""
    return (x.shape, x.dtype) if isinstance(x, np.ndarray) else None


def unbroadcast(gradient: Array, like: Form) -> Array:
    """Sum a gradient over the dimensions that broadcasting added or stretched, and undo the promotion of its dtype."""
    assert like is not None  # a number needs no gradient
    shape, dtype = like
    if gradient.shape != shape:
        added = gradient.ndim - len(shape)
        stretched = tuple(added + i for i, n in enumerate(shape) if n == 1 and gradient.shape[added + i] != 1)
        gradient = np.asarray(gradient.sum(axis=(*range(added), *stretched))).reshape(shape)
    return gradient if gradient.dtype is dtype else gradient.astype(dtype, copy=False)


def same_dtype(name: str, *arrays: Any) -> None:
    """Raise TypeError unless all arrays have one dtype; None stands for an array that is not there."""
    dtypes = [x.dtype for x in arrays if x is not None]
    if any(dtype != dtypes[0] for dtype in dtypes):
        msg = f"{name} needs operands of one dtype, not {' and '.join(map(str, dtypes))}"
        raise TypeError(msg)
