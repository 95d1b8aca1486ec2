"""What a run shows while it works: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from trainstation.bench.rows import Trial

__all__ = ["Live"]

INTERVAL = 5.0  # seconds between plain lines


class Live:
    """Shows each trial's progress on a console."""

    def __init__(self, console: Console, trials: int) -> None:
        """Prepare for so many trials."""
        self._console, self._trials = console, trials
        self._number = 0
        self._task = TaskID(0)
        self._label, self._printed = "", 0.0
        self._bars = None
        if console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("best {task.fields[best]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=console,
            )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, label: str) -> None:
        """Start to show a trial."""
        self._number += 1
        self._label, self._printed = f"[{self._number}/{self._trials}] {label}", time.perf_counter()
        if self._bars is not None:
            self._task = self._bars.add_task(self._label, total=1.0, best="-")

    def progress(self, done: float, best: float | None) -> None:
        """Show how far the trial is."""
        text = "-" if best is None else f"{best:.1%}"
        if self._bars is not None:
            self._bars.update(self._task, completed=min(done, 1.0), best=text)
        elif time.perf_counter() - self._printed > INTERVAL:
            self._printed = time.perf_counter()
            self._line(f"{self._label}: {min(done, 1.0):.0%}, best {text}")

    def end(self, trial: Trial) -> None:
        """Show how the trial ended."""
        result = "-" if trial.final is None else f"{trial.final:.1%}"
        if self._bars is not None:
            best = "-" if trial.best is None else f"{trial.best:.1%}"
            self._bars.update(self._task, completed=1.0, best=best)
            if trial.status in ("diverged", "error"):
                self._bars.update(self._task, description=f"{self._label} [red]{trial.status}[/red]")
        else:
            self._line(
                f"{self._label}: {trial.status}, {trial.metric} {result}, {trial.steps} steps, {trial.secs:.1f} s"
            )

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
