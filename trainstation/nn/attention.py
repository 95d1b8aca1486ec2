"""Attention of several heads."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from trainstation import ops
from trainstation.errors import ShapeError
from trainstation.nn import functional, init
from trainstation.nn.functional.attention import attention_weights
from trainstation.nn.linear import Linear
from trainstation.nn.module import Module, Parameter
from trainstation.tensor import Tensor, apply

__all__ = ["MultiHeadAttention", "MultiheadAttention"]


class MultiHeadAttention(Module):
    """Attention of `num_heads` heads between linear maps (Vaswani et al., 2017).

    Parameters: `in_proj_weight` (3 E, E), those of query, key and value one below the other, which starts
    xavier-uniform; `in_proj_bias` (3 E,), 0; `out_proj`, a Linear(E, E) whose bias starts as 0. E is `embed_dim`.
    """

    in_proj_bias: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        batch_first: bool = False,
        dtype: DTypeLike | None = None,
    ) -> None:
        """Make the parameters.

        torch's `add_bias_kv`, `add_zero_attn`, `kdim` and `vdim` are not here; what stands behind is keyword-only.
        """
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            msg = f"embed_dim {embed_dim} must be a multiple of num_heads {num_heads}, both positive"
            raise ValueError(msg)
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.in_proj_weight = Parameter(np.empty((3 * embed_dim, embed_dim), dtype or np.float32))
        in_bias = Parameter(np.zeros(3 * embed_dim, dtype or np.float32)) if bias else None
        self.register_parameter("in_proj_bias", in_bias)
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype)
        init.xavier_uniform_(self.in_proj_weight)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Let every query look at the keys, and return what it sees of the values, and where it looked.

        Args:
            query: (L, N, E), or (N, L, E) with `batch_first`, or (L, E).
            key: (S, N, E), (N, S, E) or (S, E).
            value: as key.
            key_padding_mask: (N, S) or (S,); as `attn_mask`, for all queries of a sequence.
            need_weights: whether the weights are returned; unlike in torch they are not unless asked for.
            attn_mask: (L, S) or (N * num_heads, L, S): bool, True where a query may NOT look, or numbers to add.
            average_attn_weights: whether the weights are averaged over the heads.
            is_causal: whether query i sees keys 0 .. i only; unlike in torch it needs no mask.

        Returns:
            The output, of query's shape, and the weights (N, L, S), or (N, num_heads, L, S), or None.

        """
        self._check(query, key, value)
        is_self, is_batched = query is key is value, query.ndim > 2  # noqa: PLR2004  # N, L, E
        if not is_batched:
            query, key, value = (x.reshape(1, *x.shape) for x in (query, key, value))
        elif not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        if is_self:
            key = value = query
        mask = self._mask(query, key, attn_mask, key_padding_mask, is_causal=is_causal)
        dropout = self.dropout if self.training else 0.0
        weights = None
        if is_self and mask is None and not (need_weights or dropout):
            qkv = functional.linear(query, self.in_proj_weight, self.in_proj_bias)
            seen = apply(ops.attention.self_attention, qkv, num_heads=self.num_heads, is_causal=is_causal)
        else:
            if mask is not None:
                is_causal = False  # it is in the mask
            q, k, v = self._heads(query, key, value)
            if need_weights:
                weights = functional.dropout(attention_weights(q, k, mask, is_causal=is_causal), dropout)
                seen = weights @ v
            else:
                seen = functional.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal)
            seen = seen.transpose(1, 2).reshape(query.shape)
        output = self.out_proj(seen)
        if weights is not None and average_attn_weights:
            weights = weights.mean(dim=1)
        if not is_batched:
            return output.reshape(query.shape[1:]), None if weights is None else weights.reshape(weights.shape[1:])
        return output if self.batch_first else output.transpose(0, 1), weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        batch = 0 if self.batch_first else 1
        fits = (
            query.ndim in {2, 3}
            and query.ndim == key.ndim
            and key.shape == value.shape
            and query.shape[-1] == key.shape[-1] == self.embed_dim
            and (query.ndim == 2 or query.shape[batch] == key.shape[batch])  # noqa: PLR2004  # L, E
        )
        if not fits:
            order = "(N, L, E)" if self.batch_first else "(L, N, E)"
            msg = f"attention needs {order} or (L, E), E = {self.embed_dim}: {query.shape}, {key.shape}, {value.shape}"
            raise ShapeError(msg)

    def _heads(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Return query, key and value as (N, num_heads, L, E / num_heads)."""
        e, weight, bias = self.embed_dim, self.in_proj_weight, self.in_proj_bias
        heads = []
        for x, part in ((query, slice(e)), (key, slice(e, 2 * e)), (value, slice(2 * e, None))):
            y = functional.linear(x, weight[part], None if bias is None else bias[part])
            heads.append(y.reshape(*y.shape[:2], self.num_heads, e // self.num_heads).transpose(1, 2))
        return heads

    def _mask(
        self, query: Tensor, key: Tensor, attn_mask: Tensor | None, padding: Tensor | None, *, is_causal: bool
    ) -> Tensor | None:
        """Return one mask of numbers to add, of a shape that broadcasts to (N, num_heads, L, S), or None."""
        if attn_mask is None and padding is None:
            return None
        (n, length), count = query.shape[:2], key.shape[1]
        total: Tensor | None = None
        if attn_mask is not None:
            if attn_mask.shape not in {(length, count), (n * self.num_heads, length, count)}:
                msg = f"attn_mask has shape ([{n * self.num_heads}], {length}, {count}), not {attn_mask.shape}"
                raise ShapeError(msg)
            total = _added(attn_mask, query)
            if total.ndim > 2:  # noqa: PLR2004  # L, S
                total = total.reshape(n, self.num_heads, length, count)
        if padding is not None:
            if padding.shape not in ({(n, count), (count,)} if n == 1 else {(n, count)}):
                msg = f"key_padding_mask has shape ({n}, {count}), not {padding.shape}"
                raise ShapeError(msg)
            keys = _added(padding, query).reshape(n, 1, 1, count)
            total = keys if total is None else total + keys
        if is_causal and attn_mask is None:
            above = Tensor.from_numpy(~np.tri(length, count, dtype=np.bool_))
            total = _added(above, query) if total is None else total + _added(above, query)
        return total


def _added(mask: Tensor, like: Tensor) -> Tensor:
    """Return the numbers to add for a mask that may be bool, True where no position may look."""
    if mask.dtype != np.bool_:
        return mask
    return Tensor.from_numpy(np.where(mask.data, -math.inf, 0.0).astype(like.dtype))


MultiheadAttention = MultiHeadAttention  # torch's spelling
