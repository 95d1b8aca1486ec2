"""What is done together: an interrupt, which comes between lines of Python, comes before all of it or after."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from operator import call, setitem
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Action", "carry_out", "move_towards", "put"]

Array = NDArray[Any]

# A function of C with all of its arguments, such as `partial(dict.update, known, {"step": 1})`: no line of Python runs
# while it works. It has been checked that it cannot fail.
Action = Callable[[], object]


def carry_out(actions: Iterable[Action]) -> None:
    """Do all of these, in their order; a list, or else an interrupt may come while they are made."""
    deque(map(call, actions), maxlen=0)


def put(array: Array, values: Any) -> Action:
    """Return the action that writes values into an array."""
    return partial(setitem, array, ..., values)


def move_towards(array: Array, target: Array, weight: float, room: Array | None = None) -> list[Action]:
    """Return the actions of `array += weight * (target - array)`, with the values of then, rounded after each part.

    Args:
        array: any strides.
        target: of its shape and dtype.
        weight: rounded to the dtype.
        room: for the difference, of this shape and dtype; None: some of its own.

    """
    difference = np.empty_like(array) if room is None else room
    return [
        partial(np.subtract, target, array, difference),
        partial(np.multiply, difference, array.dtype.type(weight), difference),
        partial(np.add, array, difference, array),
    ]
