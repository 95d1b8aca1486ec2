"""Normalisation over the last dimensions, in one pass."""

from __future__ import annotations

import math

from trainstation import kernels
from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import Array, Needs, floating, operation, same_dtype


def _shape(name: str, x: Array, dims: int, *parameters: Array | None) -> tuple[int, ...]:
    """Return the shape of the last `dims` dimensions, which make a row, and which parameters have."""
    same_dtype(name, floating(name, x), *parameters)
    shape = x.shape[x.ndim - dims :]
    if not 0 < dims <= x.ndim or any(p is not None and p.shape != shape for p in parameters):
        there = ", ".join(str(p.shape) for p in parameters if p is not None)
        msg = f"{name} over {dims} dims of an input {x.shape}: weight and bias have another shape: {there}"
        raise ShapeError(msg)
    return shape


@operation((0, 1), (0,), ())
def layer_norm(
    needs: Needs, x: Array, weight: Array | None, bias: Array | None, *, dims: int, eps: float
) -> tuple[Array, VJP]:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last `dims` dimensions (Ba, Kiros & Hinton, 2016)."""
    shape = _shape("layer_norm", x, dims, weight, bias)
    return _normalized(needs, x, weight, bias, shape, is_centred=True, eps=eps)


@operation((0, 1), (0,))
def rms_norm(needs: Needs, x: Array, weight: Array | None, *, dims: int, eps: float) -> tuple[Array, VJP]:
    """x / sqrt(mean(x^2) + eps) * weight over the last `dims` dimensions (Zhang & Sennrich, 2019)."""
    shape = _shape("rms_norm", x, dims, weight)
    return _normalized(needs, x, weight, None, shape, is_centred=False, eps=eps)


def _normalized(
    needs: Needs,
    x: Array,
    weight: Array | None,
    bias: Array | None,
    shape: tuple[int, ...],
    *,
    is_centred: bool,
    eps: float,
) -> tuple[Array, VJP]:
    rows, columns = math.prod(x.shape[: x.ndim - len(shape)]), math.prod(shape)
    value, statistics = kernels.normalize(x, weight, bias, rows, columns, is_centred=is_centred, epsilon=eps)
    of_x, of_weight = needs[0], needs[1]
    of_bias = len(needs) > 2 and needs[2]  # noqa: PLR2004  # x, weight, bias
    kept = x if of_x or of_weight else None
    factor = weight if of_x else None

    def vjp(g: Array, out: Out) -> Gradients:
        if kept is None:
            return None, None, g.reshape(rows, columns).sum(axis=0).reshape(shape)
        by_x, sums = kernels.normalize_grad(
            kept, g, factor, statistics, columns, is_centred=is_centred, of_x=of_x, of_weight=of_weight or of_bias
        )
        by_weight = sums[0].reshape(shape) if of_weight and sums is not None else None
        by_bias = sums[1].reshape(shape) if of_bias and sums is not None else None
        return (by_x, by_weight, by_bias)[: len(needs)]

    return value, vjp
