"""A tensor as something else: an array, a number, a text, bytes, another library's tensor."""

from __future__ import annotations

import copy
from typing import Any, Generic, Self

import numpy as np
from numpy.lib.array_utils import normalize_axis_index
from numpy.typing import DTypeLike

from trainstation.errors import GraphError
from trainstation.ops import conversion
from trainstation.tensor.core import Array, Core, R


class Interchange(Core[R], Generic[R]):
    """The part of `Tensor` that gives it as something else, and makes it from that."""

    __slots__ = ()

    # As an array

    def numpy(self) -> Array:
        """Return the array itself: memory is shared, and no detach is needed."""
        return self.data

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.data, dtype=dtype, copy=copy)

    @classmethod
    def from_dlpack(cls, source: Any) -> Self:
        """Return a tensor that shares the memory of another library's array, if it is a CPU's.

        GradTrack does not see what that library writes.
        """
        made = cls.__new__(cls)
        made._adopt(np.from_dlpack(source))
        return made

    def __dlpack__(self, **options: Any) -> Any:
        """Lend the memory to another library.

        Raises:
            BufferError: the tensor requires a gradient, which that library would not know of; lend `t.detach()`.

        """
        if self._requires_grad:
            msg = "a tensor that requires a gradient is not lent to another library; use detach()"
            raise BufferError(msg)
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

    # As numbers

    def item(self) -> Any:
        """Return the only element as a Python number; ValueError if there are more."""
        return self.data.item()

    def tolist(self) -> Any:
        """Return the elements as nested lists of Python numbers, of a 0-d tensor the number."""
        return self.data.tolist()

    def __bool__(self) -> bool:
        if self.data.size != 1:
            msg = f"a tensor of shape {self.data.shape} is neither true nor false; only one of one element is"
            raise ValueError(msg)
        return bool(self.data.item())

    def __float__(self) -> float:
        return float(self.data.item())

    def __int__(self) -> int:
        return int(self.data.item())

    def __index__(self) -> int:
        if self.data.size != 1 or self.data.dtype.kind == "f":
            msg = f"only a tensor of one integer can be an index, not one of {self.data.dtype} {self.data.shape}"
            raise TypeError(msg)
        return int(self.data.item())

    # As a description

    def numel(self) -> int:
        """Return how many elements there are."""
        return self.data.size

    nelement = numel

    def dim(self) -> int:
        """Return how many dimensions there are."""
        return self.data.ndim

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the length of one dimension; IndexError if that is not there."""
        shape = self.data.shape
        return shape if dim is None else shape[normalize_axis_index(dim, len(shape))]

    def element_size(self) -> int:
        """Return how many bytes an element takes."""
        return self.data.itemsize

    def is_contiguous(self) -> bool:
        """Whether the elements stand in memory in the order of their indices."""
        return self.data.flags.c_contiguous

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="tensor(", threshold=1000)
        size = f", size={self.data.shape}" if self.data.size == 0 and self.data.shape != (0,) else ""
        dtype = "" if self.data.dtype in (np.float32, np.int64, np.bool_) else f", dtype={self.data.dtype}"
        leaf = ", requires_grad=True" if self._requires_grad else ""
        return f"tensor({text}{size}{dtype}{leaf if self._node is None else f', grad_fn=<{self._node.name}>'})"

    def __format__(self, spec: str) -> str:
        return format(self.data.item(), spec) if spec and self.data.ndim == 0 else object.__format__(self, spec)

    # As bytes, and once more. What is made is a leaf; no copy has hooks, and only a deep one has the gradient.

    def __getstate__(self) -> dict[str, Any]:
        return {"data": self.data, "requires_grad": self._requires_grad, "attributes": getattr(self, "__dict__", {})}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._adopt(state["data"])
        self.requires_grad_(state["requires_grad"])
        for name, value in state["attributes"].items():
            setattr(self, name, value)

    def __copy__(self) -> Self:
        """Return a leaf that shares the memory."""
        made: Any = type(self).__new__(type(self))
        made.__setstate__(self.__getstate__())
        made._version = self._version
        return made  # type: ignore[no-any-return]  # Tensor has the slots

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy a leaf and its gradient; GraphError for the result of an operation."""
        if self._node is not None:
            msg = "the result of a recorded operation cannot be deep-copied: it is part of a graph; use detach()"
            raise GraphError(msg)
        made: Any = type(self).__new__(type(self))
        memo[id(self)] = made
        made.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        made._grad = copy.deepcopy(self._grad, memo)
        return made  # type: ignore[no-any-return]  # likewise


class Conversion(Core[R], Generic[R]):
    """A tensor as a tensor: copies, in its own dtype and in others. Apart, for methods are named as types are."""

    __slots__ = ()

    def clone(self) -> R:
        """Return a copy, through which the gradient passes."""
        return self._apply(conversion.to, self)

    # Other dtypes: the tensor itself if it has the dtype already. From float to float the gradient comes back.

    def to(self, dtype: DTypeLike | R) -> R:
        """Convert to a dtype, or to that of another tensor.

        Raises:
            TypeError: a tensor cannot hold the dtype.

        """
        wanted = np.dtype(dtype.data.dtype if isinstance(dtype, Core) else dtype)
        if wanted.kind not in "fbiu":
            msg = f"a tensor holds floats, integers or bools, not {wanted}"
            raise TypeError(msg)
        if wanted == self.data.dtype:
            return self  # type: ignore[return-value]  # which is a Tensor
        if wanted.kind != "f":
            return self._wrap(self.data.astype(wanted))
        return self._apply(conversion.to, self, dtype=wanted)

    type_as = to

    def type(self, dtype: DTypeLike) -> R:
        """Convert to a dtype, as `to` does."""
        return self.to(dtype)

    def half(self) -> R:
        """Convert to float16."""
        return self.to(np.float16)

    def float(self) -> R:
        """Convert to float32."""
        return self.to(np.float32)

    def double(self) -> R:
        """Convert to float64."""
        return self.to(np.float64)

    def int(self) -> R:
        """Convert to int32."""
        return self.to(np.int32)

    def long(self) -> R:
        """Convert to int64."""
        return self.to(np.int64)

    def bool(self) -> R:
        """Convert to bools: whether it is not 0."""
        return self.to(np.bool_)
