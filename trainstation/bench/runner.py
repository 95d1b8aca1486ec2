"""Runs trials: the same task from the same seed with one optimizer after the other."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainstation.bench.problems import Problem
from trainstation.bench.rows import Point, Trial
from trainstation.plugins import create_optimizer, find_optimizer, label_of, list_optimizers
from trainstation.registry import Entry

__all__ = ["Progress", "Schedule", "choose", "run_trial", "share"]

BUDGET = 60.0  # seconds for a run without arguments, on 2 cores
RESERVE = 6.0  # of them for starting up and for the picture
LEAST = 2.0  # a shorter slice says nothing
BUILTINS = ("adam", "adamw", "sgd", "rmsprop")

# (share done in 0..1, best metric so far)
Progress = Callable[[float, float | None], None]


@dataclass(frozen=True)
class Schedule:
    """What a run will do: these optimizers, each for `seconds` (None: for a number of epochs)."""

    names: list[str]
    left_out: list[str]
    seconds: float | None


def choose() -> list[str]:
    """Return what runs when nothing is named: the built-ins, then every installed optimizer but peers."""
    others = set(list_optimizers()) - set(list_optimizers(tags="peer")) - set(BUILTINS)
    return [*BUILTINS, *sorted(others)]


def share(names: Sequence[str], seeds: int, *, budget: float = BUDGET) -> Schedule:
    """Divide the budget into equal slices, none below the least; the built-ins always run, the rest as far as it goes.

    >>> share(["adam", "adamw", "sgd", "rmsprop"], 1).seconds
    13.5

    """
    time_left = budget - RESERVE
    first = [name for name in names if name in BUILTINS]
    others = [name for name in names if name not in BUILTINS]
    fit = max(int(time_left / (LEAST * seeds)), len(first), 1)
    running = {*first, *others[: fit - len(first)]}
    return Schedule(
        [name for name in names if name in running],
        [name for name in names if name not in running],
        max(LEAST, time_left / (len(running) * seeds)),
    )


def run_trial(
    problem: Problem,
    name: str,
    seed: int,
    env_id: str,
    *,
    epochs: int | None,
    seconds: float | None,
    on_point: Callable[[Point], None],
    progress: Progress,
) -> Trial:
    """Train one task with one optimizer at its registered defaults.

    Args:
        problem: where the task comes from.
        name: of a registered optimizer.
        seed: for first weights and the order of the data.
        env_id: of the environment's row.
        epochs: stop after so many; None: never.
        seconds: stop after so much wall clock, evaluations included; None: never.
        on_point: called with each evaluation.
        progress: called after each step with the share that is done and the best metric.

    """
    run = _Run(problem, name, seed, epochs, seconds, on_point, progress)
    status, reason = "error", ""
    try:
        with np.errstate(all="ignore"):  # a run that diverges says so by its status
            status = run.train()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger may raise anything; the others go on
        said = [f"{type(error).__name__}: {error}".removesuffix(": "), *getattr(error, "__notes__", ())]
        reason = "; ".join(" ".join(line.split()) for line in said)
    return run.trial(env_id, status, reason)


class _Run:
    """One trial while it runs."""

    def __init__(
        self,
        problem: Problem,
        name: str,
        seed: int,
        epochs: int | None,
        seconds: float | None,
        on_point: Callable[[Point], None],
        progress: Progress,
    ) -> None:
        self.problem, self.seed, self.epochs, self.seconds = problem, seed, epochs, seconds
        self.on_point, self.progress = on_point, progress
        self.name = label_of(name)
        self.entry: Entry = find_optimizer(name)
        self.hparams: dict[str, Any] = {}
        self.run_id = uuid.uuid4().hex[:12]
        self.points: list[Point] = []
        self.steps = 0
        self.train_secs = self.optimizer_secs = 0.0
        self.optimizer: Any = None
        self.state_bytes: float | None = None

    def train(self) -> str:
        """Train until the epochs or the time are over; return the status."""
        self.hparams = self.entry.info().defaults
        task = self.problem.start(self.seed)
        parameters = task.parameters()
        self.optimizer = create_optimizer(self.name, parameters)
        begin = time.perf_counter()
        self._evaluate(task, None)
        done = 0.0
        while done < 1:
            losses = []
            for batch in task.epoch():
                losses.append(self._step(task, batch))
                if not math.isfinite(losses[-1]):
                    return "diverged"
                done = self._done(time.perf_counter() - begin)
                self.progress(done, max(point.val_metric for point in self.points))
                if done >= 1:
                    break
            self._evaluate(task, losses)
        self.state_bytes = self._state_bytes(parameters)
        # The last step's damage shows in no loss any more.
        return "done" if all(np.isfinite(parameter.data).all() for parameter in parameters) else "diverged"

    def _done(self, spent: float) -> float:
        """Return how much of the trial is over: of its epochs, and of its time."""
        by_epochs = self.steps / (self.epochs * self.problem.steps_per_epoch) if self.epochs else 0.0
        return max(by_epochs, spent / self.seconds if self.seconds else 0.0)

    def _step(self, task: Any, batch: Any) -> float:
        before = time.perf_counter()
        self.optimizer.zero_grad()
        cleared = time.perf_counter()
        loss = task.loss(batch)
        loss.backward()
        ready = time.perf_counter()
        self.optimizer.step()
        after = time.perf_counter()
        self.steps += 1
        self.train_secs += after - before
        self.optimizer_secs += (after - ready) + (cleared - before)
        return float(loss.item())

    def _evaluate(self, task: Any, losses: Sequence[float] | None) -> None:
        """Take a point, at the weights that the optimizer wants evaluated; the clock of training stands still."""
        self.optimizer.eval()
        point = Point(
            run_id=self.run_id,
            problem=self.problem.name,
            optimizer=self.name,
            seed=self.seed,
            step=self.steps,
            secs=round(self.train_secs, 6),
            train_loss=None if losses is None else float(np.mean(losses)),
            val_metric=task.evaluate(),
            lr=self.optimizer.learning_rate(),
        )
        self.optimizer.train()
        self.points.append(point)
        self.on_point(point)

    def _state_bytes(self, parameters: Sequence[Any]) -> float:
        """Return the bytes of the optimizer's arrays for each element of a parameter."""
        arrays = [value for state in self.optimizer.state.values() for value in state.values()]
        used = sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
        return float(used / sum(parameter.data.size for parameter in parameters))

    def trial(self, env_id: str, status: str, reason: str) -> Trial:
        """Return the row of the whole run."""
        diverged = status == "diverged"
        trained = [point for point in self.points if point.train_loss is not None]
        metrics = [point.val_metric for point in self.points]
        return Trial(
            run_id=self.run_id,
            env_id=env_id,
            problem=self.problem.name,
            optimizer=self.name,
            distribution=self.entry.distribution,
            version=self.entry.version,
            track="default",
            seed=self.seed,
            hparams=self.hparams,
            schedule="constant",
            status=status,
            reason=reason or ("the loss or a parameter became non-finite" if diverged else ""),
            metric=self.problem.metric,
            best=max(metrics, default=None),
            final=None if diverged or not metrics else metrics[-1],
            final_loss=None if diverged or not trained else trained[-1].train_loss,
            steps=self.steps,
            epochs=self.steps / self.problem.steps_per_epoch,
            secs=round(self.train_secs, 6),
            step_us=self.train_secs / self.steps * 1e6 if self.steps else None,
            optimizer_us=self.optimizer_secs / self.steps * 1e6 if self.steps else None,
            state_bytes_per_param=self.state_bytes,
            points=self.points,
        )
