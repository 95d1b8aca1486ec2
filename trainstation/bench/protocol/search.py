"""Search boxes: where hyper-parameters are searched for, and the points at which they are tried.

A box is one for all problems, and as wide as the next optimizer's: that is what makes a search fair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from trainstation.registry import OptimizerInfo
from trainstation.registry.names import Entry
from trainstation.registry.spaces import Side, Space, around

__all__ = ["box_of", "edges", "points", "rates"]

BASES = (2, 3, 5, 7, 11, 13, 17, 19)
# Where an interval begins to be tried. With it, ten points come as near to its upper end as to its lower one.
SHIFT = 31 / 64
EDGE = 0.1  # of an interval's width
HALF_DECADES = 6  # to both sides of a rate


def box_of(optimizer: Entry | OptimizerInfo) -> Space:
    """Return the search box of an optimizer.

    One whose class cannot be imported, and that declares no box, has an empty one: its trials will say why.
    """
    if isinstance(optimizer, OptimizerInfo):
        return optimizer.search_space
    if optimizer.spec.search_space is not None:
        return optimizer.spec.search_space
    try:
        return optimizer.info().search_space
    except Exception:  # noqa: BLE001  # a stranger's module may raise anything
        return {}


def points(box: Space, count: int) -> list[dict[str, Any]]:
    """Return the first points of Halton's sequence in a box: quasi-random, and the same for every run.

    They are spread evenly over the logarithms of intervals and over choices; more points begin with the fewer ones.
    "lr" is the first coordinate, so that every optimizer's rates lie at the same places of their intervals. The first
    point is near the middle of each interval, with the first of all choices.

    Raises:
        ValueError: the box has more hyper-parameters than there are bases.

    """
    names = sorted(box, key=lambda name: name != "lr")
    if len(names) > len(BASES):
        msg = f"a search box has at most {len(BASES)} hyper-parameters, not {len(names)}"
        raise ValueError(msg)
    return [
        {name: _at(box[name], index, base) for name, base in zip(names, BASES, strict=False)} for index in range(count)
    ]


def _at(side: Side, index: int, base: int) -> Any:
    """Return a value of one hyper-parameter: `index`, its digits reversed behind the point, says where."""
    above, below = 0, 1
    while index:
        index, digit = divmod(index, base)
        above, below = above * base + digit, below * base
    if isinstance(side, list):
        return side[above * len(side) // below]
    low, high = side
    value = low * (high / low) ** ((above / below + SHIFT) % 1)
    return min(max(float(f"{value:.4g}"), low), high)


def edges(box: Space, point: Mapping[str, Any]) -> list[str]:
    """Say which hyper-parameters of a point lie within a tenth of an end of their interval, or beyond it.

    What is best there may be better outside of the box. Lists of choices have no ends.

    >>> edges({"lr": (1e-4, 1e-1)}, {"lr": 0.09})
    ['lr 0.09 is at the upper edge of [0.0001, 0.1]']

    """
    found = []
    for name, side in box.items():
        if isinstance(side, list) or name not in point:
            continue
        low, high = side
        value = point[name]
        where = math.log(value / low) / math.log(high / low) if value > 0 else 0.0
        if not EDGE <= where <= 1 - EDGE:
            end = "lower" if where < EDGE else "upper"
            found.append(f"{name} {value:g} is at the {end} edge of [{low:g}, {high:g}]")
    return found


def rates(default: Any) -> list[float]:
    """Return the learning rates that all are tried with: the default, then further and further off, by half decades.

    An optimizer that has no rate, or 0, has none to try.
    """
    if not around(default):
        return []
    powers = sorted(range(-HALF_DECADES, HALF_DECADES + 1), key=lambda power: (abs(power), -power))
    return [float(default), *(float(f"{default * 10 ** (power / 2):.4g}") for power in powers[1:])]
