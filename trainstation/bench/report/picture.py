"""The picture that a run writes at its end: of each problem the metric and the training loss over the steps."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from trainstation.bench.palette import look_of
from trainstation.bench.problems import Problem
from trainstation.bench.records.rows import Trial
from trainstation.bench.report.axes import columns, limits, log_axis, spans_decades, ticks
from trainstation.bench.report.curves import Curve, curve, loss_curve

__all__ = ["draw"]

ACROSS = 3  # problems beside one another
WIDE, HIGH = 4.3, 2.7  # inches of a panel
LETTERS = 46  # of a title in its width
ROOM = 0.12  # of an axis, that a line of small letters takes
TRACKS = {"known": 1.5, "tuned": 1.5, "default": 0.8}  # width of the lines


def draw(problems: Sequence[Problem], trials: Sequence[Trial], path: Path) -> None:
    """Write a PNG: median and middle 60 % of the seeds, one colour a name; thin lines are of the track default."""
    scored = [trial for trial in trials if trial.track in TRACKS]
    names = list(dict.fromkeys(trial.optimizer for trial in scored))
    across = min(ACROSS, len(problems))
    down = -(-len(problems) // across)
    figure = Figure(figsize=(WIDE * max(across, 2), 2 * HIGH * down + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2 * down, across, squeeze=False)
    for place, axes in enumerate(panels.flat):
        row, column = divmod(place, across)
        number = row // 2 * across + column
        if number >= len(problems):
            axes.set_axis_off()
            continue
        problem = problems[number]
        some = [trial for trial in scored if trial.problem == problem.name]
        (_losses if row % 2 else _metrics)(axes, problem, some)
        axes.set_xlabel("step" if row % 2 else "")
        axes.xaxis.set_major_formatter(ticks())
        axes.grid(visible=True, alpha=0.3)
    handles = [panels[0, 0].plot([], [], label=_label(name, scored), **look_of(name).line)[0] for name in names]
    across = columns(map(str, (handle.get_label() for handle in handles)), figure.get_figwidth())
    figure.legend(handles=handles, loc="outside lower center", ncols=across, frameon=False)
    figure.savefig(path, dpi=100)


def _label(name: str, trials: Sequence[Trial]) -> str:
    """Return a name, and what became of its trials if that is not the usual."""
    states = {trial.status for trial in trials if trial.optimizer == name} - {"done"}
    return f"{name} ({', '.join(sorted(states))})" if states else name


def _curves(axes: Any, trials: Sequence[Trial], made_of: Any) -> list[Curve]:
    """Draw a curve for each optimizer in each track."""
    drawn = []
    for name, track in dict.fromkeys((trial.optimizer, trial.track) for trial in trials):
        found = made_of([trial for trial in trials if (trial.optimizer, trial.track) == (name, track)])
        if len(found.steps):
            look = look_of(name)
            found.draw(axes, look.line | {"linewidth": TRACKS[track], "markersize": 4}, look.mark)
            drawn.append(found)
    return drawn


def _metrics(axes: Any, problem: Problem, trials: Sequence[Trial]) -> None:
    better = "lower" if problem.lower_is_better else "higher"
    axes.set_title(f"{problem.name}\n{textwrap.fill(problem.summary, LETTERS)}", fontsize="medium")
    axes.set_ylabel(f"test {problem.metric} ({better} is better)", fontsize="small")
    found = _curves(axes, trials, curve)
    if found:
        limits(
            axes,
            [float(end) for each in found for end in (each.middle.min(), each.middle.max())],
            problem,
            float(np.median([each.middle[0] for each in found])),
        )
    if problem.target is not None:
        axes.axhline(problem.target, color="0.4", linewidth=0.9, linestyle=(0, (2, 2)))
        where = axes.transAxes.inverted().transform(axes.transData.transform((0.0, problem.target)))[1]
        # On the side where curves have gone by, if there is room for it.
        below = where > ROOM if problem.lower_is_better else where > 1 - ROOM
        axes.annotate(
            f"target {problem.say(problem.target)}",
            (0.01, problem.target),
            xycoords=("axes fraction", "data"),
            xytext=(0, -3 if below else 3),
            textcoords="offset points",
            va="top" if below else "bottom",
            color="0.3",
            fontsize="small",
        )


def _losses(axes: Any, problem: Problem, trials: Sequence[Trial]) -> None:  # noqa: ARG001  # as of metrics
    axes.set_ylabel("training loss", fontsize="small")
    values = np.concatenate([each.middle for each in _curves(axes, trials, loss_curve)] or [np.zeros(0)])
    if len(values) and spans_decades(float(values.min()), float(values.max())):
        log_axis(axes.yaxis)
