"""What makes tensors out of nothing: zeros, ranges, random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from trainstation import random

Array = NDArray[Any]
Shape = int | Sequence[int]


class Factories:
    """What `Tensor` inherits; it supplies `from_numpy` and `requires_grad_`.

    A dtype of None is float32, except for a range of integers.
    """

    __slots__ = ()

    @classmethod
    def from_numpy(cls, array: Array) -> Self:
        """Return a tensor that shares the memory of `array`."""
        raise NotImplementedError

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say in place whether a gradient is wanted."""
        raise NotImplementedError

    @classmethod
    def _made(cls, array: Array, dtype: DTypeLike | None, requires_grad: bool) -> Self:
        return cls.from_numpy(array.astype(dtype or np.float32, copy=False)).requires_grad_(requires_grad)

    @classmethod
    def randn(
        cls, shape: Shape, seed: int | None = None, *, dtype: DTypeLike | None = None, requires_grad: bool = False
    ) -> Self:
        """Draw from the standard normal distribution: the shared stream, or one of `seed` alone."""
        drawn = random.generator(seed).standard_normal(shape, dtype=_drawn_as(dtype))
        return cls._made(np.asarray(drawn), dtype, requires_grad)

    @classmethod
    def rand(
        cls, shape: Shape, seed: int | None = None, *, dtype: DTypeLike | None = None, requires_grad: bool = False
    ) -> Self:
        """Draw uniformly from [0, 1): the shared stream, or one of `seed` alone."""
        drawn = random.generator(seed).random(shape, dtype=_drawn_as(dtype))
        return cls._made(np.asarray(drawn), dtype, requires_grad)

    @classmethod
    def zeros(cls, shape: Shape, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Self:
        """Return a tensor of zeros."""
        return cls._made(np.zeros(shape, dtype or np.float32), dtype, requires_grad)

    @classmethod
    def ones(cls, shape: Shape, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Self:
        """Return a tensor of ones."""
        return cls._made(np.ones(shape, dtype or np.float32), dtype, requires_grad)

    @classmethod
    def full(cls, shape: Shape, value: float, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Self:
        """Return a tensor filled with `value`."""
        return cls._made(np.full(shape, value, dtype or np.float32), dtype, requires_grad)

    @classmethod
    def arange(cls, *bounds: float, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Self:
        """Return start, start + step, ... below stop: `arange(stop)`, `arange(start, stop, step)`; ints give int64."""
        whole = np.int64 if all(isinstance(bound, int | np.integer) for bound in bounds) else np.float32
        return cls._made(np.arange(*bounds), dtype or whole, requires_grad)

    @classmethod
    def eye(cls, n: int, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Self:
        """Return the n x n identity matrix."""
        return cls._made(np.eye(n, dtype=dtype or np.float32), dtype, requires_grad)


def _drawn_as(dtype: DTypeLike | None) -> type[np.float32 | np.float64]:
    """Return the precision to draw in for `dtype`."""
    wanted = np.dtype(dtype or np.float32)
    if wanted.kind != "f":
        msg = f"random numbers are floating-point, not {wanted}"
        raise TypeError(msg)
    return np.float64 if wanted == np.float64 else np.float32
