"""Numbers in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from trainstation.bench.stats import Interval
from trainstation.registry.problem import PERCENT

__all__ = ["around", "count", "counted", "figure", "hyper", "metric", "ratio", "score", "seconds", "share"]

MISS = "—"


def figure(value: float | None, digits: int = 3) -> str:
    """Write a number with so many digits; a dash if there is none.

    >>> figure(None), figure(float("inf")), figure(0.12345), figure(1234.5), figure(1e-7)
    ('—', '—', '0.123', '1,234', '1e-07')

    """
    if value is None or not math.isfinite(value):
        return MISS
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def score(value: float | None) -> str:
    """Write a score."""
    return MISS if value is None else f"{value:.2f}"


def count(value: float | None) -> str:
    """Write a whole number."""
    return MISS if value is None or not math.isfinite(value) else f"{value:,.0f}"


def share(value: float | None) -> str:
    """Write a share in percent."""
    return MISS if value is None or not math.isfinite(value) else f"{100 * value:.0f} %"


def seconds(value: float | None) -> str:
    """Write seconds with a unit that suits them.

    >>> seconds(0.0042), seconds(12.34), seconds(None)
    ('4.2 ms', '12.3 s', '—')

    """
    if value is None or not math.isfinite(value):
        return MISS
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def metric(name: str, value: float | None) -> str:
    """Write a value of a metric, as a problem says it."""
    if value is None or not math.isfinite(value):
        return MISS
    return f"{100 * value:.3g} %" if name in PERCENT else f"{value:.4g}"


def ratio(interval: Interval | None) -> str:
    """Write a quotient with its interval."""
    return MISS if interval is None else f"{interval.mid:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def around(name: str, interval: Interval | None) -> str:
    """Write the median of a metric with its interval."""
    if interval is None:
        return MISS
    low, mid, high = (metric(name, value) for value in interval)
    return mid if low == high else f"{mid} [{low}, {high}]"


def counted(number: int, what: str) -> str:
    """Write a number of things.

    >>> counted(1, "row"), counted(2, "row")
    ('1 row', '2 rows')

    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def hyper(point: Mapping[str, Any]) -> str:
    """Write hyper-parameters.

    >>> hyper({"lr": 0.012345, "momentum": [0.9, 0.99]})
    'lr=0.01235, momentum=[0.9, 0.99]'

    """
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in point.items()
    )
