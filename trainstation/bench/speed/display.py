"""What `trainstation speed` shows: a line for each case, tables, what a step costs, and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from trainstation.bench import palette, stats, words
from trainstation.bench.records.rows import Speed
from trainstation.bench.words import counted

__all__ = ["HEADINGS", "draw", "draw_models", "draw_sizes", "lines", "setting", "settings", "tables", "timed"]

HEADINGS = ("optimizer", "case", "threads", "us a step", "ns / element", "GB/s", "% of roof")  # of a table of times

RESIDENT = 4  # arrays of a parameter's size in Adam's working set: p, g and two states


def timed(rows: Sequence[Speed]) -> list[Speed]:
    """Return the rows of steps that have a time."""
    return [row for row in rows if row.suite == "step" and row.median_ns is not None]


def settings(rows: Sequence[Speed]) -> list[tuple[int, str]]:
    """Return what was timed, apart: threads, and warm or cold."""
    return list(dict.fromkeys((row.threads, row.mode) for row in rows))


def setting(threads: int, mode: str) -> str:
    """Write on how many threads, and with what caches."""
    return f"{counted(threads, 'thread')}, {mode}"


def _names(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))


def lines(rows: Sequence[Speed]) -> Iterator[str]:
    """Say of each optimizer that is no peer how it did on one case."""
    for row in timed(rows):
        if row.is_peer:
            continue
        text = f"{row.peer} {words.microseconds(row.median_ns)} us"
        if row.roof_pct is not None:
            text += f", {row.roof_pct:.0f} % of {row.roof}"
        if row.speedup:
            text += f", {words.ratio(row.speedup)} the speed of {row.baseline}: {row.verdict}"
        if row.verdict == "disturbed":
            text += f" (others took {row.others_pct:.0f} % of the processors' time)"
        yield text + (", invalid" if row.status == "invalid" else "")


def _table(first: int, headings: Sequence[str]) -> Table:
    """Return a table whose first columns are words, and the others numbers."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for position, heading in enumerate(headings):
        named = not position or heading == "peer"
        made.add_column(heading, justify="left" if position < first else "right", overflow="fold", no_wrap=named)
    return made


def tables(rows: Sequence[Speed]) -> Iterator[tuple[str, Table]]:
    """Yield tables with their titles: all times; the optimizers that are no peers against the best peer; the costs."""
    steps = timed(rows)
    if not steps:
        return
    for threads, mode in settings(steps):
        some = [row for row in steps if (row.threads, row.mode) == (threads, mode)]
        for title, chosen in (
            ("us a step, by elements of one tensor", [row for row in some if row.tensors == 1]),
            ("us a step, by model", [row for row in some if row.tensors > 1]),
        ):
            if chosen:
                yield f"{title}; {setting(threads, mode)} (! invalid, ~ in doubt)", _times(chosen)
    yield (
        "Against the roof and the fastest peer, with 95 % intervals",
        _verdicts([row for row in steps if not row.is_peer]),
    )
    costs = _costs([row for row in steps if row.mode == "warm"])
    if costs.row_count:
        yield "What a step costs, fitted over all warm cases", costs


def _times(rows: Sequence[Speed]) -> Table:
    cases = _names([row.case for row in rows])
    made = _table(1, ["", *cases])
    for name in _names([row.peer for row in rows]):
        cells = {row.case: row for row in rows if row.peer == name}
        own = any(row.own_threads for row in cells.values())
        made.add_row(name + " (own threads)" * own, *(_cell(cells.get(case)) for case in cases))
    return made


def _cell(row: Speed | None) -> str:
    if row is None:
        return "-"
    return words.microseconds(row.median_ns) + ("!" if row.status == "invalid" else "~" if row.warnings else "")


def _verdicts(rows: Sequence[Speed]) -> Table:
    made = _table(2, [*HEADINGS, "peer", "speed / peer's", ""])
    for row in rows:
        made.add_row(
            *(
                row.peer,
                row.case,
                f"{row.threads} {row.mode}",
                words.microseconds(row.median_ns),
                f"{row.ns_per_param:.3g}",
            ),
            *(f"{row.gbps:.3g}", words.number(row.roof_pct, ".0f", words.DASH)),
            *(row.baseline, words.ratio(row.speedup, ""), "invalid" if row.status == "invalid" else row.verdict),
        )
    return made


def _costs(rows: Sequence[Speed]) -> Table:
    made = _table(1, ["", "threads", "us / call", "ns / tensor", "ns / element"])
    for threads, name in dict.fromkeys((row.threads, row.peer) for row in rows):
        cases = [(r.tensors, r.n, r.median_ns or 0.0) for r in rows if (r.threads, r.peer) == (threads, name)]
        cost = stats.fit(cases)
        if cost is not None:
            tensor = words.number(cost.tensor, ".0f", words.DASH)
            made.add_row(name, str(threads), f"{cost.call / 1e3:.2f}", tensor, f"{cost.element:.3f}")
    return made


def draw(rows: Sequence[Speed], caches: Mapping[str, int], path: Path) -> None:
    """Write a PNG: for each setting, time by size with the caches marked, and bars of the models."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    steps = timed(rows)
    apart = settings(steps)
    figure = Figure(figsize=(14, 4.8 * max(1, len(apart))), layout="constrained")
    FigureCanvasAgg(figure)
    looks = palette.lines(row.peer for row in steps)
    for number, (threads, mode) in enumerate(apart):
        lines, bars = (figure.add_subplot(len(apart), 2, 2 * number + column) for column in (1, 2))
        chosen = [row for row in steps if (row.threads, row.mode) == (threads, mode)]
        draw_sizes(lines, [row for row in chosen if row.tensors == 1], looks, caches)
        draw_models(bars, [row for row in chosen if row.tensors > 1], looks)
        for panel in (lines, bars):
            panel.set_title(setting(threads, mode))
    figure.savefig(path, dpi=120)


def draw_sizes(axes: Any, rows: Sequence[Speed], looks: Mapping[str, Any], caches: Mapping[str, int]) -> None:
    """Draw nanoseconds an element by size."""
    axes.set(xscale="log", yscale="log", xlabel="elements of one tensor", ylabel="ns / element")
    if not rows:
        return
    for name in _names([row.peer for row in rows]):
        some = [row for row in rows if row.peer == name]
        axes.plot([row.n for row in some], [row.ns_per_param for row in some], marker=".", label=name, **looks[name])
    roofed = [row for row in rows if row.peer == rows[0].peer and row.roof_gbps and row.bytes_min]
    roof = [(row.bytes_min or 0) / (row.roof_gbps or 1) / row.n for row in roofed]
    axes.plot([row.n for row in roofed], roof, color="0.6", linewidth=5, zorder=0, label=f"the roof of {rows[0].peer}")
    for level, size in caches.items():
        elements = size / (RESIDENT * np.dtype(rows[0].dtype).itemsize)
        axes.axvline(elements, color="0.5", linewidth=0.8)
        axes.annotate(level, (elements, 0.01), xycoords=("data", "axes fraction"), ha="right", color="0.4")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")


def draw_models(axes: Any, rows: Sequence[Speed], looks: Mapping[str, Any]) -> None:
    """Draw the time of a step on each model, as a multiple of the first contender's."""
    cases, names = _names([row.case for row in rows]), _names([row.peer for row in rows])
    unit = {row.case: row.median_ns for row in rows if row.peer == names[0]}
    width = 0.8 / max(1, len(names))
    for place, name in enumerate(names):
        some = [row for row in rows if row.peer == name and row.case in unit]
        at = [cases.index(row.case) + (place - (len(names) - 1) / 2) * width for row in some]
        hatch = None if looks[name]["linestyle"] == palette.STYLES[0] else "///"
        heights = [(row.median_ns or 0) / (unit[row.case] or 1) for row in some]
        axes.bar(at, heights, width, color=looks[name]["color"], hatch=hatch, edgecolor="white")
    axes.set(ylabel=f"time of a step / {names[0]}'s" if names else "")
    axes.set_xticks(range(len(cases)), cases)
    axes.grid(visible=True, axis="y", alpha=0.3)
