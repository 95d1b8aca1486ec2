"""Normalisation of each channel over the batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import Array, Needs, floating, operation, same_dtype

Statistics = tuple[Array, Array]


def _channels(x: Array, weight: Array | None, bias: Array | None, *statistics: Array) -> tuple[int, ...]:
    """Return the shape of what there is one of for each channel."""
    same_dtype("batch_norm", floating("batch_norm", x), weight, bias)
    channels = x.shape[1:2]
    for part in (weight, bias, *statistics):
        if part is not None and part.shape != channels:
            msg = f"batch_norm needs one value a channel, {channels} of an input {x.shape}, not {part.shape}"
            raise ShapeError(msg)
    return channels


@operation((0, 1), (0,), ())
def batch_norm(
    needs: Needs,
    x: Array,
    weight: Array | None,
    bias: Array | None,
    *,
    eps: float,
    statistics: Statistics | None = None,
    see: Callable[[Array, Array], None] | None = None,
) -> tuple[Array, VJP]:
    """(x - mean) / sqrt(variance + eps) * weight + bias for each channel: x (N, C, ...), weight and bias (C,) or None.

    `statistics` are mean and variance, two constants (C,). Without them they are the batch's own, the variance with
    correction 0; the gradient flows through them, and `see` is called with them.
    """
    channels = _channels(x, weight, bias, *(statistics or ()))
    dims = (0, *range(2, x.ndim))
    along = (*channels, *(1,) * (x.ndim - 2))  # a channel's value beside its elements
    count = x.dtype.type(max(x.size // max(channels[0], 1), 1))
    if statistics is None:
        mean = np.add.reduce(x, dims) / count
        value = x - mean.reshape(along)
        variance = np.add.reduce(value * value, dims) / count
        if see is not None:
            see(mean, variance)
    else:
        mean, variance = (part.astype(x.dtype) for part in statistics)  # copies: running ones change in place
        value = x - mean.reshape(along)
    inverse = 1 / np.sqrt(variance + x.dtype.type(eps))
    value *= (inverse if weight is None else inverse * weight).reshape(along)
    if bias is not None:
        value += bias.reshape(along)
    is_constant = statistics is not None
    keeps_x = x if needs[1] or (needs[0] and not is_constant) else None
    keeps_weight = weight if needs[0] else None

    def vjp(g: Array, out: Out) -> Gradients:
        by_x = by_weight = by_bias = None
        if needs[2] or (needs[0] and not is_constant):
            by_bias = np.add.reduce(g, dims)
        if keeps_x is not None:
            centred = keeps_x - mean.reshape(along)
            by_weight = np.add.reduce(g * centred, dims) * inverse
        if needs[0]:
            scale = inverse if keeps_weight is None else inverse * keeps_weight
            if is_constant:
                by_x = g * scale.reshape(along)
            else:  # scale * (g - average of g - x^ * average of g x^), where x^ = centred * inverse
                assert by_weight is not None
                assert by_bias is not None
                by_x = centred
                by_x *= (-by_weight * inverse / count).reshape(along)
                by_x += g
                by_x -= (by_bias / count).reshape(along)
                by_x *= scale.reshape(along)
        return by_x, by_weight if needs[1] else None, by_bias if needs[2] else None

    return value, vjp
