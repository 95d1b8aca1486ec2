"""What layers with weights, windows and masks compute."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainstation import ops, random
from trainstation.tensor import Tensor, apply

__all__ = ["Numbers", "avg_pool2d", "conv1d", "conv2d", "dropout", "each", "embedding", "linear", "max_pool2d"]

Numbers = int | Sequence[int]  # one for all dimensions, or one each


def each(name: str, value: Numbers, dims: int) -> tuple[int, ...]:
    """Return one number a dimension."""
    numbers = (value,) * dims if isinstance(value, int) else tuple(value)
    if len(numbers) == 1:
        numbers *= dims
    if len(numbers) != dims:
        msg = f"{name} is one integer or {dims}, not {value!r}"
        raise ValueError(msg)
    return numbers


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias: input (..., in), weight (out, in), bias (out,)."""
    return apply(ops.linear.linear, input, weight, bias)


def _conv(
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Numbers,
    padding: Numbers | str,
    dilation: Numbers,
    groups: int,
) -> Tensor:
    return apply(
        ops.windows.conv,
        input,
        weight,
        bias,
        stride=each("stride", stride, dims),
        padding=padding if isinstance(padding, str) else each("padding", padding, dims),
        dilation=each("dilation", dilation, dims),
        groups=groups,
    )


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation: input (N, C, L) or (C, L), weight (out, C / groups, K), bias (out,).

    Padding is zeros; "same" (for stride 1) keeps L, with the odd one at the end, and "valid" is none.
    """
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation: input (N, C, H, W) or (C, H, W), weight (out, C / groups, K, L), bias (out,).

    Padding is zeros; "same" (for stride 1) keeps H and W, with the odd one at the end, and "valid" is none.
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def max_pool2d(
    input: Tensor,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Maximum of each window: input (N, C, H, W) or (C, H, W). The stride is the window's size unless given.

    Padding never wins. With `ceil_mode` windows may hang over the end.
    """
    return apply(
        ops.windows.max_pool,
        input,
        kernel_size=each("kernel_size", kernel_size, 2),
        stride=each("stride", kernel_size if stride is None else stride, 2),
        padding=each("padding", padding, 2),
        dilation=each("dilation", dilation, 2),
        ceil_mode=ceil_mode,
    )


def avg_pool2d(
    input: Tensor,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Mean of each window: input (N, C, H, W) or (C, H, W); zeros of the padding count unless told otherwise."""
    return apply(
        ops.windows.avg_pool,
        input,
        kernel_size=each("kernel_size", kernel_size, 2),
        stride=each("stride", kernel_size if stride is None else stride, 2),
        padding=each("padding", padding, 2),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of weight (V, D) by integers of any shape (...,): (..., D). The row `padding_idx` gets no gradient."""
    places = input if isinstance(input, Tensor) else Tensor(input)
    rows = apply(ops.indexing.embedding, weight, places)
    if padding_idx is None or not weight.requires_grad:
        return rows
    count = weight.shape[0]
    if not -count <= padding_idx < count:
        msg = f"padding_idx {padding_idx} is not a row of {count}"
        raise IndexError(msg)
    is_padding = places.data == padding_idx % count
    return rows.detach().where(is_padding[..., None], rows) if is_padding.any() else rows


def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each element with probability `p` and divide the others by 1 - p; nothing happens unless `training`."""
    if not 0 <= p <= 1:
        msg = f"a probability is in 0 .. 1, not {p}"
        raise ValueError(msg)
    if not training or p == 0:
        return input
    drawn = random.generator().random(input.shape, dtype=np.float32)
    kept = np.multiply(drawn >= p, 1 / (1 - p) if p < 1 else 0, dtype=input.dtype)
    return apply(ops.elementwise.mul, input, kept)
