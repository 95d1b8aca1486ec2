"""What an operation is, the table of all of them, and what several families share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation.gradtrack import VJP, Gradients, Out

Array = NDArray[Any]
Forward = Callable[..., tuple[Any, VJP]]
Form = tuple[tuple[int, ...], np.dtype[Any]] | None  # shape and dtype; None for a number

Needs = Sequence[bool]  # for each input: whether a gradient may be asked for

Reads = tuple[tuple[int, ...], ...]

OUTPUT = -1
OTHERS = -2  # alone in the only entry of `reads`: each input's gradient reads all others


class Operation(NamedTuple):
    """One differentiable operation; see `trainstation.ops`."""

    name: str
    forward: Forward
    reads: Reads
    view: bool

    def reads_of(self, count: int) -> Reads:
        """Return for each of `count` inputs which of them, or `OUTPUT`, the gradient with respect to it reads."""
        if self.reads == ((OTHERS,),):
            return tuple(tuple(i for i in range(count) if i != position) for position in range(count))
        return self.reads + self.reads[-1:] * (count - len(self.reads))


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


FLOATS = (np.dtype(np.float32), np.dtype(np.float64))  # what there are kernels for


def floating(name: str, x: Array) -> Array:
    """Return an array of float32 or float64 as it is; TypeError for others."""
    if x.dtype not in FLOATS:
        msg = f"{name} needs a tensor of float32 or float64, not {x.dtype}"
        raise TypeError(msg)
    return x


def of_floats(*, takes_integers: bool) -> Callable[[Forward], Forward]:
    """Let a function of one array of floats take float16, through float32 and back, and integers, as float32."""

    def decorate(forward: Forward) -> Forward:
        @functools.wraps(forward)
        def of_any(needs: Needs, x: Array, *others: Any, **options: Any) -> tuple[Array, VJP]:
            dtype = x.dtype
            if dtype in FLOATS or (dtype.kind != "f" and not takes_integers):
                return forward(needs, x, *others, **options)
            value, vjp = forward(needs, x.astype(np.float32), *others, **options)
            if dtype.kind != "f":
                return value, vjp

            def narrow(g: Array, out: Out) -> Gradients:
                by_x, *rest = vjp(g.astype(np.float32), (None,) * len(needs))
                return (None if by_x is None else by_x.astype(dtype), *rest)

            return value.astype(dtype), narrow

        return of_any

    return decorate
