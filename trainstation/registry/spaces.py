"""Search spaces: where an optimizer's hyper-parameters are searched for, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

__all__ = ["Side", "Space", "around", "checked"]

# Of one hyper-parameter: (low, high), an interval on a logarithmic scale, or a list of choices.
Side = tuple[float, float] | list[Any]
Space = Mapping[str, Side]

RANGE = 30  # times and through the default rate: about three decades


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def checked(given: object, what: str) -> dict[str, Side]:
    """Return a copy of a search space.

    Raises:
        TypeError: it is no mapping from names to pairs of numbers and lists.
        ValueError: an interval or a list holds nothing, or an interval is not within 0 and infinity.

    """
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        msg = f"{what}: a mapping from names of hyper-parameters is needed, not {given!r}"
        raise TypeError(msg)
    return {name: _side(values, f"{what}: {name!r}") for name, values in given.items()}


def _side(values: object, what: str) -> Side:
    if isinstance(values, list):
        if not values:
            msg = f"{what} has no choices"
            raise ValueError(msg)
        return list(values)
    if not isinstance(values, tuple) or not all(map(_is_number, values)):
        msg = f"{what} needs (low, high) or a list of choices, not {values!r}"
        raise TypeError(msg)
    if len(values) != 2 or not 0 < values[0] < values[1] < math.inf:  # noqa: PLR2004  # low and high
        msg = f"{what} needs 0 < low < high, both finite, or a list of choices, not {values!r}"
        raise ValueError(msg)
    return float(values[0]), float(values[1])


def around(lr: Any) -> dict[str, Side]:
    """Return the space of an optimizer that declares none: around its learning rate, if it has one."""
    return {"lr": (lr / RANGE, lr * RANGE)} if _is_number(lr) and 0 < lr < math.inf else {}
