"""What makes tensors out of nothing: zeros, ranges, random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, Self

import numpy as np
from numpy.typing import DTypeLike

from trainstation import random
from trainstation.tensor.core import Array, Core, R

if TYPE_CHECKING:
    Generator = np.random.Generator | None  # importing numpy.random takes as long as importing all of trainstation

DType = DTypeLike | None
Seed = int | None
Shape = int | Sequence[int]


class Creation(Core[R], Generic[R]):
    """The part of `Tensor` that makes new ones.

    A dtype of None is float32, except for integers that are counted or drawn (int64) and for what is made like another
    tensor (its dtype). Random numbers come from the shared stream (`manual_seed`), from that of a seed alone, or from a
    generator. ValueError for a negative length.
    """

    __slots__ = ()

    @classmethod
    def _made(cls, array: Array, dtype: DType, requires_grad: bool) -> Self:
        return cls.from_numpy(array.astype(dtype or np.float32, copy=False)).requires_grad_(requires_grad)

    # Constants

    @classmethod
    def empty(cls, shape: Shape, *, dtype: DType = None, requires_grad: bool = False) -> Self:
        """Return a tensor of whatever the memory holds."""
        return cls._made(np.empty(shape, dtype or np.float32), dtype, requires_grad)

    @classmethod
    def zeros(cls, shape: Shape, *, dtype: DType = None, requires_grad: bool = False) -> Self:
        """Return a tensor of zeros."""
        return cls._made(np.zeros(shape, dtype or np.float32), dtype, requires_grad)

    @classmethod
    def ones(cls, shape: Shape, *, dtype: DType = None, requires_grad: bool = False) -> Self:
        """Return a tensor of ones."""
        return cls._made(np.ones(shape, dtype or np.float32), dtype, requires_grad)

    @classmethod
    def full(cls, shape: Shape, value: float, *, dtype: DType = None, requires_grad: bool = False) -> Self:
        """Return a tensor filled with `value`."""
        return cls._made(np.full(shape, value, dtype or np.float32), dtype, requires_grad)

    @classmethod
    def eye(cls, n: int, m: int | None = None, *, dtype: DType = None, requires_grad: bool = False) -> Self:
        """Return an n x m matrix, n x n without m, of ones on the diagonal and zeros elsewhere."""
        return cls._made(np.eye(n, m, dtype=dtype or np.float32), dtype, requires_grad)

    # Ranges

    @classmethod
    def arange(cls, *bounds: float, dtype: DType = None, requires_grad: bool = False) -> Self:
        """Return start, start + step, ... below stop: `arange(stop)`, `arange(start, stop, step)`; ints give int64."""
        whole = np.int64 if all(isinstance(bound, int | np.integer) for bound in bounds) else np.float32
        return cls._made(np.arange(*bounds), dtype or whole, requires_grad)

    @classmethod
    def linspace(
        cls, start: float, end: float, steps: int, *, dtype: DType = None, requires_grad: bool = False
    ) -> Self:
        """Return `steps` numbers at equal distances from start to end, both included."""
        return cls._made(np.linspace(start, end, steps), dtype, requires_grad)

    # Random numbers

    @classmethod
    def randn(
        cls,
        shape: Shape,
        seed: Seed = None,
        *,
        generator: Generator = None,
        dtype: DType = None,
        requires_grad: bool = False,
    ) -> Self:
        """Draw from the standard normal distribution."""
        drawn = _stream(seed, generator).standard_normal(shape, dtype=_drawn_as(dtype))
        return cls._made(np.asarray(drawn), dtype, requires_grad)

    @classmethod
    def rand(
        cls,
        shape: Shape,
        seed: Seed = None,
        *,
        generator: Generator = None,
        dtype: DType = None,
        requires_grad: bool = False,
    ) -> Self:
        """Draw uniformly from [0, 1)."""
        drawn = _stream(seed, generator).random(shape, dtype=_drawn_as(dtype))
        return cls._made(np.asarray(drawn), dtype, requires_grad)

    @classmethod
    def randint(
        cls,
        low: int,
        high: Any,
        shape: Shape | None = None,
        *,
        seed: Seed = None,
        generator: Generator = None,
        dtype: DType = None,
        requires_grad: bool = False,
    ) -> Self:
        """Draw integers from low .. high - 1, all as likely: `randint(high, shape)`, `randint(low, high, shape)`.

        ValueError if there are none.
        """
        if shape is None:
            low, high, shape = 0, low, high
        if low >= high:
            msg = f"randint needs low < high, not {low} and {high}"
            raise ValueError(msg)
        drawn = _stream(seed, generator).integers(low, high, shape)
        return cls._made(np.asarray(drawn), dtype or np.int64, requires_grad)

    @classmethod
    def randperm(
        cls, n: int, *, seed: Seed = None, generator: Generator = None, dtype: DType = None, requires_grad: bool = False
    ) -> Self:
        """Return 0 .. n - 1 in random order."""
        if n < 0:
            msg = f"randperm needs a length of 0 or more, not {n}"
            raise ValueError(msg)
        return cls._made(_stream(seed, generator).permutation(n), dtype or np.int64, requires_grad)

    # As many as another tensor has; a gradient is only wanted if it is asked for.

    @classmethod
    def empty_like(cls, other: Core[Any], *, dtype: DType = None, requires_grad: bool = False) -> Self:
        """`empty` of the shape and dtype of another tensor."""
        return cls.empty(other.data.shape, dtype=dtype or other.data.dtype, requires_grad=requires_grad)

    @classmethod
    def zeros_like(cls, other: Core[Any], *, dtype: DType = None, requires_grad: bool = False) -> Self:
        """`zeros` of the shape and dtype of another tensor."""
        return cls.zeros(other.data.shape, dtype=dtype or other.data.dtype, requires_grad=requires_grad)

    @classmethod
    def ones_like(cls, other: Core[Any], *, dtype: DType = None, requires_grad: bool = False) -> Self:
        """`ones` of the shape and dtype of another tensor."""
        return cls.ones(other.data.shape, dtype=dtype or other.data.dtype, requires_grad=requires_grad)

    @classmethod
    def full_like(cls, other: Core[Any], value: float, *, dtype: DType = None, requires_grad: bool = False) -> Self:
        """`full` of the shape and dtype of another tensor."""
        return cls.full(other.data.shape, value, dtype=dtype or other.data.dtype, requires_grad=requires_grad)

    @classmethod
    def rand_like(
        cls,
        other: Core[Any],
        seed: Seed = None,
        *,
        generator: Generator = None,
        dtype: DType = None,
        requires_grad: bool = False,
    ) -> Self:
        """`rand` of the shape and dtype of another tensor."""
        kind = dtype or other.data.dtype
        return cls.rand(other.data.shape, seed, generator=generator, dtype=kind, requires_grad=requires_grad)

    @classmethod
    def randn_like(
        cls,
        other: Core[Any],
        seed: Seed = None,
        *,
        generator: Generator = None,
        dtype: DType = None,
        requires_grad: bool = False,
    ) -> Self:
        """`randn` of the shape and dtype of another tensor."""
        kind = dtype or other.data.dtype
        return cls.randn(other.data.shape, seed, generator=generator, dtype=kind, requires_grad=requires_grad)


def _stream(seed: Seed, generator: Generator) -> np.random.Generator:
    """Return what to draw from."""
    if generator is None:
        return random.generator(seed)
    if seed is not None:
        msg = "random numbers come from a seed or from a generator, not from both"
        raise ValueError(msg)
    return generator


def _drawn_as(dtype: DType) -> type[np.float32 | np.float64]:
    """Return the precision to draw in for `dtype`."""
    wanted = np.dtype(dtype or np.float32)
    if wanted.kind != "f":
        msg = f"random numbers are floating-point, not {wanted}"
        raise TypeError(msg)
    return np.float64 if wanted == np.float64 else np.float32
