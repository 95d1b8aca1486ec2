"""Axes of figures: how far they reach, where they are logarithmic, and how their numbers are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from trainstation.bench import words
from trainstation.registry.problem import PERCENT

__all__ = ["Measured", "columns", "limits", "log_axis", "spans_decades", "ticks"]

# The digits of a logarithmic axis's numbers, where it spans fewer times than this; beyond, powers of ten alone.
DIGITS = {30: (1, 2, 5), 300: (1, 3)}
AXIS = 10  # an axis is logarithmic where values are so many times apart
LINE, LETTER = 0.7, 0.1  # inches of a legend's line with the gaps, and of a wide letter
FULL = 1 - 1e-4  # a share of 1, where an axis must end
SHARES = (0.0, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)  # that are written
DEEP, BELOW = 1e-6, 1e-2  # how far a logarithmic axis reaches below the start, and below the target


def ticks() -> FuncFormatter:
    """Return what writes the numbers of an axis."""
    return FuncFormatter(lambda value, _: words.short(value))


def _metric_ticks(metric: str) -> FuncFormatter:
    return FuncFormatter(lambda value, _: words.metric(metric, value))


def log_axis(axis: Any, metric: str = "") -> None:
    """Make an axis logarithmic, with a few plain numbers; what it is to show is drawn by now."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = sorted(axis.get_view_interval())
    digits = next((digits for times, digits in DIGITS.items() if high < times * low), (1,))
    axis.set_major_locator(LogLocator(subs=digits, numticks=6))
    axis.set_major_formatter(_metric_ticks(metric) if metric in PERCENT else ticks())
    axis.set_minor_formatter(NullFormatter())


def spans_decades(low: float, high: float) -> bool:
    """Whether an axis from one value to the other is easier to read as a logarithmic one."""
    return 0 < AXIS * low < high


def columns(labels: Iterable[str], inches: float) -> int:
    """Return into how many columns a legend's labels go, so that it is no wider than its figure."""
    longest = max(map(len, labels), default=1)
    return max(1, int(inches / (LINE + longest * LETTER)))


class Measured(Protocol):
    """What has a metric: a problem, or a trial on it."""

    @property
    def metric(self) -> str:
        """Its name, which says how numbers are written."""

    @property
    def target(self) -> float | None:
        """The value to reach, if there is one."""

    @property
    def lower_is_better(self) -> bool:
        """Whether that is so."""


def limits(axes: Any, values: Sequence[float], of: Measured, start: float) -> None:
    """Let the axis of a metric show the start, the target and the best, whatever their signs.

    Args:
        axes: of the figure.
        values: that are drawn.
        of: what they are the metric of.
        start: the metric before the first step. Where lower is better, what is worse than this and the target leaves
            the axis.

    """
    metric, target = of.metric, of.target
    aims = [start] if target is None else [start, target]
    low, high = min(*aims, *values), max(*aims, *values)
    if of.lower_is_better:
        high = max(aims)
        deep = min(*aims, start * DEEP if target is None else target * BELOW)
        low = max(low, deep) if min(low, deep) > 0 else low  # of many decades below the target, two are shown
        if spans_decades(low, high):
            axes.set_ylim(low / 1.8, high * 1.5)
            log_axis(axes.yaxis, metric)
            return
    if metric == "accuracy" and spans_decades(1 - min(high, FULL), 1 - low):
        _by_what_is_missing(axes, low, high)
        return
    pad = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    axes.set_ylim(low - pad, high + pad)
    axes.yaxis.set_major_formatter(_metric_ticks(metric))


def _by_what_is_missing(axes: Any, low: float, high: float) -> None:
    """Make an axis of shares logarithmic in what they lack: from 98 to 99 % is as far as from 80 to 90 %."""
    axes.set_yscale("function", functions=(lambda x: -np.log(1 - np.minimum(x, FULL)), lambda y: 1 - np.exp(-y)))
    axes.set_ylim(1 - (1 - low) * 1.1, min(1 - (1 - high) / 1.3, FULL))
    shown = [share for share in SHARES if low <= share <= high] or [low, high]
    axes.set_yticks(shown, [words.metric("accuracy", share) for share in shown])
    axes.yaxis.set_minor_locator(NullLocator())
