"""Operations of neural networks that are one node because their parts would be slower or less exact."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients
from trainstation.ops.operation import OUTPUT, Array, operation


@operation((OUTPUT,))
def log_softmax(x: Array, *, dim: int) -> tuple[Array, VJP]:
    shifted = x - x.max(axis=dim, keepdims=True, initial=-np.inf)
    value = shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))

    def vjp(g: Array, needs: Sequence[bool]) -> Gradients:
        return (g - np.exp(value) * g.sum(axis=dim, keepdims=True),)

    return value, vjp


@operation((), ())
def cross_entropy(logits: Array, targets: Array) -> tuple[Array, VJP]:
    """The mean of -log_softmax(logits)[target]: logits (N, C), targets (N,) of class indices; or (C,) and ()."""
    if targets.dtype.kind not in "iu":
        msg = f"cross_entropy needs class indices as integers, not {targets.dtype}"
        raise TypeError(msg)
    if logits.ndim not in (1, 2) or targets.shape != logits.shape[:-1]:
        msg = f"cross_entropy needs logits (N, C) and targets (N,), not {logits.shape} and {targets.shape}"
        raise ShapeError(msg)
    rows = logits.reshape(-1, logits.shape[-1])
    classes = targets.reshape(-1).astype(np.intp, copy=False)
    count, width = rows.shape
    if count and classes.view(np.uintp).max() >= width:  # a negative index is a huge unsigned one
        msg = f"cross_entropy: a target is not in 0 .. {width - 1}"
        raise IndexError(msg)
    shifted = rows - rows.max(axis=1, keepdims=True, initial=-np.inf)
    each = np.arange(count)
    picked = shifted[each, classes]
    softmax = np.exp(shifted, out=shifted)
    total = softmax.sum(axis=1, keepdims=True)
    value = (np.log(total[:, 0]) - picked).sum() / logits.dtype.type(count)

    def vjp(g: Array, needs: Sequence[bool]) -> Gradients:
        by_logits = softmax / total
        by_logits[each, classes] -= 1
        by_logits *= g / logits.dtype.type(count)
        return by_logits.reshape(logits.shape), None

    return value, vjp
