"""One run of `trainstation bench`: what is shown, what is written, and how to go on after a Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product

import numpy as np

from trainstation.bench import command_line, machine
from trainstation.bench.problems import Problem
from trainstation.bench.protocol import search
from trainstation.bench.protocol.diagnostics import diagnose
from trainstation.bench.protocol.landscapes import LANDSCAPES, walk
from trainstation.bench.protocol.plan import Plan, asked_for, best_of
from trainstation.bench.protocol.provenance import code_hash
from trainstation.bench.protocol.trial import Job
from trainstation.bench.records import rows
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.output import Output
from trainstation.bench.records.writer import OutputError
from trainstation.bench.report import summary
from trainstation.bench.session.progress import TrialProgress, label
from trainstation.bench.session.resume import Kept
from trainstation.bench.session.workers import run_jobs
from trainstation.bench.verdicts.cells import cells
from trainstation.bench.verdicts.score import standings
from trainstation.bench.words import counted, hyper
from trainstation.registry.lookup import find_optimizer

__all__ = ["Session"]

FEW = 60  # trials that are worth a line each
WARM_UP = 10  # batches
BACK = 1.5  # a step takes about so many times as long as its loss and gradients, evaluations included


class Session:
    """Runs a plan. With `--json` the rows go to stdout too, and all that is for people to stderr."""

    def __init__(
        self,
        out: Output,
        plan: Plan,
        problems: Sequence[Problem],
        processes: int,
        *,
        known: Ledger | None = None,
        named: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        """Prepare; nothing is written yet.

        Args:
            out: the console and the files; a file that is there is continued.
            plan: what to run.
            problems: on what, in this order.
            processes: how many trials run side by side.
            known: rows of earlier runs; the trials that this run would repeat are taken from there.
            named: optimizers that the command named.
            options: of the command, both to say how to go on.

        """
        self._out, self._plan, self._processes = out, plan, processes
        self._problems: Mapping[str, Problem] = {problem.name: problem for problem in problems}
        self._known = known or Ledger()
        self._named, self._options = named, options
        self._costs: dict[str, float] = {}
        self.asked = asked_for(plan, problems)
        self.trials: list[rows.Trial] = []
        self._kept = 0
        self._count = plan.count() * len(problems)

    def run(self) -> None:
        """Run all trials, then show the tables and draw the picture."""
        plan, out = self._plan, self._out
        with machine.threads(1):  # as each trial will have it, whatever else is set
            env = rows.environment()
        kept = Kept(self._known.trials, env.env_id)
        out.open()
        out.tell(f"{self._describe()}; rows go to {out.rows}")
        out.tell(f"{env.cpu_model}, {env.cores} cores, {env.isa} kernels; each trial on one thread")
        try:
            out.write(rows.Run(out.rows.stem, self.asked, finished=False))
            out.write(env)
            self._warm_up()
            with TrialProgress(out.progress, plan, self._problems, self._cost) as progress:
                for problem in self._problems.values():
                    found = self._run(plan.first(problem), kept, env.env_id, progress)
                    tuning = [trial for trial in found if trial.track == "tuning"]
                    self._run(plan.second(problem, tuning), kept, env.env_id, progress)
            if plan.profile != "smoke":
                self._diagnose(env.env_id)
            out.write(rows.Run(out.rows.stem, self.asked, finished=True))
        finally:
            out.close()
        self._finish()

    def _describe(self) -> str:
        plan = self._plan
        each = f"{plan.seconds:.1f} s, evaluations included," if plan.seconds else ""
        each = each or (counted(plan.epochs, "epoch") if plan.epochs else "a budget of steps")
        search = f"tuned with {counted(plan.trials, 'trial')}" if "tuned" in plan.tracks else ""
        how = " and ".join([word for word in ("as registered" * ("default" in plan.tracks), search) if word])
        optimizers, seeds = counted(len(plan.names), "optimizer"), counted(plan.seeds, "seed")
        return f"{', '.join(self._problems)}: {optimizers}, {how}, {seeds}, {each} each"

    def _warm_up(self) -> None:
        """Load the data and wake the processor, so that no trial pays for it; see what a step costs."""
        for name, problem in self._problems.items():
            self._costs[name] = 0.0
            # What a stranger's problem raises, its trials will say.
            with machine.threads(1), np.errstate(all="ignore"), suppress(Exception):
                task = problem.start(0)
                batches = [batch for batch, _ in zip(task.epoch(), range(WARM_UP), strict=False)]
                for _ in range(2):
                    begin = time.perf_counter()
                    for batch in batches:
                        task.loss(batch).backward()
                self._costs[name] = (time.perf_counter() - begin) / len(batches)

    def _cost(self, job: Job) -> float:
        """Return about how many seconds of the run a trial takes."""
        steps = self._plan.steps(self._problems[job.problem])
        return (job.seconds or self._costs[job.problem] * BACK * steps) / self._processes

    def _run(self, jobs: Sequence[Job], kept: Kept, env_id: str, progress: TrialProgress) -> list[rows.Trial]:
        """Run what no row is there for; return all trials, kept ones first."""
        found, left = [], []
        for job in jobs:
            trial = kept.find(job, self._problems[job.problem])
            if trial is None:
                left.append(job)
            else:
                found.append(trial)
                self._kept += 1
                progress.skip(job)
        self.trials += found
        for job, trial, points in run_jobs(left, self._problems, env_id, self._processes, progress):
            for point in points:
                self._out.write(point)
            trial.points[:] = points
            self._out.write(trial)
            found.append(trial)
            self.trials.append(trial)
            progress.end(job)
            if self._count <= FEW or trial.status == "error":
                self._say(job, trial)
        return found

    def _diagnose(self, env_id: str) -> None:
        """Run the diagnostics and walk the landscapes, but for those of the same code that there are rows of."""
        known = {(row.optimizer, row.code_hash) for row in self._known.diagnostics if row.env_id == env_id}
        self._out.tell("diagnostics and landscapes")
        for name in (each for each in self._plan.names if each not in self.failed()):
            code = code_hash(find_optimizer(name).load())
            if (name, code) not in known:
                for path in (walk(name, landscape, env_id) for landscape in LANDSCAPES.values()):
                    self._out.write(replace(path, code_hash=code))
                for row in list(diagnose(name, env_id)):
                    self._out.write(replace(row, code_hash=code))

    def _say(self, job: Job, trial: rows.Trial) -> None:
        problem = self._problems[job.problem]
        result = f"{problem.metric} {problem.say(trial.final)}, {trial.steps} steps, {trial.secs:.1f} s"
        self._out.tell(f"[{len(self.trials)}/{self._count}] {label(job)}: {trial.status}, {result}")

    def _finish(self) -> None:
        out, plan = self._out, self._plan
        known = cells(self.trials)
        found = {track: standings(known, track) for track in plan.tracks}
        for table in summary.tables(list(self._problems.values()), self.trials, found):
            out.console.print(table)
        if len(plan.names) * len(self._problems) > 1:
            for sentence in summary.sentences(found):
                out.say(sentence)
        try:
            summary.draw(list(self._problems.values()), self.trials, out.picture)
        except OSError as error:
            raise OutputError from error
        reasons = [f"{trial.optimizer}: {trial.status}: {trial.reason}" for trial in self.trials if trial.reason]
        for reason in dict.fromkeys(reasons):
            out.say(reason)
        if self._kept:
            out.say(f"{counted(self._kept, 'trial')} of them from earlier runs in {out.rows.parent}; --fresh runs all")
        if plan.left_out:
            out.say("Did not fit into the minute; run with: " + self._again(plan.left_out))
        page = command_line("report", out=out.rows.parent)
        out.say(f"rows:    {out.rows}\npicture: {out.picture}\nall of it as a page: {page}")

    def _again(self, names: Sequence[str]) -> str:
        return command_line("bench", *names, *self._options)

    def failed(self) -> list[str]:
        """Return the optimizers that could not train."""
        return list(dict.fromkeys(trial.optimizer for trial in self.trials if trial.status == "error"))

    def best_points(self) -> Iterator[str]:
        """Say of each problem and optimizer which point of its box was the best, and whether it lies at an edge."""
        tuning = [trial for trial in self.trials if trial.track == "tuning"]
        for problem, name in product(self._problems.values(), self._plan.names):
            some = [trial for trial in tuning if (trial.problem, trial.optimizer) == (problem.name, name)]
            best, box = best_of(some), search.box_of(find_optimizer(name))
            if best is None or best.final is None:
                yield f"{problem.name}, {name}: none of {counted(len(some), 'trial')} trained"
                continue
            point = {key: best.hparams[key] for key in box}
            aim = f", {best.steps_to_target} steps to the target" if best.steps_to_target is not None else ""
            edges = "".join(f"; {edge}" for edge in search.edges(box, point))
            yield f"{problem.name}, {name}: {hyper(point)}: {problem.metric} {problem.say(best.final)}{aim}{edges}"

    def interrupted(self) -> None:
        """Say what is kept, and how to go on."""
        left = self._count - len(self.trials)
        self._out.say(f"\nInterrupted. {counted(len(self.trials), 'finished trial')} kept in {self._out.rows}")
        if left:
            self._out.say(f"The same command goes on with the {left} left: {self._again(self._named)}")
