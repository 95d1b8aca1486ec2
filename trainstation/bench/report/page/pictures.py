"""Speed against size, the share of a step, and paths on the landscapes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from trainstation.bench import command_line, stats, words
from trainstation.bench.protocol.landscapes import LANDSCAPES, Landscape
from trainstation.bench.records.rows import Path, Speed, Trial
from trainstation.bench.report.axes import log_axis
from trainstation.bench.report.page.drawing import Drawing
from trainstation.bench.report.page.looks import FAINT, GRID, INK, Look
from trainstation.bench.report.page.sections import Panel, Part, Section, absent
from trainstation.bench.report.page.tables import Cell, Table, matrix, number
from trainstation.bench.speed import display
from trainstation.bench.words import counted

__all__ = ["landscapes", "shares", "speed"]

Looks = Mapping[str, Look]
GRID_POINTS, LEVELS = 120, 14


def speed(rows: Sequence[Speed], caches: Mapping[str, int], looks: Looks) -> Section:
    """Draw what a step costs by size, with the caches and the roof of the memory, and list it against the peers."""
    title = "Speed of the step"
    timed = display.timed(rows)
    if not timed:
        return absent("speed", title, "timings", command_line("speed"))
    parts = [
        Part(panels=list(_speeds(timed, caches, looks)), wide=True),
        Part(tables=[_timings([row for row in timed if not row.is_peer])]),
    ]
    text = (
        "Nanoseconds for each element of one tensor. Vertical lines: where Adam's arrays fill a cache; the wide pale "
        "line: the least that the memory allows, by a probe of its bandwidth in the same run. Beside it, models of "
        "many tensors."
    )
    return Section("speed", title, [text], parts=parts)


def _speeds(timed: Sequence[Speed], caches: Mapping[str, int], looks: Looks) -> Iterator[Panel]:
    gids = {look.key: name for name, look in looks.items()}
    lines = {name: look.line for name, look in looks.items()}
    for place, (threads, mode) in enumerate(display.settings(timed)):
        some = [row for row in timed if (row.threads, row.mode) == (threads, mode)]
        where = display.setting(threads, mode)
        single = [row for row in some if row.tensors == 1]
        models = [row for row in some if row.tensors > 1]
        if len({row.n for row in single}) > 1:

            def by_size(axes: Any, single: Sequence[Speed] = single) -> None:
                display.draw_sizes(axes, single, lines, caches)
                _tidy(axes)
                log_axis(axes.xaxis)
                log_axis(axes.yaxis)

            alt = f"Nanoseconds an element by elements of one tensor, {where}. {_fastest(single)}"
            note = f"ns / element by elements, {where}"
            yield Panel("One tensor", note, Drawing(f"speed-{place}", alt, by_size, size=(5.6, 3.4), names=gids))
        if models:

            def by_model(axes: Any, models: Sequence[Speed] = models) -> None:
                display.draw_models(axes, models, lines)
                _tidy(axes)
                for name, bars in zip(dict.fromkeys(row.peer for row in models), axes.containers, strict=True):
                    for bar in bars:
                        bar.set(gid=looks[name].key, edgecolor="none", hatch=None)
                log_axis(axes.yaxis)

            base = models[0].peer
            alt = f"Time of a step on models of many tensors as a multiple of {base}'s, {where}. {_fastest(models)}"
            note = f"time of a step / {base}'s, {where}"
            yield Panel("Models", note, Drawing(f"models-{place}", alt, by_model, size=(5.6, 3.4), names=gids))


def _tidy(axes: Any) -> None:
    """Take off what the page says itself; the legend of all figures is one."""
    if axes.get_legend() is not None:
        axes.get_legend().remove()
    axes.grid(visible=True, color=GRID, alpha=1)
    for text in axes.texts:
        text.set_color(INK)
    axes.set_ylabel("")


def _fastest(rows: Sequence[Speed]) -> str:
    """Say which entrant is the fastest on the largest case."""
    most = max(row.n for row in rows)
    best = min((row for row in rows if row.n == most), key=lambda row: row.median_ns or math.inf)
    return f"On {best.case}, {best.peer} is the fastest, with {words.figure(best.ns_per_param)} ns an element."


def _timings(rows: Sequence[Speed]) -> Table:
    headings = [*display.HEADINGS, "speed / peer's", "peer", "verdict", "n"]
    lines = [
        [
            Cell(row.peer),
            Cell(row.case),
            Cell(display.setting(row.threads, row.mode)),
            number(words.figure((row.median_ns or 0) / 1e3), row.median_ns),
            number(words.figure(row.ns_per_param), row.ns_per_param),
            number(words.figure(row.gbps), row.gbps),
            number(words.count(row.roof_pct), row.roof_pct),
            number(words.ratio(row.speedup), row.speedup.mid if row.speedup else None),
            Cell(row.baseline),
            Cell("invalid" if row.status == "invalid" else row.verdict),
            number(str(len(row.samples_ns)), len(row.samples_ns)),
        ]
        for row in rows
    ]
    caption = (
        "Each timing: medians of n samples, against the roof of the memory and the fastest peer, with 95 % intervals"
    )
    return Table(caption, headings, lines, frozenset({"case", "threads", "peer", "verdict"}))


def shares(trials: Sequence[Trial]) -> Section:
    """Say how much of a training step is the optimizer's."""
    spent: dict[tuple[str, str], list[float | None]] = {}
    for trial in trials:
        if trial.optimizer_share is not None:
            spent.setdefault((trial.optimizer, trial.problem), []).append(trial.optimizer_share)
    if not spent:
        return absent("shares", "Share of the training step", "times of steps", command_line("bench"))
    values = {key: stats.median(some) for key, some in spent.items()}
    found = matrix(
        "Share of a training step that is the optimizer's (zero_grad and step), median over trials",
        "optimizer",
        values,
        words.share,
        lambda _, value: value,
    )
    text = "An optimizer that is twice as fast saves half of this share, and no more."
    return Section("shares", "Share of the training step", [text], parts=[Part(tables=[found])])


def landscapes(paths: Sequence[Path], looks: Looks) -> Section:
    """Draw the paths over lines of equal height."""
    title = "Paths on landscapes"
    known = list({(path.landscape, path.optimizer): path for path in paths if path.landscape in LANDSCAPES}.values())
    if not known:
        return absent("landscapes", title, "paths", "trainstation bench --profile standard")
    names = {look.key: name for name, look in looks.items()}
    panels = []
    for name in dict.fromkeys(path.landscape for path in known):
        some, land = [path for path in known if path.landscape == name], LANDSCAPES[name]

        def draw(axes: Any, some: Sequence[Path] = some, land: Landscape = land) -> None:
            _land(axes, land)
            for path in some:
                look = looks[path.optimizer]
                axes.plot(path.x, path.y, marker=look.mark, markevery=[len(path.x) - 1], **look.line)

        low = sorted((path.value, path.optimizer) for path in some if path.value is not None)[:3]
        best = ", ".join(f"{optimizer} {words.figure(value)}" for value, optimizer in low)
        note = f"{counted(len(some), 'optimizer')}, each at its best rate of one grid; lowest end: {best}"
        alt = f"{land.title}: lines of equal height, and paths from {land.start}. {note}"
        panels.append(Panel(land.title, note, Drawing(f"land-{name}", alt, draw, size=(5.6, 4.6), names=names)))
    text = "Pictures, not scored: steps in two dimensions, without noise. ○ start, + lowest point; a mark is an end."
    return Section("landscapes", title, [text], parts=[Part(panels=panels, wide=True)])


def _land(axes: Any, land: Landscape) -> None:
    x, y = (np.linspace(*side, GRID_POINTS) for side in (land.x_range, land.y_range))
    height = land.f(*np.meshgrid(x, y))
    above = height - height.min()
    levels = np.quantile(above, np.linspace(0, 1, LEVELS + 2)[1:-1] ** 1.5)
    axes.contour(x, y, above, levels=np.unique(levels), colors=FAINT, linewidths=0.5, alpha=0.6)
    axes.plot(*land.start, marker="o", markerfacecolor="none", color=INK, markersize=8, linestyle="")
    if land.minimum is not None:
        axes.plot(*land.minimum, marker="+", color=INK, markersize=11, markeredgewidth=1.6, linestyle="")
    axes.set(xlim=land.x_range, ylim=land.y_range)
    axes.grid(visible=False)
