"""What the searches show: how much the learning rate matters, and what fewer trials would have found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from trainstation.bench import command_line, stats, words
from trainstation.bench.records.rows import Trial
from trainstation.bench.report.axes import limits, log_axis
from trainstation.bench.report.page.drawing import Drawing
from trainstation.bench.report.page.looks import Look
from trainstation.bench.report.page.sections import Panel, Part, Section, absent
from trainstation.bench.report.page.tables import matrix
from trainstation.bench.verdicts.cells import Tracks
from trainstation.bench.verdicts.sensitivity import Sensitivity, expected_best, sensitivity
from trainstation.registry.spaces import Space

__all__ = ["expectation", "rates"]

Looks = Mapping[str, Look]
WIDE = 2.0  # decades that are shaded the most
MAKES_THEM = ("tune", "NAME")


def rates(known: Tracks, boxes: Mapping[str, Space], looks: Looks) -> Section:
    """Draw where each search ended, over its learning rates, and list how wide the good ones are."""
    title = "Sensitivity to the learning rate"
    found = sensitivity(known, boxes)
    if not found:
        return absent("sensitivity", title, "searches", command_line(*MAKES_THEM))
    widths = {(each.optimizer, each.problem): each.decades for each in found}
    shares = {(each.optimizer, each.problem): each.reached for each in found if each.reached is not None}
    tables = [
        matrix(
            "Decades of learning rates around the best within which each point reaches the target, or ends within 5 % "
            "of the best metric",
            *("optimizer", widths, lambda value: words.number(value, ".1f")),
            lambda _, value: min(1.0, value / WIDE),
        )
    ]
    if shares:
        caption = "Share of the points of the search box that reach the target"
        tables.append(matrix(caption, "optimizer", shares, words.share, lambda _, value: value))
    text = "Every point of a search is a mark; other hyper-parameters than the rate vary, too. What diverged has none."
    return Section(
        "sensitivity", title, [text], parts=[Part(panels=list(_rates(found, known, looks))), Part(tables=tables)]
    )


def _rates(found: Sequence[Sensitivity], known: Tracks, looks: Looks) -> Iterator[Panel]:
    for place, (problem, first, start) in enumerate(_problems(known)):
        points = {
            each.optimizer: [(lr, final) for lr, final, _ in each.points if lr is not None and final is not None]
            for each in found
            if each.problem == problem
        }

        def draw(axes: Any, points: Any = points, first: Trial = first, start: float | None = start) -> None:
            for name, some in points.items():
                look = looks[name]
                axes.plot(
                    *zip(*some, strict=True) if some else ([], []), marker=look.mark, **look.line | {"linewidth": 0.9}
                )
            finals = [final for some in points.values() for _, final in some]
            if finals:
                _limits(axes, finals, first, start)
                log_axis(axes.xaxis)
            axes.set(xlabel="learning rate")

        widest = sorted((-(each.decades or 0.0), each.optimizer) for each in found if each.problem == problem)[:3]
        best = ", ".join(f"{name} {-width:.1f}" for width, name in widest)
        alt = f"{problem}: {first.metric} at the end of each trial of the searches, by learning rate."
        alt += f" Most decades of good rates: {best}."
        yield _panel(problem, f"{first.metric} at the end", f"rates-{place}", alt, draw, looks)


def expectation(known: Tracks, looks: Looks) -> Section:
    """Draw the expected best metric after so many trials of a search."""
    title = "Expected best after k trials"
    found = expected_best(known)
    if not found:
        return absent("expected", title, "searches", command_line(*MAKES_THEM))
    panels = []
    for place, (problem, first, start) in enumerate(_problems(known)):
        some = {name: values for (which, name), values in found.items() if which == problem}

        def draw(axes: Any, some: Any = some, first: Trial = first, start: float | None = start) -> None:
            for name, values in some.items():
                look = looks[name]
                axes.plot(range(1, len(values) + 1), values, marker=look.mark, markevery=[len(values) - 1], **look.line)
            every = [float(value) for values in some.values() for value in values]
            if every:
                _limits(axes, every, first, start)
            axes.set(xlabel="trials")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))

        sign = 1 if first.lower_is_better else -1
        after = sorted((sign * values[0], name) for name, values in some.items())[:3]
        best = ", ".join(f"{name} {words.metric(first.metric, sign * value)}" for value, name in after)
        alt = f"{problem}: expected best {first.metric} after 1 to all trials of the search. After one: {best}."
        panels.append(
            _panel(problem, f"{first.metric}; after one trial: {best}", f"expected-{place}", alt, draw, looks)
        )
    text = "What the best of k points of the box would have been, all sets of k as likely: how much tuning one needs."
    return Section("expected", title, [text], parts=[Part(panels=panels)])


def _problems(known: Tracks) -> Iterator[tuple[str, Trial, float | None]]:
    """Yield each problem that was searched on, with one of its trials and the metric before training."""
    for problem in dict.fromkeys(problem for problem, _ in known["tuning"]):
        cells = [cell for some in known.values() for cell in some.values() if cell.problem == problem]
        some = [trial for cell in cells for trial in cell.trials]
        starts = [trial.points[0].val_metric for trial in some if trial.points]
        yield problem, some[-1], stats.median(starts)


def _limits(axes: Any, values: Sequence[float], first: Trial, start: float | None) -> None:
    """Let the axis show all values, and where training starts if that is known."""
    limits(axes, values, first, float(np.median(values)) if start is None else start)


def _panel(title: str, note: str, ident: str, alt: str, draw: Any, looks: Looks) -> Panel:
    return Panel(title, note, Drawing(ident, alt, draw, names={look.key: name for name, look in looks.items()}))
