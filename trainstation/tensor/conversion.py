"""Copies of a tensor, in its own dtype and in others, as its methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from trainstation.ops import conversion

if TYPE_CHECKING:
    from trainstation.tensor import Tensor


class Conversion:
    """What `Tensor` inherits; it supplies the array, and `_apply`, which runs an operation and records it."""

    __slots__ = ()

    data: NDArray[Any]
    _apply: Callable[..., Tensor]
    _wrap: Callable[[Any], Tensor]

    def clone(self) -> Tensor:
        """Return a copy, through which the gradient passes."""
        return self._apply(conversion.to, self)

    # Other dtypes: the tensor itself if it has the dtype already. From float to float the gradient comes back.

    def to(self, dtype: DTypeLike | Tensor) -> Tensor:
        """Convert to a dtype, or to that of another tensor.

        Raises:
            TypeError: a tensor cannot hold the dtype.

        """
        wanted = np.dtype(dtype.data.dtype if isinstance(dtype, Conversion) else dtype)
        if wanted.kind not in "fbiu":
            msg = f"a tensor holds floats, integers or bools, not {wanted}"
            raise TypeError(msg)
        if wanted == self.data.dtype:
            return self  # type: ignore[return-value]  # which is a Tensor
        if wanted.kind != "f":
            return self._wrap(self.data.astype(wanted))
        return self._apply(conversion.to, self, dtype=wanted)

    type_as = to

    def type(self, dtype: DTypeLike) -> Tensor:
        """Convert to a dtype, as `to` does."""
        return self.to(dtype)

    def half(self) -> Tensor:
        """Convert to float16."""
        return self.to(np.float16)

    def float(self) -> Tensor:
        """Convert to float32."""
        return self.to(np.float32)

    def double(self) -> Tensor:
        """Convert to float64."""
        return self.to(np.float64)

    def int(self) -> Tensor:
        """Convert to int32."""
        return self.to(np.int32)

    def long(self) -> Tensor:
        """Convert to int64."""
        return self.to(np.int64)

    def bool(self) -> Tensor:
        """Convert to bools: whether it is not 0."""
        return self.to(np.bool_)
