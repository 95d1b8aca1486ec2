"""Curves: the metric over the steps of each problem, median and middle 60 % over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from trainstation.bench import command_line, words
from trainstation.bench.records.rows import Trial
from trainstation.bench.report.page.looks import INK, Look
from trainstation.bench.report.page.sections import Panel, Part, Section, absent
from trainstation.bench.report.page.svg import drawn, log_axis, ticks

__all__ = ["Curve", "curve", "curves", "limits"]

LOW, HIGH = 0.2, 0.8  # of the seeds, between which the band lies
AXIS = 30  # an axis is logarithmic where values are so many times apart
DEEP, BELOW = 1e-6, 1e-2  # how far an axis reaches below the start, and below the target
NAMED = 3  # of the best, in the text that stands for a figure


class Curve(NamedTuple):
    """One optimizer over its seeds; what fewer than half of them got to is not there."""

    steps: NDArray[Any]
    middle: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]


def curve(trials: Sequence[Trial]) -> Curve:
    """Return median and band; a seed that has no value at a step, since it diverged, counts as worse than all."""
    worst = math.inf if trials[0].lower_is_better else -math.inf
    values: dict[int, list[float]] = {}
    for trial in trials:
        for point in trial.points:
            there = point.val_metric is not None and math.isfinite(point.val_metric)
            values.setdefault(point.step, []).append(point.val_metric if there else worst)
    steps = sorted(step for step, some in values.items() if 2 * len(some) > len(trials))
    table = np.array([[*values[step], *[worst] * (len(trials) - len(values[step]))] for step in steps])
    if not steps:
        return Curve(*np.empty((4, 0)))
    low, middle, high = np.quantile(table, (LOW, 0.5, HIGH), axis=1, method="nearest")
    found = np.isfinite(middle)
    return Curve(np.array(steps)[found], *(each[found] for each in (middle, low, high)))


def curves(trials: Sequence[Trial], looks: Mapping[str, Look]) -> Section:
    """Draw a panel of each problem in each track."""
    parts = []
    for track in sorted({trial.track for trial in trials if trial.points}, reverse=True):  # tuned, default
        some = [trial for trial in trials if trial.track == track]
        parts.append(Part(f"Track {track}", panels=list(_panels(some, track, looks))))
    if not parts:
        return absent("curves", "Curves", "points of trials", command_line("bench"))
    text = (
        "The metric on data that are not trained on, over the steps: median and middle 60 % of the seeds. The mark is "
        "the end, the dotted line the target; what is judged is when a trial meets it at two points in a row."
    )
    return Section("curves", "Curves", [text], parts=parts)


def _panels(trials: Sequence[Trial], track: str, looks: Mapping[str, Look]) -> Iterator[Panel]:
    names = {look.key: name for name, look in looks.items()}
    for place, problem in enumerate(dict.fromkeys(trial.problem for trial in trials)):
        some = [trial for trial in trials if trial.problem == problem]
        by = {name: [t for t in some if t.optimizer == name] for name in dict.fromkeys(t.optimizer for t in some)}
        found = {name: made for name in by if len((made := curve(by[name])).steps)}
        first, seeds = some[0], len({trial.seed for trial in some})
        better = "lower" if first.lower_is_better else "higher"
        note = f"{first.metric}, {better} is better; n = {seeds}"
        if first.target is not None:
            note += f"; target {words.metric(first.metric, first.target)}"
        alt = f"{problem}, {track}: {note}. {_best(found, first)}"

        def draw(axes: Any, found: Mapping[str, Curve] = found, first: Trial = first) -> None:
            _draw(axes, found, first, looks)

        yield Panel(problem, note, drawn(f"curve-{track}-{place}", alt, draw, names=names))


def _best(found: Mapping[str, Curve], first: Trial) -> str:
    """Say which optimizer ends best."""
    sign = 1 if first.lower_is_better else -1
    ends = sorted((sign * made.middle[-1], name) for name, made in found.items())
    said = [f"{name} {words.metric(first.metric, sign * value)}" for value, name in ends[:NAMED]]
    return f"Curves of {len(found)} optimizers over the steps; at the end the best medians are {', '.join(said)}."


def _draw(axes: Any, found: Mapping[str, Curve], first: Trial, looks: Mapping[str, Look]) -> None:
    for name, made in found.items():
        line = looks[name].line
        low, high = (np.where(np.isfinite(each), each, made.middle) for each in (made.low, made.high))
        # What is toggled is one group: the line's; the band has the same gid.
        if (low != high).any():
            band = {"color": line["color"], "gid": line["gid"], "linewidth": 0, "alpha": 0.13}
            axes.fill_between(made.steps, low, high, **band)
        mark = looks[name].mark
        axes.plot(made.steps, made.middle, marker=mark, markevery=[len(made.steps) - 1], **line)
    axes.set(xlabel="step")
    axes.xaxis.set_major_formatter(ticks())
    if found:
        start = float(np.median([made.middle[0] for made in found.values()]))
        limits(axes, [end for made in found.values() for end in (made.middle.min(), made.middle.max())], first, start)
    if first.target is not None:
        axes.axhline(first.target, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))


def limits(axes: Any, values: Sequence[float], first: Trial, start: float) -> None:
    """Let the axis of a metric reach from where training starts to the best; what blows up leaves at the top.

    Args:
        axes: of the figure.
        values: that are drawn.
        first: a trial that says what the metric is.
        start: the metric before the first step.

    """
    ends = [start, *values, start if first.target is None else first.target]
    low, high = min(ends), max(ends)
    if first.lower_is_better:
        low, high = max(low, start * DEEP if first.target is None else first.target * BELOW), start
        if low > 0 and AXIS * low < start:
            axes.set_ylim(low / 1.3, start * 1.5)
            log_axis(axes.yaxis)
            return
    pad = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    axes.set_ylim(low - pad, high + pad)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.metric(first.metric, value)))
