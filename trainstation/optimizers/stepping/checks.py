"""What the arrays of a step must be; each error names the parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import ShapeError

__all__ = ["Range", "check_data", "check_overlap", "check_state"]

Array = NDArray[Any]
# An array, what to call it, and whether the step writes to it.
Range = tuple[Array, str, bool]


def check_data(name: str, data: Any, gradient: Any) -> None:
    """Raise an error that names the parameter unless its values can be stepped along its gradient."""
    if not isinstance(data, np.ndarray) or data.dtype not in (np.float32, np.float64) or not data.dtype.isnative:
        msg = f"{name}: its data must be a float32 or float64 array, not {getattr(data, 'dtype', type(data).__name__)}"
        raise TypeError(msg)
    if not isinstance(gradient, np.ndarray):
        msg = f"{name}: its gradient must be an array or a tensor, not {type(gradient).__name__}"
        raise TypeError(msg)
    if gradient.shape != data.shape:
        msg = f"{name}: its gradient has shape {gradient.shape}, the parameter {data.shape}"
        raise ShapeError(msg)
    if gradient.dtype != data.dtype:
        msg = f"{name}: its gradient has dtype {gradient.dtype}, the parameter {data.dtype}"
        raise TypeError(msg)
    if not data.flags.writeable:
        msg = f"{name}: its data is read-only"
        raise ValueError(msg)
    low, high = np.lib.array_utils.byte_bounds(data)
    if high - low < data.nbytes:
        msg = f"{name}: its elements lie on top of one another in memory (strides {data.strides})"
        raise ValueError(msg)


def check_state(name: str, state: dict[str, Any], layout: Mapping[str, tuple[tuple[int, ...], Any]]) -> None:
    """Raise an error that names the parameter unless its state is as in `layout`; make its counter an array."""
    step = state.get("step")
    try:
        counter = np.array(step, np.int64)
    except (TypeError, ValueError, OverflowError):
        counter = np.array(-1)
    if counter.ndim or counter < 0 or counter != step:
        msg = f"{name}: its step must be a count, not {step!r}"
        raise ValueError(msg)
    if not isinstance(step, np.ndarray) or step.dtype != np.int64:
        state["step"] = counter
    for each, (shape, dtype) in layout.items():
        array = state.get(each)
        if not isinstance(array, np.ndarray):
            msg = f"{name}: its {each} must be an array, not {type(array).__name__}"
            raise TypeError(msg)
        if array.shape != shape or array.dtype != dtype:
            msg = (
                f"{name}: its {each} has shape {array.shape} and dtype {array.dtype}, needed are {shape} and "
                f"{np.dtype(dtype)}; unlink_parameter() or clear_states() starts anew"
            )
            raise ShapeError(msg)
        if not array.flags.writeable:
            msg = f"{name}: its {each} is read-only"
            raise ValueError(msg)


def check_overlap(arrays: Iterable[Range]) -> None:
    """Raise ValueError if the byte range of an array that a step writes to overlaps with any other's of the step."""
    ranges = []
    for array, label, is_written in arrays:
        if array.size:
            low, high = np.lib.array_utils.byte_bounds(array)
            ranges.append((low, high, label, is_written))
    ranges.sort(key=lambda r: r[:2])
    end, owner = 0, ""  # of all ranges so far, the one that ends last
    written_end, writer = 0, ""  # and of those that are written
    for low, high, label, is_written in ranges:
        if low < written_end or (is_written and low < end):
            other = writer if low < written_end else owner
            msg = f"memory overlaps: the bytes of the {other} and of the {label}"
            raise ValueError(msg)
        if high > end:
            end, owner = high, label
        if is_written:
            written_end, writer = high, label
