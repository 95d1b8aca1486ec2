"""Curves: the metric over the steps of each problem, median and middle 60 % over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from trainstation.bench import command_line, words
from trainstation.bench.palette import is_control
from trainstation.bench.records.rows import Trial
from trainstation.bench.report.axes import limits, ticks
from trainstation.bench.report.curves import Curve, curve
from trainstation.bench.report.page.drawing import Drawing
from trainstation.bench.report.page.looks import INK, Look
from trainstation.bench.report.page.sections import Panel, Part, Section, absent

__all__ = ["curves"]

NAMED = 3  # of the best, in the text that stands for a figure


def curves(trials: Sequence[Trial], looks: Mapping[str, Look]) -> Section:
    """Draw a panel of each problem in each track."""
    parts = []
    for track in sorted({trial.track for trial in trials if trial.points}, reverse=True):  # tuned, known, default
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

        yield Panel(problem, note, Drawing(f"curve-{track}-{place}", alt, draw, names=names))


def _best(found: Mapping[str, Curve], first: Trial) -> str:
    """Say which optimizer ends best."""
    sign = 1 if first.lower_is_better else -1
    ends = sorted((sign * made.middle[-1], name) for name, made in found.items() if not is_control(name))
    said = [f"{name} {words.metric(first.metric, sign * value)}" for value, name in ends[:NAMED]]
    return f"Curves of {len(ends)} optimizers over the steps; at the end the best medians are {', '.join(said)}."


def _draw(axes: Any, found: Mapping[str, Curve], first: Trial, looks: Mapping[str, Look]) -> None:
    for name, made in found.items():
        made.draw(axes, looks[name].line, looks[name].mark)
    axes.set(xlabel="step")
    axes.xaxis.set_major_formatter(ticks())
    if found:
        limits(
            axes,
            [end for made in found.values() for end in (made.middle.min(), made.middle.max())],
            first,
            float(np.median([made.middle[0] for made in found.values()])),
        )
    if first.target is not None:
        axes.axhline(first.target, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
