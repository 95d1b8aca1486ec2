"""Convolution and pooling: windows that slide over the last dimensions."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from trainstation import kernels
from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.kernels import Axis, Windows
from trainstation.ops.operation import Array, Needs, operation, room, same_dtype

Shape = tuple[int, ...]
Numbers = int | tuple[int, ...]  # one for all dimensions, or one for each

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
_PLANE = 2  # dimensions of what is pooled
# Of small matrices OpenBLAS multiplies many, sample by sample, faster than it does large ones with a short side.
_SMALL_WEIGHT, _MANY_WINDOWS = 1024, 64
_MOST = np.iinfo(np.int32).max  # places in a plane: the kernel keeps them so


def _check_dtype(name: str, *arrays: Array | None) -> None:
    same_dtype(name, *arrays)
    if (dtype := arrays[0].dtype) not in _DTYPES:  # type: ignore[union-attr]  # the first one is there
        msg = f"{name} needs a tensor of float32 or float64, not {dtype}"
        raise TypeError(msg)


def _each(name: str, value: Numbers, dims: int, least: int) -> Shape:
    """Return one number for each dimension."""
    numbers = (value,) * dims if isinstance(value, int) else tuple(value)
    numbers = numbers * dims if len(numbers) == 1 else numbers
    if len(numbers) != dims or not all(isinstance(number, int) for number in numbers):
        msg = f"{name} is an integer or {dims} of them, not {value!r}"
        raise ValueError(msg)
    if min(numbers) < least:
        msg = f"{name} must be at least {least}, not {value!r}"
        raise ValueError(msg)
    return numbers


class _Convolution(NamedTuple):
    """What a convolution of certain shapes comes to, as products of matrices; `together`: samples in one product."""

    windows: Windows
    batch: int
    channels: int  # out
    together: int
    weight: Shape  # (groups, channels out, channels in * kernel)
    columns: Shape  # (batch / together, groups, channels in * kernel, together * windows)
    rows: Shape  # (batch / together, groups, channels out, together * windows)
    value: Shape


@lru_cache(maxsize=1024)
def _convolution(
    shape: Shape, weight: Shape, stride: Numbers, padding: Numbers | str, dilation: Numbers, groups: int
) -> _Convolution:
    dims = len(weight) - 2
    if dims not in (1, 2) or len(shape) not in (dims + 1, dims + 2):
        needed = "input (N, C, L) and weight (O, C/groups, K), or (N, C, H, W) and (O, C/groups, KH, KW)"
        msg = f"conv needs {needed}, not {shape} and {weight}"
        raise ShapeError(msg)
    batch, channels, size = prod(shape[: -dims - 1]), shape[-dims - 1], shape[-dims:]
    kernel, out_channels = weight[2:], weight[0]
    (groups,) = _each("groups", groups, 1, 1)
    strides, dilations = _each("stride", stride, dims, 1), _each("dilation", dilation, dims, 1)
    spans = [step * (k - 1) + 1 for k, step in zip(kernel, dilations, strict=True)]
    before, beyond = _paddings(padding, strides, spans)
    if weight[1] * groups != channels:
        msg = f"conv: weight {weight} in {groups} groups needs {weight[1] * groups} channels, not input {shape}"
        raise ShapeError(msg)
    if out_channels < 1 or out_channels % groups:
        msg = f"conv: {groups} groups do not divide the {out_channels} channels that weight {weight} gives"
        raise ShapeError(msg)
    if (
        min(size) < 1
        or min(kernel) < 1
        or any(n + more < span for n, more, span in zip(size, beyond, spans, strict=True))
    ):
        msg = f"conv: a kernel {kernel} that spans {tuple(spans)} does not fit into input {shape} padded by {padding}"
        raise ShapeError(msg)
    out = tuple((n + more - span) // step + 1 for n, more, span, step in zip(size, beyond, spans, strides, strict=True))
    axes = [Axis(*numbers) for numbers in zip(size, out, kernel, strides, before, dilations, strict=True)]
    high, across, wide = out_channels // groups, prod(weight[1:]), prod(out)
    together = 1 if high * across <= _SMALL_WEIGHT and wide >= _MANY_WINDOWS else max(batch, 1)
    return _Convolution(
        Windows(shape, batch, channels, axes, together),
        batch,
        out_channels,
        together,
        (groups, high, across),
        (batch // together, groups, across, together * wide),
        (batch // together, groups, high, together * wide),
        (*shape[: -dims - 1], out_channels, *out),
    )


def _paddings(padding: Numbers | str, strides: Shape, spans: list[int]) -> tuple[Shape, Shape]:
    """Return the padding before the first element, and that on both sides together."""
    if padding == "same":
        if max(strides) > 1:
            msg = f"padding='same' is for stride 1, not {strides}"
            raise ValueError(msg)
        return tuple((span - 1) // 2 for span in spans), tuple(span - 1 for span in spans)
    if padding == "valid":
        padding = 0
    if isinstance(padding, str):
        msg = f"padding is an integer, some of them, 'valid' or 'same', not {padding!r}"
        raise ValueError(msg)  # noqa: TRY004  # a wrong word, not a wrong kind
    before = _each("padding", padding, len(strides), 0)
    return before, tuple(2 * n for n in before)


@operation((1,), (), ())
def conv(
    needs: Needs,
    x: Array,
    weight: Array,
    bias: Array | None,
    *,
    stride: Numbers,
    padding: Numbers | str,
    dilation: Numbers,
    groups: int,
) -> tuple[Array, VJP]:
    """Cross-correlation, as one product of matrices.

    x (N, C, L), weight (O, C/groups, K), or x (N, C, H, W), weight (O, C/groups, KH, KW); x may come without N; bias
    (O,) or None. What the windows see is kept for the gradient of the weight, x is not.
    """
    _check_dtype("conv", x, weight, bias)
    form, dtype = weight.shape, x.dtype
    plan = _convolution(x.shape, form, stride, padding, dilation, groups)
    if bias is not None and bias.shape != form[:1]:
        msg = f"conv: weight {form} needs a bias of shape {form[:1]}, not {bias.shape}"
        raise ShapeError(msg)
    columns = plan.windows.unfold(x, plan.columns)
    matrix = weight.reshape(plan.weight)
    value = kernels.spread(np.matmul(matrix, columns), bias, plan.value, plan.batch, plan.channels, plan.together)
    read_matrix, read_columns = matrix if needs[0] else None, columns if needs[1] else None

    def vjp(g: Array, out: Out) -> Gradients:
        by_x = by_weight = None
        by_bias = room(out[2], form[:1], dtype) if needs[2] else None
        g = np.asarray(g, dtype)  # a hook may have made it wider
        rows = kernels.gather(g, plan.rows, plan.batch, plan.channels, plan.together, by_bias)
        if read_columns is not None:
            by_weight = room(out[1], form, dtype)
            products = np.matmul(read_columns, rows.swapaxes(-1, -2))  # in this order: the long side first is faster
            np.add.reduce(products, 0, out=by_weight.reshape(plan.weight).swapaxes(1, 2))
        if read_matrix is not None:
            by_x = plan.windows.fold(np.matmul(read_matrix.swapaxes(1, 2), rows))
        return by_x, by_weight, by_bias

    return value, vjp


@lru_cache(maxsize=1024)
def _pool(
    name: str,
    shape: Shape,
    kernel_size: Numbers,
    stride: Numbers | None,
    padding: Numbers,
    dilation: Numbers,
    ceil_mode: bool,
) -> Windows:
    if len(shape) not in (_PLANE + 1, _PLANE + 2) or 0 in shape[-_PLANE - 1 :]:
        msg = f"{name} needs an input (N, C, H, W) or (C, H, W) that is not empty but for N, not {shape}"
        raise ShapeError(msg)
    size = shape[-_PLANE:]
    kernel = _each("kernel_size", kernel_size, _PLANE, 1)
    strides = _each("stride", kernel if stride is None else stride, _PLANE, 1)
    paddings, dilations = _each("padding", padding, _PLANE, 0), _each("dilation", dilation, _PLANE, 1)
    axes = []
    for numbers in zip(size, kernel, strides, paddings, dilations, strict=True):
        n, k, step, pad, apart = numbers
        span = apart * (k - 1) + 1
        if pad > k // 2:
            msg = f"{name}: a padding of {pad} is more than half of a kernel of {k}"
            raise ValueError(msg)
        out = (n + 2 * pad - span + (step - 1 if ceil_mode else 0)) // step + 1
        if ceil_mode and (out - 1) * step >= n + pad:  # the last window must begin inside
            out -= 1
        if out < 1:
            msg = f"{name}: a kernel of {k} that spans {span} does not fit into {n} of {shape} padded by {pad}"
            raise ShapeError(msg)
        axes.append(Axis(n, out, k, step, pad, apart))
    if prod(size) > _MOST:
        msg = f"{name}: planes of {size[0]} x {size[1]} elements are too large"
        raise ShapeError(msg)
    return Windows(shape, prod(shape[: -_PLANE - 1]), shape[-_PLANE - 1], axes)


@operation(())
def max_pool(
    needs: Needs,
    x: Array,
    *,
    kernel_size: Numbers,
    stride: Numbers | None,
    padding: Numbers,
    dilation: Numbers,
    ceil_mode: bool,
) -> tuple[Array, VJP]:
    """The largest element of each window: x (N, C, H, W) or (C, H, W); a NaN is larger than any number.

    The gradient goes to the first of several equal ones.
    """
    _check_dtype("max_pool", x)
    windows = _pool("max_pool", x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    value, at = windows.max_pool(x)
    return value, lambda g, out: (windows.max_pool_grad(g, at),)


@operation(())
def avg_pool(
    needs: Needs,
    x: Array,
    *,
    kernel_size: Numbers,
    stride: Numbers | None,
    padding: Numbers,
    ceil_mode: bool,
    count_include_pad: bool,
) -> tuple[Array, VJP]:
    """The mean of each window: x (N, C, H, W) or (C, H, W); zeros of the padding count with `count_include_pad`."""
    _check_dtype("avg_pool", x)
    windows = _pool("avg_pool", x.shape, kernel_size, stride, padding, 1, ceil_mode)
    value = windows.avg_pool(x, counts_padding=count_include_pad)
    return value, lambda g, out: (windows.avg_pool_grad(g, counts_padding=count_include_pad),)
