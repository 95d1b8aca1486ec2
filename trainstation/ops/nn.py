"""Operations of neural networks that are one node because their parts would be slower or less exact."""

from __future__ import annotations

import numpy as np

from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import OUTPUT, Array, Needs, operation


@operation((OUTPUT,))
def log_softmax(needs: Needs, x: Array, *, dim: int) -> tuple[Array, VJP]:
    if x.dtype.kind != "f":
        msg = f"log_softmax needs a floating-point tensor, not {x.dtype}"
        raise TypeError(msg)
    shifted = x - x.max(axis=dim, keepdims=True, initial=-np.inf)
    total = np.exp(shifted).sum(axis=dim, keepdims=True)
    value = shifted - np.log(total) if x.size else shifted

    def vjp(g: Array, out: Out) -> Gradients:
        return (g - np.exp(value) * g.sum(axis=dim, keepdims=True),)

    return value, vjp


@operation((1,), ())
def cross_entropy(needs: Needs, logits: Array, targets: Array) -> tuple[Array, VJP]:
    """The mean of -log_softmax(logits)[target]: logits (N, C), targets (N,) of class indices; or (C,) and ()."""
    if logits.dtype.kind != "f":
        msg = f"cross_entropy needs floating-point logits, not {logits.dtype}"
        raise TypeError(msg)
    if targets.dtype.kind not in "iu":
        msg = f"cross_entropy needs class indices as integers, not {targets.dtype}"
        raise TypeError(msg)
    if logits.ndim not in (1, 2) or targets.shape != logits.shape[:-1]:
        msg = f"cross_entropy needs logits (N, C) and targets (N,), not {logits.shape} and {targets.shape}"
        raise ShapeError(msg)
    shape, number = logits.shape, logits.dtype.type
    rows = logits if logits.ndim > 1 else logits[None]
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
    value = (np.log(total[:, 0]) - picked).sum() / number(count) if count else number(np.nan)

    def vjp(g: Array, out: Out) -> Gradients:
        by_logits = softmax / total
        by_logits[each, classes] -= 1
        by_logits *= g / number(max(count, 1))
        return by_logits.reshape(shape), None

    return value, vjp
