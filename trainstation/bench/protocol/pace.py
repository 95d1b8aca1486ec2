"""What a trial costs on this machine, at this hour: measured by a few steps, before any trial begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from trainstation.bench import machine
from trainstation.bench.problems import Problem
from trainstation.bench.protocol.trial import GRID
from trainstation.create import create_optimizer

__all__ = ["Pace"]

BATCHES, ROUNDS = 10, 3  # that are timed: the quickest round of the batches counts, as others may be at work
LONG = 0.5  # seconds after which nothing is timed more often
USUAL = 1.1  # how many times as long as its loss and gradients a step takes, of an optimizer that was not timed


class Pace:
    """Seconds of the clock. To measure also loads the data and wakes the processor, so that no trial pays for it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Time a few steps of each problem without an optimizer, and an evaluation.

        What a stranger's problem raises, its trials will say: it costs nothing here.
        """
        self._steps: dict[tuple[str, str], float] = {}
        self._evaluations: dict[str, float] = {}
        for problem in problems:
            self._steps[problem.name, ""] = self._evaluations[problem.name] = 0.0
            with machine.threads(1), np.errstate(all="ignore"), suppress(Exception, SystemExit):
                task = problem.start(0)
                batches = [batch for batch, _ in zip(task.epoch(), range(BATCHES), strict=False)]
                self._steps[problem.name, ""] = _quickest([partial(_gradients, task, batch) for batch in batches])
                self._evaluations[problem.name] = _quickest([task.evaluate])

    def time(self, problem: Problem, optimizer: str) -> None:
        """Time a few steps of an optimizer; of one that raises, its trials will say why."""
        key = problem.name, optimizer
        self._steps[key] = self._steps[problem.name, ""]
        with machine.threads(1), np.errstate(all="ignore"), suppress(Exception, SystemExit):
            task = problem.start(0)
            parameters = task.parameters()
            made = create_optimizer(optimizer, parameters)
            batches = [batch for batch, _ in zip(task.epoch(), range(BATCHES), strict=False)]
            _step(task, made, batches[0])  # makes the states
            self._steps[key] = _quickest([partial(_step, task, made, batch) for batch in batches])

    def trial(self, problem: Problem, optimizer: str, steps: int) -> float:
        """Return what so many steps take, evaluations included."""
        step = self._steps.get((problem.name, optimizer))
        if step is None:
            step = self._steps[problem.name, ""] * USUAL
        return steps * step + self.evaluations(problem, steps)

    def evaluations(self, problem: Problem, steps: int) -> float:
        """Return what the evaluations of a trial of so many steps take."""
        return (min(steps, GRID) + 1) * self._evaluations[problem.name]


def _quickest(calls: Sequence[Callable[[], object]]) -> float:
    """Return what a call takes in the quickest of a few rounds, or in as many calls as there is time for."""
    begin, rounds = time.perf_counter(), list[float]()
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for count, call in enumerate(calls, 1):
            call()
            if time.perf_counter() - begin > LONG:
                return (time.perf_counter() - start) / count
        rounds.append((time.perf_counter() - start) / len(calls))
    return min(rounds)


def _gradients(task: Any, batch: Any) -> None:
    task.loss(batch).backward()


def _step(task: Any, optimizer: Any, batch: Any) -> None:
    optimizer.zero_grad()
    task.loss(batch).backward()
    optimizer.step()
