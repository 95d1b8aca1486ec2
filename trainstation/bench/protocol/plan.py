"""What a run will do: which problems and optimizers, in which tracks, with how many seeds and trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trainstation.bench.problems import Problem
from trainstation.bench.protocol import search
from trainstation.bench.protocol.trial import Job
from trainstation.bench.records.rows import Trial
from trainstation.registry.lookup import find_optimizer, list_optimizers

__all__ = ["BUILTINS", "PROFILES", "Plan", "asked_for", "best_of", "choose", "share"]

BUDGET = 60.0  # seconds for a run without arguments
RESERVE = 6.0  # of them for starting up and for the picture
LEAST = 2.0  # a shorter slice says nothing
EPOCHS = 20  # of a trial on a problem that has no budget of its own
TUNING_SEED = 1000  # no seed that is scored is as large
BUILTINS = ("adam", "adamw", "sgd", "rmsprop")
SIZES = ("smoke", "standard", "full")


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        profile: smoke, standard or full.
        tracks: "default", "tuned" (which is tuning first).
        seeds: of each optimizer on each problem, in each track.
        trials: points of each search box.
        schedule: of the learning rate.
        epochs: of each trial, instead of the problem's budget.
        seconds: wall clock of each trial, instead of a number of steps.
        names: of the optimizers.
        left_out: of those that do not fit into the time.

    """

    profile: str
    tracks: tuple[str, ...]
    seeds: int
    trials: int
    schedule: str
    epochs: int | None = None
    seconds: float | None = None
    names: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def problems(self, known: Mapping[str, Problem]) -> list[Problem]:
        """Return the profile's problems: those of its size and of the smaller ones."""
        sizes = SIZES[: SIZES.index(self.profile) + 1]
        return [problem for problem in known.values() if problem.profile in sizes]

    def first(self, problem: Problem) -> list[Job]:
        """Return what can be run at once on a problem: one seed of all after the other, then the search boxes."""
        made = []
        if "default" in self.tracks:
            made += [self.job(problem, name, "default", seed) for seed in range(self.seeds) for name in self.names]
        if "tuned" in self.tracks:
            for name in self.names:
                points = search.points(search.box_of(find_optimizer(name)), self.trials)
                made += [
                    replace(self.job(problem, name, "tuning", TUNING_SEED), trial=number, hyper=point)
                    for number, point in enumerate(points)
                ]
        return made

    def second(self, problem: Problem, tuning: Sequence[Trial]) -> list[Job]:
        """Return what follows from the search: the best point of each optimizer, with seeds that it has not seen."""
        if "tuned" not in self.tracks:
            return []
        best = {name: best_of([each for each in tuning if each.optimizer == name]) for name in self.names}
        boxes = {
            name: search.points(search.box_of(find_optimizer(name)), self.trials) for name in self.names if best[name]
        }
        return [
            replace(self.job(problem, name, "tuned", seed), hyper=boxes[name][trial.trial or 0])
            for seed in range(self.seeds)
            for name, trial in best.items()
            if trial is not None  # all may have diverged: then one of them does so again, and counts
        ]

    def count(self) -> int:
        """Return how many trials there are on each problem."""
        tuned = self.seeds + self.trials if "tuned" in self.tracks else 0
        return len(self.names) * (tuned + ("default" in self.tracks) * self.seeds)

    def steps(self, problem: Problem) -> int:
        """Return how many steps a trial has, unless it ends by the clock."""
        if self.epochs:
            return self.epochs * problem.steps_per_epoch
        return problem.budget or EPOCHS * problem.steps_per_epoch

    def job(self, problem: Problem, name: str, track: str, seed: int) -> Job:
        """Return one trial."""
        limits: dict[str, Any] = {"steps": self.steps(problem)}
        if self.seconds:
            limits = {"seconds": self.seconds}
        elif self.epochs:
            limits = {"epochs": self.epochs}
        return Job(problem.name, name, track, seed, schedule=self.schedule, **limits)


PROFILES = {
    "smoke": Plan("smoke", ("default",), 1, 0, "constant"),
    "standard": Plan("standard", ("default", "tuned"), 4, 8, "cosine"),
    "full": Plan("full", ("default", "tuned"), 10, 32, "cosine"),
}


def best_of(tuning: Sequence[Trial]) -> Trial | None:
    """Return the best trial of a search: the fewest steps to the target, else the best final metric; None of none."""

    def merit(trial: Trial) -> tuple[float, float]:
        steps = math.inf if trial.steps_to_target is None else trial.steps_to_target
        if trial.final is None or not math.isfinite(trial.final):
            return steps, math.inf
        return steps, trial.final if trial.lower_is_better else -trial.final

    return min(tuning, key=merit, default=None)


def asked_for(plan: Plan, problems: Sequence[Problem]) -> dict[str, Any]:
    """Return what a run's row says of it: two that ask for the same are equal."""
    return {**vars(plan), "problems": [problem.name for problem in problems]}


def choose() -> list[str]:
    """Return what runs when nothing is named: the built-ins, then every installed optimizer but peers."""
    others = set(list_optimizers()) - set(list_optimizers(tags="peer")) - set(BUILTINS)
    return [*BUILTINS, *sorted(others)]


def share(plan: Plan, names: Sequence[str], problems: int, jobs: int = 1) -> Plan:
    """Divide a minute of each process into equal slices, none below the least.

    The built-ins always run, the rest as far as it goes.

    >>> share(PROFILES["smoke"], ["adam", "adamw", "sgd", "rmsprop"], 3).seconds
    4.5

    """
    time_left, trials = (BUDGET - RESERVE) * jobs, plan.seeds * problems
    first = [name for name in names if name in BUILTINS]
    others = [name for name in names if name not in BUILTINS]
    fit = max(int(time_left / (LEAST * trials)), len(first), 1)
    running = {*first, *others[: fit - len(first)]}
    return replace(
        plan,
        seconds=max(LEAST, time_left / (len(running) * trials)),
        names=tuple(name for name in names if name in running),
        left_out=tuple(name for name in names if name not in running),
    )
