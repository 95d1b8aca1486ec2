"""Numbers in words, for the page, the tables of a terminal and our own benchmarks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from trainstation.bench.stats import Interval
from trainstation.registry.problem import PERCENT

__all__ = [
    "DASH",
    "MISS",
    "around",
    "clock",
    "count",
    "counted",
    "figure",
    "hyper",
    "metric",
    "microseconds",
    "number",
    "ratio",
    "score",
    "seconds",
    "share",
    "short",
    "size_name",
]

MISS, DASH = "—", "-"  # where there is no number: on the page, in a terminal


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def number(value: float | None, form: str, miss: str = MISS) -> str:
    """Write a number as `format` does; a dash if there is none.

    >>> number(1.25, ".1f"), number(None, ".1f"), number(float("nan"), ".1f", DASH)
    ('1.2', '—', '-')

    """
    return format(value, form) if _is_number(value) else miss


def score(value: float | None, miss: str = MISS) -> str:
    """Write a score."""
    return number(value, ".2f", miss)


def count(value: float | None, miss: str = MISS) -> str:
    """Write a whole number."""
    return number(value, ",.0f", miss)


def figure(value: float | None) -> str:
    """Write a number with three digits, or all before the point if those are more.

    >>> figure(None), figure(float("inf")), figure(0.12345), figure(1234.5), figure(1e-7)
    ('—', '—', '0.123', '1,234', '1e-07')

    """
    return number(value, ",.0f" if _is_number(value) and abs(value) >= 1000 else ".3g")  # noqa: PLR2004


def short(value: float) -> str:
    """Write a number for a tick.

    >>> [short(value) for value in (0, 0.001, 1e-5, 0.25, 12, 4000, 16384, 2e6)]
    ['0', '0.001', '1e-5', '0.25', '12', '4k', '16k', '2M']

    """
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-3:  # noqa: PLR2004
        digits, _, power = f"{value:.0e}".partition("e")
        return f"{digits}e{int(power)}"
    for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit:
            return f"{value / unit:.3g}{letter}" if size < 10 * unit else f"{value / unit:.0f}{letter}"
    return f"{value:.4g}"


def size_name(size: int) -> str:
    """Write a size as people say it.

    >>> size_name(1024), size_name(1000)
    ('2^10', '1000')

    """
    return f"2^{size.bit_length() - 1}" if size.bit_count() == 1 else str(size)


def counted(number: int, what: str) -> str:
    """Write a number of things.

    >>> counted(1, "row"), counted(2, "row")
    ('1 row', '2 rows')

    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def share(value: float | None) -> str:
    """Write a share in percent."""
    return f"{100 * value:.0f} %" if _is_number(value) else MISS


def seconds(value: float | None) -> str:
    """Write seconds with a unit that suits them.

    >>> seconds(0.0042), seconds(12.34), seconds(None)
    ('4.2 ms', '12.3 s', '—')

    """
    if not _is_number(value):
        return MISS
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def microseconds(nanoseconds: float | None) -> str:
    """Write nanoseconds as microseconds, for a column of them: with three digits, zeros too.

    >>> microseconds(1500), microseconds(123456.7), microseconds(None)
    ('1.50', '123', '-')

    """
    if nanoseconds is None:
        return DASH
    us = nanoseconds / 1e3
    return f"{us:,.0f}" if us >= 100 else f"{us:#.3g}"  # noqa: PLR2004


def clock(seconds: float) -> str:
    """Write seconds as a clock does.

    >>> clock(75.4), clock(3605)
    ('1:15', '1:00:05')

    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def metric(name: str, value: float | None) -> str:
    """Write a value of a metric, as a problem says it."""
    if not _is_number(value):
        return MISS
    return f"{100 * value:.3g} %" if name in PERCENT else f"{value:.4g}"


def ratio(interval: Interval | None, miss: str = MISS) -> str:
    """Write a quotient with its interval."""
    return miss if interval is None else f"{interval.mid:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def around(name: str, interval: Interval | None) -> str:
    """Write the median of a metric with its interval."""
    if interval is None:
        return MISS
    low, mid, high = (metric(name, value) for value in interval)
    return mid if low == high else f"{mid} [{low}, {high}]"


def hyper(point: Mapping[str, Any]) -> str:
    """Write hyper-parameters.

    >>> hyper({"lr": 0.012345, "momentum": [0.9, 0.99]})
    'lr=0.01235, momentum=[0.9, 0.99]'

    """
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in point.items()
    )
