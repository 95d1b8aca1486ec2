"""A tensor as something else: an array, a number, rows, a text, bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

if TYPE_CHECKING:
    from trainstation.tensor import Tensor

Array = NDArray[Any]


class Interchange:
    """What `Tensor` inherits; it supplies the array."""

    __slots__ = ()

    data: Array
    _requires_grad: bool

    def __getitem__(self, index: Any) -> Tensor:
        raise NotImplementedError

    def numpy(self) -> Array:
        """Return the array itself: memory is shared, and no detach is needed."""
        return self.data

    def item(self) -> Any:
        """Return the only element as a Python number; ValueError if there are more."""
        return self.data.item()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.data, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        if self.data.ndim == 0:
            msg = "a 0-d tensor has no rows to iterate over"
            raise TypeError(msg)
        return (self[row] for row in range(len(self.data)))

    def __bool__(self) -> bool:
        if self.data.size != 1:
            msg = f"a tensor of shape {self.data.shape} is neither true nor false; only one of one element is"
            raise ValueError(msg)
        return bool(self.data.item())

    def __float__(self) -> float:
        return float(self.data.item())

    def __int__(self) -> int:
        return int(self.data.item())

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="tensor(", threshold=1000)
        dtype = "" if self.data.dtype in (np.float32, np.int64, np.bool_) else f", dtype={self.data.dtype}"
        return f"tensor({text}{dtype}{', requires_grad=True' if self._requires_grad else ''})"

    def __format__(self, spec: str) -> str:
        return format(self.data.item(), spec) if spec and self.data.ndim == 0 else object.__format__(self, spec)
