"""Tensor: a NumPy array that remembers how it was computed. Thin methods over `trainstation.ops`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from trainstation.tensor.arithmetic import Arithmetic
from trainstation.tensor.core import Core
from trainstation.tensor.creation import Creation
from trainstation.tensor.elementary import Elementary
from trainstation.tensor.gradient import Gradient
from trainstation.tensor.indexing import Indexing
from trainstation.tensor.interchange import Conversion, Interchange
from trainstation.tensor.reductions import Reductions
from trainstation.tensor.shapes import Shapes

__all__ = ["Tensor", "apply", "tensor"]


class Tensor(
    Arithmetic["Tensor"],
    Creation["Tensor"],
    Elementary["Tensor"],
    Gradient["Tensor"],
    Indexing["Tensor"],
    Conversion["Tensor"],
    Interchange["Tensor"],
    Reductions["Tensor"],
    Shapes["Tensor"],
):
    """An n-dimensional array with a gradient.

    Attributes:
        data: the NumPy array itself. It may be replaced, and written to; GradTrack does not see such writes.

    """

    __slots__ = ()
    __array_ufunc__ = None  # array + tensor is a tensor

    def __init__(self, data: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> None:
        """Copy `data` (nested sequences, numbers, an array or a tensor); see `tensor`."""
        if isinstance(data, Tensor):
            data = data.data
        array = np.array(data, dtype=dtype)
        if dtype is None and array.dtype == np.float64 and not hasattr(data, "__array__"):
            array = array.astype(np.float32)
        self._adopt(array)
        self.requires_grad_(requires_grad)

    __hash__ = object.__hash__


Core._result = Tensor
apply = Tensor._apply


def tensor(data: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Copy `data` into a tensor.

    Python floats become float32, ints int64, bools bool; arrays and tensors keep their dtype.

    Raises:
        TypeError: the data are not numbers, or a gradient is asked for what is not floating-point.

    >>> tensor([[1.0, 2.0], [3.0, 4.0]]).sum(dim=0)
    tensor([4., 6.])

    """
    return Tensor(data, dtype, requires_grad)
