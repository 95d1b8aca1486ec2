"""What a run shows at its end: a table, and a picture of the curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from trainstation.bench.problems import Problem
from trainstation.bench.rows import Trial

__all__ = ["draw", "table"]

# Okabe and Ito's colours, which the colour-blind can tell apart; line styles go on where they end.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
FEW = 30  # points that are worth a mark each
STYLES = ("-", "--", ":", "-.")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def table(problem: Problem, trials: Sequence[Trial]) -> Table:
    """Return the trials as a table, the best metric first."""
    made = Table(
        title=f"{problem.name}: {problem.summary}",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    made.add_column("optimizer", min_width=9, overflow="fold")
    made.add_column("distribution", min_width=5, overflow="fold")
    for heading in (f"test {problem.metric}", "best", "final loss", "epochs", "us / step", "us in optimizer"):
        made.add_column(heading, justify="right", min_width=max(map(len, heading.split())))
    made.add_column("status", no_wrap=True)
    seeds = len({trial.seed for trial in trials}) > 1
    for trial in sorted(trials, key=lambda trial: -1.0 if trial.final is None else trial.final, reverse=True):
        share = trial.optimizer_us / trial.step_us if trial.optimizer_us and trial.step_us else None
        made.add_row(
            trial.optimizer + (f" (seed {trial.seed})" if seeds else ""),
            f"{trial.distribution} {trial.version}".strip(),
            _number(trial.final, ".1%"),
            _number(trial.best, ".1%"),
            _number(trial.final_loss, ".2g"),
            f"{trial.epochs:.0f}",
            _number(trial.step_us, ",.0f"),
            _number(trial.optimizer_us, ",.0f") + ("" if share is None else f" ({share:.0%})"),
            trial.status,
        )
    return made


def draw(problem: Problem, trials: Sequence[Trial], path: Path) -> None:
    """Write a PNG: training loss and the metric over the steps, one colour an optimizer."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    losses, metrics = figure.subplots(1, 2)
    names = list(dict.fromkeys(trial.optimizer for trial in trials))
    labelled = set()
    for trial in trials:
        place = names.index(trial.optimizer)
        look = {"color": COLOURS[place % len(COLOURS)], "linestyle": STYLES[place // len(COLOURS) % len(STYLES)]}
        label = None if trial.optimizer in labelled else trial.optimizer
        if label and trial.status in ("diverged", "error"):
            label += f" ({trial.status})"
        labelled.add(trial.optimizer)
        trained = [point for point in trial.points if point.train_loss is not None]
        look["marker"] = "." if len(trial.points) < FEW else ""
        losses.plot([p.step for p in trained], [p.train_loss for p in trained], label=label, **look)
        metrics.plot([p.step for p in trial.points], [p.val_metric for p in trial.points], **look)
    losses.set(xlabel="step", ylabel="training loss (mean of the epoch)", yscale="log")
    metrics.set(xlabel="step", ylabel=f"test {problem.metric}")
    for axes in (losses, metrics):
        axes.grid(visible=True, alpha=0.3)
    losses.legend()
    figure.suptitle(f"{problem.name}: {problem.summary}")
    figure.savefig(path, dpi=120)
