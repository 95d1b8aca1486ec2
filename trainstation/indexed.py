"""Taking elements out of a tensor and writing them, as its methods: one line each, over `trainstation.ops.indexing`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from trainstation import ops

if TYPE_CHECKING:
    from trainstation.tensor import Tensor


class Indexed:
    """What `Tensor` inherits; it supplies the array, and `_apply`, which runs an operation and records it."""

    __slots__ = ()

    data: NDArray[Any]
    _apply: Callable[..., Tensor]

    def __getitem__(self, index: Any) -> Tensor:
        parts = index if isinstance(index, tuple) else (index,)
        plain = tuple(part.data if isinstance(part, Indexed) else part for part in parts)
        return self._apply(ops.indexing.getitem, self, index=plain if isinstance(index, tuple) else plain[0])
