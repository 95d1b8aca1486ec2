"""Taking elements out of a tensor and writing them, as its methods: short ones, over `trainstation.ops.indexing`.

Writing bumps the version. Where GradTrack records, and the tensor or the value requires a gradient, the tensor takes
over a copy that was written to, with its gradient: GraphError for a leaf that requires one, and for a view.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Self

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from trainstation.errors import ShapeError
from trainstation.gradtrack import is_grad_enabled
from trainstation.ops import elementwise, indexing
from trainstation.tensor.core import Core, R


def _plain(index: Any) -> Any:
    """Return an index of arrays for one of tensors."""
    if isinstance(index, tuple):
        return tuple(part.data if isinstance(part, Core) else part for part in index)
    return index.data if isinstance(index, Core) else index


class Indexing(Core[R], Generic[R]):
    """The part of `Tensor` that reads and writes some of its elements."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> R:
        return self._apply(indexing.getitem, self, index=_plain(index))

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[R]:
        if self.data.ndim == 0:
            msg = "a 0-d tensor has no rows to iterate over"
            raise TypeError(msg)
        return (self[row] for row in range(len(self.data)))

    def select(self, dim: int, index: int) -> R:
        """Return the slice at an integer along `dim`, a view without that dim; IndexError if it is not there."""
        return self[(slice(None),) * normalize_axis_index(dim, self.data.ndim) + (int(index),)]

    def narrow(self, dim: int, start: int, length: int) -> R:
        """Return the slices start .. start + length - 1 along `dim`, a view.

        Raises:
            IndexError: there is no such dim, or the start is outside of it.
            ValueError: the length is negative, or reaches beyond the end.

        """
        dim = normalize_axis_index(dim, self.data.ndim)
        there = self.data.shape[dim]
        if not -there <= start <= there:
            msg = f"narrow: start {start} is out of range for a length of {there}"
            raise IndexError(msg)
        start = start + there if start < 0 else start
        if not 0 <= length <= there - start:
            msg = f"narrow: {length} from {start} on is not in a length of {there}"
            raise ValueError(msg)
        return self[(slice(None),) * dim + (slice(start, start + length),)]

    def gather(self, dim: int, index: Any) -> R:
        """Return, at each place of `index`, the element there, but for `dim`, where the integer found says which one.

        The index has as many dimensions, and is nowhere longer but along `dim`.
        """
        return self._apply(indexing.gather, self, self._operand(index), dim=dim)

    def take_along_dim(self, indices: Any, dim: int | None = None) -> R:
        """`gather` with indices that broadcast; without a dim, of the flat tensor."""
        return self._apply(indexing.take_along_dim, self, self._operand(indices), dim=dim)

    def index_select(self, dim: int, index: Any) -> R:
        """Return the slices along `dim` that a vector of integers names."""
        return self._apply(indexing.index_select, self, self._operand(index), dim=dim)

    def index_add(self, dim: int, index: Any, source: Any, *, alpha: float = 1) -> R:
        """Return a copy; alpha times source's slices are added to those along `dim` that a vector of integers names."""
        return self._apply(indexing.index_add, self, self._operand(index), self._operand(source), dim=dim, alpha=alpha)

    def index_fill(self, dim: int, index: Any, value: Any) -> R:
        """Return a copy; the slices along `dim` that a vector of integers names are filled with a number."""
        chosen = np.zeros(self.data.shape, bool)
        indexing.write(chosen, (slice(None),) * normalize_axis_index(dim, self.data.ndim) + (_plain(index),), True)
        return self._apply(elementwise.masked_fill, self, self._operand(chosen), self._operand(value))

    # In place

    def __setitem__(self, index: Any, value: Any) -> None:
        value, index = self._operand(value), _plain(index)
        is_tensor = isinstance(value, Core)
        if is_grad_enabled() and (self._requires_grad or (is_tensor and value._requires_grad)):
            self._become(self._apply(indexing.setitem, self, value, index=index))
        else:
            indexing.write(self.data, index, value.data if is_tensor else value)
            self._bump_version()

    def copy_(self, src: Any) -> Self:
        """Write the elements of a tensor, an array or a number, which broadcast."""
        self[...] = src
        return self

    def fill_(self, value: Any) -> Self:
        """Write a number, or what a 0-d tensor holds, to every element."""
        if getattr(value, "shape", ()):
            msg = f"fill_ takes a number or a 0-d tensor, not one of shape {value.shape}"
            raise ShapeError(msg)
        return self.copy_(value)

    fill = fill_

    def zero_(self) -> Self:
        """Write 0 to every element."""
        return self.copy_(0)

    def masked_fill_(self, mask: Any, value: Any) -> Self:
        """`masked_fill` in place."""
        return self._become(self._apply(elementwise.masked_fill, self, self._operand(mask), self._operand(value)))

    def index_fill_(self, dim: int, index: Any, value: Any) -> Self:
        """`index_fill` in place."""
        return self._become(self.index_fill(dim, index, value))

    def index_add_(self, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Self:
        """`index_add` in place."""
        return self._become(self.index_add(dim, index, source, alpha=alpha))
