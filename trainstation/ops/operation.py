"""What an operation is, the table of all of them, and what several families share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation.gradtrack import VJP

Array = NDArray[Any]
Forward = Callable[..., tuple[Any, VJP]]
Form = tuple[tuple[int, ...], np.dtype[Any]] | None  # shape and dtype; None for a number

Needs = Sequence[bool]  # for each input: whether a gradient may be asked for

OUTPUT = -1
OTHERS = -2


class Operation(NamedTuple):
    """One differentiable operation; see `trainstation.ops`."""

    name: str
    forward: Forward
    reads: tuple[tuple[int, ...], ...]
    view: bool

    def reads_of(self, position: int, count: int) -> Sequence[int]:
        """Return which of `count` inputs, or `OUTPUT`, the gradient with respect to one of them reads."""
        read = self.reads[position if position < len(self.reads) else -1]
        return [i for i in range(count) if i != position] if read == (OTHERS,) else read


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


def room(out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return the place that a gradient may be written to, a new one if none of its form is offered."""
    if out is not None and out.shape == shape and out.dtype == dtype:
        return out
    return np.empty(shape, dtype)


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
