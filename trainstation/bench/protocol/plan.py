"""What a run will do: which problems and optimizers, in which tracks, with how many seeds and trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from trainstation.bench.problems import Problem
from trainstation.bench.protocol import search
from trainstation.bench.protocol.pace import Pace
from trainstation.bench.protocol.trial import Job
from trainstation.bench.records.rows import Trial
from trainstation.bench.words import counted
from trainstation.registry.lookup import find_optimizer, list_optimizers

__all__ = ["BUILTINS", "PROFILES", "TUNING_SEED", "Plan", "Run", "asked_for", "best_of", "choose"]

EPOCHS = 20  # of a trial on a problem that has no budget of its own
TUNING_SEED = 1000  # no seed that is scored is as large
BUILTINS = ("adam", "adamw", "sgd", "rmsprop")
SIZES = ("smoke", "standard", "full")
Run = Callable[[Iterable[Job]], list[Trial]]  # runs trials, and returns their rows


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        profile: smoke, standard or full.
        tracks: "default", "tuned" (which is tuning first), "known" (see `Minute`).
        seeds: of each optimizer on each problem, in each track.
        trials: points of each search box.
        schedule: of the learning rate.
        epochs: of each trial, instead of the problem's budget.
        names: of the optimizers.

    """

    profile: str
    tracks: tuple[str, ...]
    seeds: int
    trials: int
    schedule: str
    epochs: int | None = None
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it for people, its problems apart."""
        each = counted(self.epochs, "epoch") if self.epochs else "a budget of steps"
        search = f"tuned with {counted(self.trials, 'trial')}" if "tuned" in self.tracks else ""
        how = " and ".join([word for word in ("as registered" * ("default" in self.tracks), search) if word])
        return f"{counted(len(self.names), 'optimizer')}, {how}, {counted(self.seeds, 'seed')}, {each} each"

    def problems(self, known: Mapping[str, Problem]) -> list[Problem]:
        """Return the profile's problems: those of its size and of the smaller ones."""
        sizes = SIZES[: SIZES.index(self.profile) + 1]
        return [problem for problem in known.values() if problem.profile in sizes]

    def fitted(self, problems: Sequence[Problem], pace: Pace, processes: int) -> Self:  # noqa: ARG002  # see `Minute`
        """Return the plan as this machine can run it."""
        return self

    def carry_out(self, problems: Sequence[Problem], run: Run) -> None:
        """Have everything run: what can be run at once in one call of `run`, then what follows from its trials."""
        for problem in problems:
            found = run(self.first(problem))
            run(self.second(problem, [trial for trial in found if trial.track == "tuning"]))

    def searched(self, job: Job) -> int | None:  # noqa: ARG002  # see `Minute`
        """Return from how many trials a trial's hyper-parameters are, where that differs between optimizers."""
        return None

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

    def trials_of(self, problem: Problem, name: str) -> int:  # noqa: ARG002  # see `Minute`
        """Return how many trials an optimizer has on a problem."""
        tuned = self.seeds + self.trials if "tuned" in self.tracks else 0
        return tuned + ("default" in self.tracks) * self.seeds

    def steps(self, problem: Problem) -> int:
        """Return how many steps a trial has."""
        if self.epochs:
            return self.epochs * problem.steps_per_epoch
        return problem.budget or EPOCHS * problem.steps_per_epoch

    def job(self, problem: Problem, name: str, track: str, seed: int) -> Job:
        """Return one trial."""
        limits: dict[str, Any] = {"epochs": self.epochs} if self.epochs else {"steps": self.steps(problem)}
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
    asked = {each.name: getattr(plan, each.name) for each in fields(plan) if each.compare}
    return {**asked, "problems": [problem.name for problem in problems]}


def choose() -> list[str]:
    """Return what runs when nothing is named: the built-ins, then every installed optimizer but peers."""
    others = set(list_optimizers()) - set(list_optimizers(tags="peer")) - set(BUILTINS)
    return [*BUILTINS, *sorted(others)]
