"""The procedure that has set the targets of the scored problems, once.

For each problem: sgd, adam, adamw and nadam are searched with as many points of their boxes as the profile `standard`
has, cosine with warm-up, over three quarters of the problem's budget. The best point of each is run again with ten
seeds that nothing else uses; the target is the second best of the four medians of the final metrics, rounded to three
digits towards what is easier. So a target is what two of four common optimizers reach, well tuned and in no lucky
run, with a quarter of the steps to spare. (AlgoPerf takes the best one's: Dahl et al., 2023, Benchmarking Neural
Network Training Algorithms. It searches with hundreds of points; with few, what a single optimizer reaches is missed
by most, and a miss tells little.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import numpy as np

from trainstation.bench import machine, problems
from trainstation.bench.problems import BUILTIN, Problem
from trainstation.bench.protocol import search
from trainstation.bench.protocol.plan import PROFILES, TUNING_SEED, best_of
from trainstation.bench.protocol.provenance import problem_version
from trainstation.bench.protocol.trial import Job
from trainstation.bench.records.rows import Trial, environment
from trainstation.bench.session.workers import run_jobs
from trainstation.jsonable import jsonable
from trainstation.registry.lookup import find_optimizer

NAMES = ("sgd", "adam", "adamw", "nadam")
POINTS = PROFILES["standard"].trials
SEEDS = range(2000, 2010)
HORIZON = 0.75  # of the budget
DIGITS = 3
COMMITTED = Path(problems.__file__).parents[1] / "data" / "targets.json"
GIVEN = {"gpt_shakespeare": 1.88}  # what nanoGPT says of this size, on a smaller part of the same author


class Silent:
    """Shows nothing; there is a line for each problem."""

    def begin(self, slot: int, job: Job) -> None:
        """A trial begins."""

    def progress(self, slot: int, done: float, best: float | None) -> None:
        """A trial is so far."""


def easier(value: float, *, lower_is_better: bool) -> float:
    """Round to three digits, towards what is easier to reach.

    >>> easier(0.031239, lower_is_better=True), easier(0.96789, lower_is_better=False)
    (0.0313, 0.967)

    """
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - DIGITS + 1)
    digits = round(value / unit, 6)  # 0.958 / 0.001 is a little less than 958
    steps = math.ceil(digits) if lower_is_better else math.floor(digits)
    return float(f"{steps * unit:.{DIGITS}g}")


def _run(problem: Problem, jobs: list[Job], env_id: str, processes: int) -> Iterator[Trial]:
    for _, trial, _ in run_jobs(jobs, {problem.name: problem}, env_id, processes, Silent()):
        yield trial


def target_of(problem: Problem, env_id: str, processes: int) -> dict[str, Any]:
    """Search, run the best of each optimizer again, and return what is to be committed."""
    steps = round((problem.budget or 0) * HORIZON)
    boxes = {name: search.points(search.box_of(find_optimizer(name)), POINTS) for name in NAMES}
    searches = [
        Job(problem.name, name, "tuning", TUNING_SEED, number, point, "cosine", steps)
        for name, points in boxes.items()
        for number, point in enumerate(points)
    ]
    # Without their target: what counts is where they end.
    tuning = [_without_target(trial) for trial in _run(problem, searches, env_id, processes)]
    best = {name: best_of([trial for trial in tuning if trial.optimizer == name]) for name in NAMES}
    hyper = {name: boxes[name][trial.trial or 0] for name, trial in best.items() if trial is not None}
    again = [
        Job(problem.name, name, "tuned", seed, None, point, "cosine", steps)
        for name, point in hyper.items()
        for seed in SEEDS
    ]
    finals: dict[str, list[float]] = {name: [] for name in NAMES}
    for trial in _run(problem, again, env_id, processes):
        worst = math.inf if problem.lower_is_better else -math.inf
        finals[trial.optimizer].append(worst if trial.final is None else trial.final)
    medians = {name: float(np.median(values)) for name, values in finals.items()}
    second = sorted(NAMES, key=medians.__getitem__, reverse=not problem.lower_is_better)[1]
    return {
        "target": easier(medians[second], lower_is_better=problem.lower_is_better),
        "problem_version": problem_version(problem),
        "steps": steps,
        "optimizer": second,
        "hyper": hyper,
        "finals": {name: sorted(values) for name, values in finals.items()},
    }


def _without_target(trial: Trial) -> Trial:
    return Trial(**{**vars(trial), "steps_to_target": None})


@click.command("targets")
@click.option("--problem", default="*", show_default=True, metavar="GLOB")
@click.option("--jobs", type=click.IntRange(min=1), default=machine.cores(), show_default=True)
def main(problem: str, jobs: int) -> None:
    """Set the targets anew, into trainstation/bench/data/targets.json: minutes of all processors for each problem."""
    known = json.loads(COMMITTED.read_text(encoding="utf-8"))
    env_id = environment().env_id
    known |= {
        name: {"target": target, "problem_version": problem_version(BUILTIN[name])} for name, target in GIVEN.items()
    }
    for each in BUILTIN.values():
        if fnmatch(each.name, problem) and each.name not in GIVEN:
            known[each.name] = jsonable(target_of(each, env_id, jobs))
            COMMITTED.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            said = known[each.name]
            found = ", ".join(f"{name} {np.median(values):.4g}" for name, values in said["finals"].items())
            click.echo(f"{each.name}: {each.metric} {said['target']}, by {said['optimizer']}; medians: {found}")


if __name__ == "__main__":
    main()
