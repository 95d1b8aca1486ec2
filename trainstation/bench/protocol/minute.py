"""The first minute: every optimizer at the best settings that are known, with as many seeds as there is time for.

Of one that the packaged results do not know a few points of its search box are tried first; of all such ones as many.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from trainstation.bench.problems import Problem
from trainstation.bench.protocol import search
from trainstation.bench.protocol.pace import Pace
from trainstation.bench.protocol.plan import BUILTINS, TUNING_SEED, Plan, Run, best_of
from trainstation.bench.protocol.trial import GRID, Job
from trainstation.bench.records.packaged import Settings, packaged
from trainstation.bench.records.rows import Trial
from trainstation.bench.words import counted
from trainstation.registry.lookup import find_optimizer

__all__ = ["Minute"]

BUDGET = 60.0  # seconds
RESERVE = 4.0  # of them for the tables and for the picture
POINTS = range(6, 2, -1)  # of a search box that are tried: the most, else fewer
LEAST, MOST = 2, 20  # seeds: with two on each of three problems a difference can be told from chance
GOOD = 3  # seeds for which a longer search leaves time
GRACE = 9.0  # seconds after the minute that the second seed may take
SURE = 0.85  # of the time that is left: what may be planned for more than must run

Key = tuple[str, str]  # problem, optimizer
Cost = Callable[[Problem, str, int], float]  # seconds of a trial: its problem, optimizer, steps


@dataclass(frozen=True)
class Minute(Plan):
    """What a run does that has been asked for nothing but names and problems.

    Attributes:
        begin: when the minute began, by `clock`.
        clock: seconds.
        lengths: steps of a trial by problem, where its own budget does not fit.
        left_out: names for which there is no time.
        planned: seeds, as far as can be told.
        points: of each search box that is searched.

    `seeds` are exactly so many, however long they take; 0: as many as there is time for.

    """

    begin: float = field(default=0.0, compare=False)
    clock: Callable[[], float] = field(default=time.perf_counter, compare=False)
    lengths: Mapping[str, int] = field(default_factory=dict, compare=False)
    left_out: tuple[str, ...] = field(default=(), compare=False)
    planned: int = field(default=0, compare=False)
    points: int = field(default=POINTS[0], compare=False)

    def __str__(self) -> str:
        """Say it for people, its problems apart."""
        seeds = counted(self.seeds, "seed") if self.seeds else "as many seeds as fit into a minute"
        return f"{counted(len(self.names), 'optimizer')} at the best settings known, {seeds}"

    def begun(self, problems: Sequence[Problem], trials: Sequence[Trial]) -> Minute:
        """Return the plan of a run that was interrupted after these trials, which were perhaps shorter."""
        found = {trial.problem: trial.max_steps for trial in trials if trial.max_steps}
        whole = {each.name: self.steps(each) for each in problems}
        return replace(self, lengths={name: steps for name, steps in found.items() if steps < whole.get(name, 0)})

    def shortened(self, problems: Sequence[Problem]) -> str:
        """Say which share of their steps the trials have; nothing if they have all."""
        shares = [self.steps(each) / super(Minute, self).steps(each) for each in problems]
        return "" if min(shares, default=1.0) >= 1 else f"{100 * min(shares):.0f} %"

    def steps(self, problem: Problem) -> int:
        """Return how many steps a trial has."""
        return self.lengths.get(problem.name) or super().steps(problem)

    def trials_of(self, problem: Problem, name: str) -> int:
        """Return how many trials an optimizer has on a problem, as far as can be told."""
        return self.planned + (0 if _known(problem.name, name) else len(self._points(name)))

    def fitted(self, problems: Sequence[Problem], pace: Pace, processes: int) -> Minute:
        """Return the plan as this machine can run it.

        The built-ins always run, or where none is named the first name; if they need more than the minute, all trials
        are shorter. Then those of which nothing is known, each after a search of as many points, and of those that are
        known as many as there is time for.
        """
        for problem, name in product(problems, self.names):
            if processes == 1 or _known(problem.name, name):  # what a stranger may crash is its process alone
                pace.time(problem, name)

        def evaluations(problem: Problem, _: str, steps: int) -> float:
            return pace.evaluations(problem, steps)

        def needs(name: str, points: int, seeds: int = LEAST, cost: Cost = pace.trial) -> float:
            plan = replace(self, points=points, planned=seeds)
            each = (plan.trials_of(of, name) * cost(of, name, plan.steps(of)) for of in problems)
            return sum(each) / processes

        if self.seeds:
            return replace(self, planned=self.seeds)
        left = self.begin + BUDGET - RESERVE - self.clock()
        first = [name for name in self.names if name in BUILTINS] or list(self.names[:1])
        if self.lengths:  # as the run that goes on has them
            return replace(self, planned=LEAST, **self._only(first))
        new = [name for name in self.names if name not in first and not _is_known(problems, name)]
        enough = (n for n in POINTS if sum(needs(name, n, GOOD) for name in [*first, *new]) <= SURE * left)
        points = next(enough, POINTS[-1])
        used = sum(needs(name, points) for name in first)
        if used > left:
            fixed = sum(needs(name, points, cost=evaluations) for name in first)  # as many of shorter trials
            share = max(left - fixed, 1.0) / (used - fixed)
            lengths = {each.name: max(GRID, int(self.steps(each) * share)) for each in problems}
            return replace(self, lengths=lengths, points=points, planned=LEAST, **self._only(first))
        running = list(first)
        for name in [*new, *(name for name in self.names if name not in {*first, *new})]:
            if used + needs(name, points) <= (left if name in new else SURE * left):
                used += needs(name, points)
                running.append(name)
        a_seed = sum(needs(name, points, LEAST + 1) - needs(name, points) for name in running)
        more = int((left - used) / max(a_seed, 1e-9))
        return replace(self, points=points, planned=min(LEAST + more, MOST), **self._only(running))

    def _only(self, running: Collection[str]) -> dict[str, Any]:
        """Return what is to be replaced where these names alone run."""
        names, left_out = (tuple(name for name in self.names if (name in running) is here) for here in (True, False))
        return {"names": names, "left_out": left_out}

    def _points(self, name: str) -> list[dict[str, Any]]:
        """Return the points that are tried of a search box; of an empty one, its only one."""
        box = search.box_of(find_optimizer(name))
        return search.points(box, self.points if box else 1)

    def carry_out(self, problems: Sequence[Problem], run: Run) -> None:
        """Have the searches run, then the trials."""
        found = run(
            replace(self.job(problem, name, "tuning", TUNING_SEED), trial=number, hyper=point)
            for problem, name in product(problems, self.names)
            if not _known(problem.name, name)
            for number, point in enumerate(self._points(name))
        )
        keys = [(problem.name, name) for problem, name in product(problems, self.names)]
        run(self._rounds(problems, {key: self._hyper(*key, found) for key in keys}))

    def _hyper(self, problem: str, name: str, found: Sequence[Trial]) -> dict[str, Any]:
        """Return what an optimizer is run with: the best known, or the best that its search has found."""
        if known := _known(problem, name):
            return known.hyper
        best = best_of([each for each in found if (each.problem, each.optimizer) == (problem, name)])
        return self._points(name)[best.trial or 0] if best else {}

    def _rounds(self, problems: Sequence[Problem], hyper: Mapping[Key, dict[str, Any]]) -> Iterator[Job]:
        """Yield a seed of all after the other, as long as one more would end in time."""
        took = 0.0
        for seed in range(self.seeds or MOST):
            begin = self.clock()
            end = self.begin + BUDGET + (GRACE if seed < LEAST else -RESERVE)
            if seed and not self.seeds and begin + took > end:
                return
            for problem, name in product(problems, self.names):
                yield replace(self.job(problem, name, "known", seed), hyper=hyper[problem.name, name])
            took = self.clock() - begin

    def searched(self, job: Job) -> int | None:
        """Return from how many trials the hyper-parameters of a trial are."""
        if job.track != "known":
            return None
        known = _known(job.problem, job.optimizer)
        return known.searched if known else len(self._points(job.optimizer))


def _known(problem: str, name: str) -> Settings | None:
    entry = find_optimizer(name)
    return packaged().settings(problem, entry.spec.name, entry.distribution)


def _is_known(problems: Sequence[Problem], name: str) -> bool:
    return all(_known(problem.name, name) for problem in problems)
