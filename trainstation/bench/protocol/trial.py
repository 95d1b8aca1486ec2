"""One trial: a task trained from a seed by one optimizer, evaluated on a grid of steps.

This file and `rates.py` are the protocol, and part of each trial's `code_hash`.
"""

from __future__ import annotations

import hashlib
import math
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainstation.bench.machine import threads
from trainstation.bench.problems import Problem
from trainstation.bench.protocol.provenance import code_hash, problem_version
from trainstation.bench.protocol.rates import SCHEDULES, schedule_of
from trainstation.bench.records.rows import Point, Trial, reason_of
from trainstation.create import create_optimizer
from trainstation.optimizers.stepping.codec import bytes_of
from trainstation.registry.lookup import find_optimizer, label_of
from trainstation.registry.names import Entry

__all__ = ["Job", "Progress", "lost_trial", "run_trial", "seed_of"]

GRID = 50  # evaluations of a trial that has a budget of steps
SPREAD = 1.1  # else one after each epoch, and later on a tenth further each time

# (share done in 0..1, best metric so far)
Progress = Callable[[float, float | None], None]


@dataclass(frozen=True)
class Job:
    """One trial to be: it ends after `steps` or after `epochs`.

    Attributes:
        problem: its name.
        optimizer: its registered name.
        track: default, known, tuning or tuned.
        seed: for first weights, the order of the data and noise.
        trial: the number of the point of the search box, in the track "tuning".
        hyper: hyper-parameters that are not the registry's.
        schedule: of the learning rate: one of `SCHEDULES`.

    """

    problem: str
    optimizer: str
    track: str = "default"
    seed: int = 0
    trial: int | None = None
    hyper: dict[str, Any] = field(default_factory=dict)
    schedule: str = "constant"
    steps: int | None = None
    epochs: int | None = None


def run_trial(
    problem: Problem, job: Job, env_id: str, *, on_point: Callable[[Point], None], progress: Progress
) -> Trial:
    """Train one task with one optimizer, on one thread; what it raises is the trial's status.

    Args:
        problem: where the task comes from.
        job: what to run.
        env_id: of the environment's row.
        on_point: called with each evaluation, but for the track "tuning".
        progress: called after each step with the share that is done and the best metric.

    """
    run = _Run(problem, job, on_point, progress)
    status, reason = "error", ""
    try:
        with threads(1), np.errstate(all="ignore"):  # a run that diverges says so by its status
            status = run.train()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger may raise anything; the others go on
        reason = reason_of(error)
    return run.trial(env_id, status, reason)


def seed_of(problem: str, seed: int) -> int:
    """Return what a problem is started with: problems that drew from one stream would err together.

    >>> seed_of("quadratic", 0), seed_of("quadratic", 1)
    (4124715817, 1989296352)

    """
    return int.from_bytes(hashlib.sha256(f"{problem}, {seed}".encode()).digest()[:4], "little")


def lost_trial(problem: Problem, job: Job, env_id: str, reason: str) -> Trial:
    """Return the row of a trial that could not be run."""
    return _Run(problem, job, lambda _: None, lambda *_: None).trial(env_id, "error", reason)


class _Run:
    """One trial while it runs."""

    def __init__(self, problem: Problem, job: Job, on_point: Callable[[Point], None], progress: Progress) -> None:
        self.problem, self.job = problem, job
        self.on_point, self.progress = on_point, progress
        self.name = label_of(job.optimizer)
        self.entry: Entry = find_optimizer(job.optimizer)
        self.hparams: dict[str, Any] = {}
        self.code_hash = ""
        self.run_id = uuid.uuid4().hex[:12]
        self.points: list[Point] = []
        self.best: float | None = None
        self.steps = 0
        self.train_secs = self.optimizer_secs = 0.0
        self.optimizer: Any = None
        self.state_bytes: float | None = None
        self.limit = job.steps or (job.epochs or 0) * problem.steps_per_epoch
        self.schedule = schedule_of(self.entry, job.schedule)

    def train(self) -> str:
        """Train until the steps are over; return the status."""
        self.hparams = {**self.entry.info().defaults, **self.job.hyper}
        self.code_hash = code_hash(self.entry.load())
        task = self.problem.start(seed_of(self.problem.name, self.job.seed))
        parameters = task.parameters()
        self.optimizer = create_optimizer(self.name, parameters, **self.job.hyper)
        rates, base = SCHEDULES[self.schedule](self.limit), self.optimizer.learning_rate()
        self._evaluate(task, [])
        due, done, losses = self._due(), 0.0, list[float]()
        while done < 1:
            for batch in task.epoch():
                rate = None if self.schedule == "constant" else rates(self.steps, base)
                losses.append(self._step(task, batch, rate))
                if not math.isfinite(losses[-1]):
                    return "diverged"
                done = self.steps / self.limit
                self.progress(done, self.best)
                if done >= 1 or self.steps >= due:
                    self._evaluate(task, losses)
                    due, losses = self._due(), []
                if done >= 1:
                    break
        used = sum(bytes_of(state, with_counter=True) for state in self.optimizer.state.values())
        self.state_bytes = used / sum(parameter.data.size for parameter in parameters)
        # The last step's damage shows in no loss any more.
        return "done" if all(np.isfinite(parameter.data).all() for parameter in parameters) else "diverged"

    def _due(self) -> int:
        """Return the step of the next evaluation: the same for every optimizer, if there is a budget."""
        if self.job.steps:
            return math.ceil((self.steps * GRID // self.job.steps + 1) * self.job.steps / GRID)
        epoch = self.problem.steps_per_epoch
        return max(self.steps + epoch, math.ceil(self.steps * SPREAD / epoch) * epoch)

    def _step(self, task: Any, batch: Any, rate: float | None) -> float:
        """Take one step; the clock is the processor's, so that neighbours do not count."""
        before = time.process_time()
        if rate is not None:
            self.optimizer.set_learning_rate(rate)
        self.optimizer.zero_grad()
        cleared = time.process_time()
        loss = task.loss(batch)
        loss.backward()
        ready = time.process_time()
        self.optimizer.step()
        after = time.process_time()
        self.steps += 1
        self.train_secs += after - before
        self.optimizer_secs += (after - ready) + (cleared - before)
        return float(loss.item())

    def _evaluate(self, task: Any, losses: Sequence[float]) -> None:
        """Take a point, at the weights that the optimizer wants evaluated; the clock of training stands still."""
        self.optimizer.eval()
        value = task.evaluate()
        self.optimizer.train()
        point = Point(
            run_id=self.run_id,
            problem=self.problem.name,
            optimizer=self.name,
            seed=self.job.seed,
            step=self.steps,
            secs=round(self.train_secs, 6),
            train_loss=float(f"{np.mean(losses):.7g}") if losses else None,
            val_metric=float(f"{value:.7g}"),
            lr=self.optimizer.learning_rate(),
        )
        if math.isfinite(value) and (self.best is None or self.problem.better(point.val_metric, self.best)):
            self.best = point.val_metric
        self.points.append(point)
        if self.job.track != "tuning":
            self.on_point(point)

    def _reached(self) -> Point | None:
        """Return the first of two evaluations in a row that meet the target; the last may stand alone."""
        target = self.problem.target
        if target is None:
            return None
        values = [point.val_metric for point in self.points]
        met = [math.isfinite(value) and not self.problem.better(target, value) for value in values]
        pairs = zip(self.points, met, [*met[1:], True], strict=True)
        return next((point for point, one, two in pairs if one and two), None)

    def trial(self, env_id: str, status: str, reason: str) -> Trial:
        """Return the row of the whole run."""
        diverged = status == "diverged"
        trained = [point for point in self.points if point.train_loss is not None]
        reached = self._reached() if status == "done" else None
        return Trial(
            run_id=self.run_id,
            env_id=env_id,
            problem=self.problem.name,
            optimizer=self.name,
            distribution=self.entry.distribution,
            version=self.entry.version,
            track=self.job.track,
            seed=self.job.seed,
            hparams=self.hparams,
            schedule=self.schedule,
            status=status,
            reason=reason or ("the loss or a parameter became non-finite" if diverged else ""),
            metric=self.problem.metric,
            best=self.best,
            final=None if diverged or not self.points else self.points[-1].val_metric,
            final_loss=None if diverged or not trained else trained[-1].train_loss,
            steps=self.steps,
            epochs=self.steps / self.problem.steps_per_epoch,
            secs=round(self.train_secs, 6),
            step_us=self.train_secs / self.steps * 1e6 if self.steps else None,
            optimizer_us=self.optimizer_secs / self.steps * 1e6 if self.steps else None,
            state_bytes_per_param=self.state_bytes,
            lower_is_better=self.problem.lower_is_better,
            trial=self.job.trial,
            max_steps=self.limit or None,
            target=self.problem.target,
            steps_to_target=None if reached is None else reached.step,
            secs_to_target=None if reached is None else reached.secs,
            problem_version=problem_version(self.problem),
            code_hash=self.code_hash,
            points=[] if self.job.track == "tuning" else self.points,
        )
