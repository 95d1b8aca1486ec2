"""What a run shows while it works: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from trainstation.bench.problems import Problem
from trainstation.bench.protocol.trial import Job
from trainstation.bench.words import clock

__all__ = ["TrialProgress"]

INTERVAL = 5.0  # seconds between plain lines
REFRESH = 0.1  # seconds between two looks of a terminal


class TrialProgress:
    """Shows how far the whole is, and each trial that runs.

    A terminal is drawn between steps, never by a thread of its own, whose time would be taken for the trial's.
    """

    def __init__(
        self,
        console: Console,
        problems: Mapping[str, Problem],
        cost: Callable[[Job], float],
        trials: int,
        seconds: float,
    ) -> None:
        """Prepare.

        Args:
            console: where to; one that is quiet shows nothing.
            problems: on what, by name.
            cost: how many seconds a trial will take, as far as is known.
            trials: how many are to come.
            seconds: that all of them will take, as far as is known.

        """
        self._console, self._cost, self._problems = console, cost, problems
        self._jobs, self._over, self._seconds = trials, 0.0, seconds
        self._running: dict[int, tuple[Job, float]] = {}
        self._finished = 0
        self._begin = self._printed = self._drawn = time.perf_counter()
        self._bars: Progress | None = None
        self._tasks: dict[int, TaskID] = {}
        if console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[best]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(elapsed_when_finished=False),
                TextColumn("left"),
                console=console,
                auto_refresh=False,
                transient=True,
            )
            self._whole = self._bars.add_task(self._headline(), total=1.0, best="")

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def _headline(self) -> str:
        return f"{self._finished} of {max(self._jobs, self._finished)} trials"

    def begin(self, slot: int, job: Job) -> None:
        """A trial begins."""
        self._running[slot] = job, 0.0
        if self._bars is not None:
            if slot in self._tasks:
                self._bars.remove_task(self._tasks[slot])
            self._tasks[slot] = self._bars.add_task(label(job), total=1.0, best="")

    def progress(self, slot: int, done: float, best: float | None) -> None:
        """A trial is so far."""
        now = time.perf_counter()
        if now - self._drawn < REFRESH:
            return
        self._drawn = now
        job, _ = self._running[slot]
        self._running[slot] = job, min(done, 1.0)
        text = f"best {self._problems[job.problem].say(best)}"
        if self._bars is not None:
            self._bars.update(self._tasks[slot], completed=min(done, 1.0), best=text)
            self._bars.update(self._whole, description=self._headline(), completed=self._share())
            self._bars.refresh()
        elif now - self._printed > INTERVAL:
            self._printed = now
            left = f"{self._headline()}, {self._share():.0%}, about {clock(self._left(now))} left"
            self._line(f"{left}; {label(job)}: {min(done, 1.0):.0%}, {text}")

    def skip(self, job: Job) -> None:
        """A trial need not be run."""
        self._finished += 1
        self._seconds -= self._cost(job)

    def end(self, job: Job) -> None:
        """A trial has ended."""
        self._finished += 1
        self._over += self._cost(job)
        for slot, (running, _) in list(self._running.items()):
            if running is job:
                del self._running[slot]

    def _share(self) -> float:
        running = sum(self._cost(job) * done for job, done in self._running.values())
        return min((self._over + running) / max(self._seconds, 1e-9), 1.0)

    def _left(self, now: float) -> float:
        share = self._share()
        return (now - self._begin) * (1 - share) / share if share else self._seconds

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def label(job: Job) -> str:
    """Name a trial for people."""
    which = f"point {job.trial}" if job.trial is not None else f"seed {job.seed}"
    return f"{job.problem}, {job.optimizer}, {job.track}, {which}"
