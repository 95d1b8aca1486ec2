"""Functions of one element that networks put between their layers."""

from __future__ import annotations

import numpy as np

from trainstation.gradtrack import VJP
from trainstation.ops.operation import OUTPUT, Array, Needs, operation


@operation((OUTPUT,))
def relu(needs: Needs, x: Array) -> tuple[Array, VJP]:
    value = np.maximum(x, 0)
    return value, lambda g, out: (g * (value > 0),)


def _floating(x: Array) -> Array:
    return x if x.dtype.kind == "f" else x.astype(np.float32)


@operation((OUTPUT,))
def tanh(needs: Needs, x: Array) -> tuple[Array, VJP]:
    value = np.tanh(_floating(x))
    return value, lambda g, out: (g * (1 - value * value),)


@operation((OUTPUT,))
def sigmoid(needs: Needs, x: Array) -> tuple[Array, VJP]:
    x = _floating(x)
    decay = np.exp(-np.abs(x))  # never overflows
    value = np.where(x >= 0, 1, decay) / (1 + decay)
    return value, lambda g, out: (g * value * (1 - value),)
