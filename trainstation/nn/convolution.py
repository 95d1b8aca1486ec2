"""Convolutions and pooling."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from trainstation.nn import functional, init
from trainstation.nn.functional.layers import Numbers, each
from trainstation.nn.module import Module, Parameter
from trainstation.tensor import Tensor

__all__ = ["AvgPool2d", "Conv1d", "Conv2d", "MaxPool2d"]


class _Conv(Module):
    """What convolutions of any number of dimensions share."""

    dims = 0
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers = 1,
        padding: Numbers | str = 0,
        dilation: Numbers = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        """Make the parameters; ValueError if the arguments do not belong together."""
        if groups < 1 or in_channels % groups or out_channels % groups:
            msg = f"in_channels {in_channels} and out_channels {out_channels} must be multiples of groups {groups}"
            raise ValueError(msg)
        if padding_mode != "zeros":
            msg = f"padding_mode is 'zeros', not {padding_mode!r}"
            raise ValueError(msg)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = each("kernel_size", kernel_size, self.dims)
        self.stride = each("stride", stride, self.dims)
        self.dilation = each("dilation", dilation, self.dims)
        self.padding = padding if isinstance(padding, str) else each("padding", padding, self.dims)
        may_be = {"valid"} if max(self.stride) > 1 else {"same", "valid"}
        if isinstance(padding, str) and padding not in may_be:
            msg = f"padding is numbers, 'valid', or 'same' with stride 1; not {padding!r} with stride {self.stride}"
            raise ValueError(msg)
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(np.empty(shape, dtype or np.float32))
        self.register_parameter("bias", Parameter(np.empty(out_channels, dtype or np.float32)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in = math.prod(self.weight.shape[1:])
        if self.bias is not None and fan_in:
            init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self) -> str:
        """Return the arguments; those that matter little only if they are not as usual."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * self.dims:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.dims:
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        return text + (", bias=False" if self.bias is None else "")


class Conv1d(_Conv):
    """Cross-correlation along one dimension: weight (out_channels, in_channels / groups, K), bias (out_channels,).

    Both start uniform in +-1/sqrt(fan_in), fan_in the elements of a filter. Padding is zeros; "same" (for stride 1)
    keeps the length, "valid" is none.
    """

    dims = 1

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, in_channels, L), or without N, to (N, out_channels, M)."""
        return functional.conv1d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Conv2d(_Conv):
    """Cross-correlation along two dimensions: weight (out_channels, in_channels / groups, K, L), bias (out_channels,).

    Both start uniform in +-1/sqrt(fan_in), fan_in the elements of a filter. Padding is zeros; "same" (for stride 1)
    keeps the lengths, "valid" is none.
    """

    dims = 2

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, in_channels, H, W), or without N, to (N, out_channels, I, J)."""
        return functional.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class MaxPool2d(Module):
    """The maximum of each window. The stride is the window's size unless given."""

    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Numbers = 0,
        dilation: Numbers = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        """Keep the arguments; torch's `return_indices` is not here, what follows it is keyword-only."""
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, C, H, W), or without N, to (N, C, I, J)."""
        return functional.max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(Module):
    """The mean of each window. The stride is the window's size unless given."""

    def __init__(
        self,
        kernel_size: Numbers,
        stride: Numbers | None = None,
        padding: Numbers = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        """Keep the arguments."""
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, C, H, W), or without N, to (N, C, I, J)."""
        return functional.avg_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
