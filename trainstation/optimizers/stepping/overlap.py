"""Whether arrays of a step lie in the same bytes: ranges find candidates, and bytes decide."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels

__all__ = ["Extent", "check_overlap", "extent_of", "may_overlap", "ranges_of"]

Array = NDArray[Any]

FEW = 32  # arrays: each is compared with each other one
MOST_WORK = 1_000_000  # of NumPy's search for two elements in the same bytes; what it cannot say counts as overlap
MOST_UNITS = 1 << 26  # of a picture of memory


class Extent(NamedTuple):
    """An array, the range of its bytes, what to call it, and whether the step writes to it."""

    low: int
    high: int
    array: Array
    label: str
    is_written: bool


def extent_of(array: Array, label: str, is_written: bool) -> Extent:
    """Return the extent of an array."""
    return Extent(*np.lib.array_utils.byte_bounds(array), array, label, is_written)


def check_overlap(extents: Iterable[Extent]) -> None:
    """Raise ValueError if an array that a step writes to has a byte in common with any other one; both are named."""
    for together in _clusters(sorted((e for e in extents if e.array.size), key=lambda e: e[:2])):
        found = _pair(together)
        if found is not None:
            msg = f"memory overlaps: the bytes of the {found[0].label} and of the {found[1].label}"
            raise ValueError(msg)


def ranges_of(extents: Iterable[Extent]) -> Array:
    """Return the ranges that are written, as C looks them up (dtype `RANGE`)."""
    written = sorted((e.low, e.high) for e in extents if e.is_written and e.array.size)
    made = np.zeros(len(written), kernels.RANGE)
    if written:
        made["low"], most = np.array(written, np.uintp).T
        made["most"] = np.maximum.accumulate(most)
    return made


def may_overlap(ranges: Array, extent: Extent) -> bool:
    """Whether an array lies within the range of one that is written; C asks the same."""
    before = int(np.searchsorted(ranges["low"], np.uintp(extent.high)))
    return bool(extent.array.size and before and int(ranges["most"][before - 1]) > extent.low)


def _clusters(extents: Sequence[Extent]) -> Iterator[list[Extent]]:
    """Yield those whose ranges overlap in a chain, sorted, where one of several is written."""
    together: list[Extent] = []
    end = 0
    for extent in extents:
        if together and extent.low >= end:
            if len(together) > 1 and any(each.is_written for each in together):
                yield together
            together = []
        together.append(extent)
        end = max(end, extent.high)
    if len(together) > 1 and any(each.is_written for each in together):
        yield together


def _pair(together: Sequence[Extent]) -> tuple[Extent, Extent] | None:
    """Return two of which one is written and that share a byte; None if there are none."""
    low = together[0].low
    numbers = [number for e in together for number in (e.low - low, e.array.itemsize, *map(abs, e.array.strides))]
    unit = math.gcd(*numbers)  # bytes, of which elements are made and by which they are apart
    units = (max(e.high for e in together) - low) // unit
    if len(together) > FEW and units <= MOST_UNITS:
        return _painted(together, low, unit, units)
    for one, other in itertools.combinations(together, 2):
        if (one.is_written or other.is_written) and other.low < one.high and one.low < other.high:
            try:
                do_share = np.shares_memory(one.array, other.array, MOST_WORK)  # type: ignore[arg-type]  # an int, NumPy says
            except np.exceptions.TooHardError:
                do_share = True
            if do_share:
                return one, other
    return None


def _painted(together: Sequence[Extent], low: int, unit: int, units: int) -> tuple[Extent, Extent] | None:
    """Find the two in a picture of memory, into which each array that is written is painted with its number."""
    picture = np.zeros(units, np.int32)
    for number, extent in sorted(enumerate(together, 1), key=lambda each: not each[1].is_written):
        array = extent.array
        begin = (array.__array_interface__["data"][0] - low) // unit * picture.itemsize
        shape = (*array.shape, array.itemsize // unit)
        strides = (*(stride // unit * picture.itemsize for stride in array.strides), picture.itemsize)
        place: Array = np.ndarray(shape, np.int32, picture, begin, strides)
        if place.any():
            return together[int(place.max()) - 1], extent
        if extent.is_written:
            place[...] = number
    return None
