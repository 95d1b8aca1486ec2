"""What the arrays of a step must be; each error names the parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import ShapeError

__all__ = ["check_gradient", "check_state", "check_values", "overlaps_itself"]

Array = NDArray[Any]


def check_values(name: str, data: Any) -> None:
    """Raise an error that names the parameter unless its values can be stepped."""
    if not isinstance(data, np.ndarray) or data.dtype not in (np.float32, np.float64) or not data.dtype.isnative:
        msg = f"{name}: its data must be a float32 or float64 array, not {getattr(data, 'dtype', type(data).__name__)}"
        raise TypeError(msg)
    _check_room(name, "data", data)


def check_gradient(name: str, data: Array, gradient: Any) -> None:
    """Raise an error that names the parameter unless its values can be stepped along its gradient."""
    if not isinstance(gradient, np.ndarray):
        msg = f"{name}: its gradient must be an array or a tensor, not {type(gradient).__name__}"
        raise TypeError(msg)
    if gradient.shape != data.shape:
        msg = f"{name}: its gradient has shape {gradient.shape}, the parameter {data.shape}"
        raise ShapeError(msg)
    if gradient.dtype != data.dtype:
        msg = f"{name}: its gradient has dtype {gradient.dtype}, the parameter {data.dtype}"
        raise TypeError(msg)


def _check_room(name: str, what: str, array: Array) -> None:
    """Raise an error that names the parameter unless an array can be written to, each element apart."""
    if not array.flags.writeable:
        msg = f"{name}: its {what} is read-only"
        raise ValueError(msg)
    if overlaps_itself(array):
        msg = f"{name}: in its {what}, elements lie on top of one another in memory (strides {array.strides})"
        raise ValueError(msg)


def overlaps_itself(array: Array) -> bool:
    """Whether two elements of an array have a byte in common; where only a search would tell, they count as if."""
    if array.flags.c_contiguous or not array.size:
        return False
    reach = array.itemsize  # of all that the axes with shorter strides say
    for stride, length in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if length > 1:
            if stride < reach:
                return True
            reach += stride * (length - 1)
    return False


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
    if isinstance(step, np.ndarray) and not step.flags.writeable:
        msg = f"{name}: its step is read-only"
        raise ValueError(msg)
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
        _check_room(name, each, array)
