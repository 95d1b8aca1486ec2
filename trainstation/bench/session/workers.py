"""Trials in processes of their own: one on each processor, each with one thread."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Protocol

from trainstation.bench.problems import Problem, find_problems
from trainstation.bench.protocol.trial import Job, lost_trial, run_trial
from trainstation.bench.records.rows import Point, Trial

__all__ = ["Watcher", "run_jobs"]

OFTEN = 0.2  # s between two words of a worker on how far it is
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Watcher(Protocol):
    """What shows trials while they run; a slot is a place for one at a time."""

    def begin(self, slot: int, job: Job) -> None:
        """A trial begins."""

    def progress(self, slot: int, done: float, best: float | None) -> None:
        """A trial is so far."""


def run_jobs(
    jobs: Iterable[Job], problems: Mapping[str, Problem], env_id: str, processes: int, watcher: Watcher
) -> Iterator[tuple[Job, Trial, list[Point]]]:
    """Run trials, and yield each with its points when it ends.

    Args:
        jobs: what to run; with one process they end in this order. The next is taken when there is a process for it.
        problems: by name.
        env_id: of the environment's row.
        processes: 1: all in this process; else so many of their own, each on its own processor where there are as many.
        watcher: hears what begins and how far it is.

    A process that dies (out of memory, a crash in a stranger's C) costs its trial, whose status is "error".

    """
    if processes > 1:
        yield from _side_by_side(iter(jobs), problems, env_id, processes, watcher)
        return
    for job in jobs:
        watcher.begin(0, job)
        points: list[Point] = []
        trial = run_trial(
            problems[job.problem],
            job,
            env_id,
            on_point=points.append,
            progress=lambda done, best: watcher.progress(0, done, best),
        )
        yield job, trial, points


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Have processes that are started now load their BLAS with one thread."""
    before = {name: os.environ.get(name) for name in POOLS}
    os.environ.update(dict.fromkeys(POOLS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Worker:
    """A process and our end of the line to it."""

    def __init__(self, slot: int, env_id: str) -> None:
        self.slot = slot
        self.job: Job | None = None
        self.line, theirs = mp.get_context("spawn").Pipe()
        with _single_threaded():
            self.process = mp.get_context("spawn").Process(target=_work, args=(theirs, slot, env_id), daemon=True)
            self.process.start()
        theirs.close()

    def start(self, job: Job) -> None:
        """Send a trial to it."""
        self.job = job
        with suppress(BrokenPipeError):  # it is dead, which the next look at the line says
            self.line.send(job)

    def end(self) -> None:
        """Stop it, whatever it does."""
        self.line.close()
        self.process.kill()
        self.process.join()


def _side_by_side(
    jobs: Iterator[Job], problems: Mapping[str, Problem], env_id: str, processes: int, watcher: Watcher
) -> Iterator[tuple[Job, Trial, list[Point]]]:
    workers: list[_Worker] = []

    def give(worker: _Worker, job: Job | None) -> None:
        worker.job = None
        if job is not None:
            watcher.begin(worker.slot, job)
            worker.start(job)

    try:
        for slot, first in zip(range(processes), jobs, strict=False):
            workers.append(_Worker(slot, env_id))
            give(workers[-1], first)
        while busy := {worker.line: worker for worker in workers if worker.job}:
            for line in wait(list(busy)):
                worker = busy[line]  # type: ignore[index]  # only our lines are waited for
                job = worker.job
                assert job is not None
                try:
                    said = worker.line.recv()
                except (EOFError, ConnectionResetError):
                    worker.process.join()
                    how = _death(worker.process.exitcode)
                    said = lost_trial(problems[job.problem], job, env_id, f"its process died: {how}"), []
                    workers[worker.slot] = worker = _Worker(worker.slot, env_id)
                if isinstance(said[0], Trial):
                    give(worker, next(jobs, None))
                    yield job, *said
                else:
                    watcher.progress(worker.slot, *said)
    finally:
        for worker in workers:
            worker.end()


def _death(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"


def _work(line: Connection, slot: int, env_id: str) -> None:
    """Run what comes in, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business, which then kills this
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[slot % len(processors)]})
    problems = find_problems()
    last = 0.0

    def progress(done: float, best: float | None) -> None:
        nonlocal last
        if time.perf_counter() - last > OFTEN:
            last = time.perf_counter()
            line.send((done, best))

    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            job: Job = line.recv()
            points: list[Point] = []
            trial = run_trial(problems[job.problem], job, env_id, on_point=points.append, progress=progress)
            line.send((trial, points))
