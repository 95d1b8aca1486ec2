"""Attention in one node (Vaswani et al., 2017)."""

from __future__ import annotations

import math

import numpy as np

from trainstation import kernels
from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import Array, Needs, floating, form, operation, same_dtype, unbroadcast


def _weights(q: Array, k: Array, mask: Array | None, *, is_causal: bool, scale: float) -> Array:
    """softmax(scale * q @ k.T + mask)."""
    scores = np.matmul(q, k.swapaxes(-1, -2))
    if mask is not None:
        scores *= scores.dtype.type(scale)
        scores = np.where(mask, scores, -np.inf) if mask.dtype == np.bool_ else scores + mask
        return kernels.softmax(scores)
    return kernels.softmax(scores, period=q.shape[-2] if is_causal else 0, scale=scale)


@operation((1, 2), (0, 2), (), (2,))
def attention(
    needs: Needs,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[Array, VJP]:
    """softmax(scale * q @ k.T + mask) @ v for q (..., L, D), k (..., S, D), v (..., S, E).

    The mask is a number to add, or a bool that is False where no position may look; a causal one lets position i look
    at 0 .. i. The scale is 1 / sqrt(D) unless given.
    """
    same_dtype("attention", floating("attention", q), k, v)
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:  # noqa: PLR2004
        msg = f"attention needs q (..., L, D), k (..., S, D), v (..., S, E), not {q.shape}, {k.shape}, {v.shape}"
        raise ShapeError(msg)
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    if is_causal and mask is not None:
        msg = "attention takes a mask or is_causal, not both"
        raise ValueError(msg)
    if is_causal and q.shape[-2] != k.shape[-2]:
        mask = np.tril(np.ones((q.shape[-2], k.shape[-2]), np.bool_))
    weights = _weights(q, k, mask, is_causal=is_causal and q.shape[-2] == k.shape[-2], scale=factor)
    value = np.matmul(weights, v)
    forms = form(q), form(k), form(v), form(mask)
    adds = mask is not None and mask.dtype != np.bool_

    def vjp(g: Array, out: Out) -> Gradients:
        g = np.asarray(g)
        by_v = unbroadcast(np.matmul(weights.swapaxes(-1, -2), g), forms[2]) if needs[2] else None
        if not (needs[0] or needs[1] or (adds and needs[3])):
            return None, None, by_v, None
        by_weights = np.matmul(g, v.swapaxes(-1, -2))
        by_scores = kernels.softmax_grad(weights, np.broadcast_to(by_weights, weights.shape))
        by_mask = unbroadcast(by_scores, forms[3]) if needs[3] else None
        by_scores = by_scores * by_scores.dtype.type(factor)  # not in place: by_mask may be the same array
        by_q = unbroadcast(np.matmul(by_scores, k), forms[0]) if needs[0] else None
        by_k = unbroadcast(np.matmul(by_scores.swapaxes(-1, -2), q), forms[1]) if needs[1] else None
        return by_q, by_k, by_v, by_mask

    return value, vjp


@operation(())
def self_attention(needs: Needs, qkv: Array, *, num_heads: int, is_causal: bool = False) -> tuple[Array, VJP]:
    """Attention of `num_heads` heads among N sequences: qkv (N, L, 3 E), the three side by side; value (N, L, E)."""
    if qkv.ndim != 3 or qkv.shape[-1] % (3 * num_heads):  # noqa: PLR2004  # N, L, 3 E
        msg = f"self_attention with {num_heads} heads needs (N, L, 3 * {num_heads} * D), not {qkv.shape}"
        raise ShapeError(msg)
    n, length, width = floating("self_attention", qkv).shape
    size = width // (3 * num_heads)
    factor = 1 / math.sqrt(size) if size else 1.0
    # (3, N, heads, L, D), in that order in memory: matrix products want it.
    q, k, v = parts = np.array(qkv.reshape(n, length, 3, num_heads, size).transpose(2, 0, 3, 1, 4), order="C")
    weights = kernels.softmax(np.matmul(q, k.swapaxes(-1, -2)), period=length if is_causal else 0, scale=factor)
    value = np.matmul(weights, v).transpose(0, 2, 1, 3).reshape(n, length, width // 3)

    def vjp(g: Array, out: Out) -> Gradients:
        g = np.ascontiguousarray(np.asarray(g).reshape(n, length, num_heads, size).transpose(0, 2, 1, 3))
        by_parts = np.empty_like(parts)
        by_scores = kernels.softmax_grad(weights, np.matmul(g, v.swapaxes(-1, -2)), scale=factor)
        np.matmul(by_scores, k, out=by_parts[0])
        np.matmul(by_scores.swapaxes(-1, -2), q, out=by_parts[1])
        np.matmul(weights.swapaxes(-1, -2), g, out=by_parts[2])
        return (by_parts.transpose(1, 3, 0, 2, 4).reshape(n, length, width),)

    return value, vjp
