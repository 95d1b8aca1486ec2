"""What a trial costs on this machine, at this hour: measured by a few steps, before any trial begins."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np

from trainstation.bench import machine
from trainstation.bench.problems import Problem
from trainstation.bench.protocol.trial import GRID
from trainstation.create import create_optimizer

__all__ = ["Pace"]

BATCHES, BLOCKS = 10, 3  # that are timed: the quickest block of batches counts, as others may be at work
FIRST = 2  # steps of an optimizer that make its states, and are not
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
            with machine.threads(1), np.errstate(all="ignore"), suppress(Exception):
                task = problem.start(0)
                batches = [batch for batch, _ in zip(task.epoch(), range(BATCHES), strict=False)]
                for _ in range(BLOCKS):
                    begin = time.perf_counter()
                    for batch in batches:
                        task.loss(batch).backward()
                    self._steps[problem.name, ""] = (time.perf_counter() - begin) / len(batches)
                begin = time.perf_counter()
                task.evaluate()
                self._evaluations[problem.name] = time.perf_counter() - begin

    def time(self, problem: Problem, optimizer: str) -> None:
        """Time a few steps of an optimizer; of one that raises, its trials will say why."""
        key = problem.name, optimizer
        self._steps[key] = self._steps[problem.name, ""]
        with machine.threads(1), np.errstate(all="ignore"), suppress(Exception, SystemExit):
            task = problem.start(0)
            parameters = task.parameters()
            made = create_optimizer(optimizer, parameters)
            batches = [batch for batch, _ in zip(task.epoch(), range(BATCHES), strict=False)]
            for batch in batches[:FIRST]:
                _step(task, made, batch)
            blocks = []
            for _ in range(BLOCKS):
                begin = time.perf_counter()
                for batch in batches:
                    _step(task, made, batch)
                blocks.append(time.perf_counter() - begin)
            self._steps[key] = min(blocks) / len(batches)

    def trial(self, problem: Problem, optimizer: str, steps: int) -> float:
        """Return what so many steps take, evaluations included."""
        step = self._steps.get((problem.name, optimizer))
        if step is None:
            step = self._steps[problem.name, ""] * USUAL
        return steps * step + (min(steps, GRID) + 1) * self._evaluations[problem.name]


def _step(task: Any, optimizer: Any, batch: Any) -> None:
    optimizer.zero_grad()
    task.loss(batch).backward()
    optimizer.step()
