"""Scaled dot-product attention."""

from __future__ import annotations

import math

import numpy as np

from trainstation import ops
from trainstation.nn.functional.activations import softmax
from trainstation.nn.functional.layers import dropout
from trainstation.tensor import Tensor, apply

__all__ = ["attention_weights", "scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """softmax(scale * query @ key.T + mask) @ value (Vaswani et al., 2017).

    Args:
        query: (..., L, D).
        key: (..., S, D).
        value: (..., S, E).
        attn_mask: of a shape that broadcasts to (..., L, S): bool, True where a query may look, or numbers to add.
        dropout_p: probability with which weights are zeroed; in evaluation pass 0.
        is_causal: whether query i sees keys 0 .. i only; not together with a mask.
        scale: 1 / sqrt(D) unless given.

    """
    if not dropout_p:
        return apply(ops.attention.attention, query, key, value, attn_mask, is_causal=is_causal, scale=scale)
    weights = attention_weights(query, key, attn_mask, is_causal=is_causal, scale=scale)
    return dropout(weights, dropout_p) @ value


def attention_weights(
    query: Tensor, key: Tensor, mask: Tensor | None, *, is_causal: bool = False, scale: float | None = None
) -> Tensor:
    """softmax(scale * query @ key.T + mask), the arguments as in `scaled_dot_product_attention`."""
    if is_causal and mask is not None:
        msg = "attention takes a mask or is_causal, not both"
        raise ValueError(msg)
    if is_causal:
        mask = Tensor.from_numpy(np.tri(query.shape[-2], key.shape[-2], dtype=np.bool_))
    scores = (query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)) @ key.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == np.bool_ else scores + mask
    return softmax(scores, -1)
