"""One run of `trainstation bench`: what is shown, what is written, and how to go on after a Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product

from trainstation.bench import command_line, machine
from trainstation.bench.problems import Problem
from trainstation.bench.protocol import search
from trainstation.bench.protocol.diagnostics import diagnose
from trainstation.bench.protocol.landscapes import LANDSCAPES, walk
from trainstation.bench.protocol.minute import Minute
from trainstation.bench.protocol.pace import Pace
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
from trainstation.bench.verdicts.score import REFERENCE, standings
from trainstation.bench.words import counted, hyper
from trainstation.registry.lookup import find_optimizer

__all__ = ["Session"]

FIRM = ("--profile", "standard")
OF_WHAT = ("--problem", "--out")  # options of the minute that a firm answer needs, too
FEW = 12  # trials that are worth a line each


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
        self.asked = asked_for(plan, problems)
        self.trials: list[rows.Trial] = []
        self._failures: set[tuple[str, str] | None] = set()  # that have been said
        self._kept = self._count = 0

    def run(self) -> None:
        """Run all trials, then show the tables and draw the picture."""
        plan, out = self._plan, self._out
        with machine.threads(1):  # as each trial will have it, whatever else is set
            env = rows.environment()
        kept = Kept(self._known.trials, env.env_id)
        out.open()
        out.tell(f"{', '.join(self._problems)}: {plan}; rows go to {out.rows}")
        out.tell(f"{env.cpu_model}, {env.cores} cores, {env.isa} kernels; each trial on one thread")
        try:
            out.write(rows.Run(out.rows.stem, self.asked, finished=False))
            out.write(env)
            pace = Pace(self._problems.values())
            self._plan = plan = plan.fitted(list(self._problems.values()), pace, self._processes)
            if shortened := self._shortened():
                out.tell(shortened)
            with self._progress(pace) as progress:
                plan.carry_out(list(self._problems.values()), lambda jobs: self._run(jobs, kept, env.env_id, progress))
            if plan.profile != "smoke":
                self._diagnose(env.env_id)
            out.write(rows.Run(out.rows.stem, self.asked, finished=True))
        finally:
            out.close()
        self._finish()

    def _shortened(self) -> str:
        """Say that trials are shorter than they should be; nothing if they are not."""
        plan = self._plan
        share = plan.shortened(list(self._problems.values())) if isinstance(plan, Minute) else ""
        said = f"Whole trials do not fit into the minute: all have {share} of their steps, and may miss targets"
        return said if share else ""

    def _progress(self, pace: Pace) -> TrialProgress:
        """Return what shows the trials; from now on it is known how many they are."""
        plan = self._plan

        def cost(job: Job) -> float:
            problem = self._problems[job.problem]
            return pace.trial(problem, job.optimizer, plan.steps(problem)) / self._processes

        counts = {key: plan.trials_of(*key) for key in product(self._problems.values(), plan.names)}
        self._count = sum(counts.values())
        seconds = sum(count * cost(plan.job(*key, "", 0)) for key, count in counts.items())
        return TrialProgress(self._out.progress, self._problems, cost, self._count, seconds)

    def _run(self, jobs: Iterable[Job], kept: Kept, env_id: str, progress: TrialProgress) -> list[rows.Trial]:
        """Run what no row is there for; return all trials."""
        found: list[rows.Trial] = []

        def left() -> Iterator[Job]:
            for job in jobs:
                trial = kept.find(job, self._problems[job.problem])
                if trial is None:
                    yield job
                else:
                    found.append(trial)
                    self.trials.append(trial)
                    self._kept += 1
                    progress.skip(job)

        for job, ended, points in run_jobs(left(), self._problems, env_id, self._processes, progress):
            trial = replace(ended, searched=self._plan.searched(job), points=points)
            for point in points:
                self._out.write(point)
            self._out.write(trial)
            found.append(trial)
            self.trials.append(trial)
            progress.end(job)
            failure = (trial.optimizer, trial.reason) if trial.status == "error" else None
            if self._count <= FEW or (failure and failure not in self._failures):
                self._say(job, trial)
            self._failures.add(failure)
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
        reference = REFERENCE if REFERENCE in plan.names else plan.names[0]
        found = {track: standings(known, track, reference) for track in plan.tracks}
        for table in summary.tables(list(self._problems.values()), self.trials, found, out.console.width):
            out.console.print(table)
        if len(plan.names) * len(self._problems) > 1:
            for sentence in summary.sentences(found):
                out.say(sentence)
        try:
            from trainstation.bench.report import picture  # matplotlib is slow to import

            picture.draw(list(self._problems.values()), self.trials, out.picture)
        except OSError as error:
            raise OutputError from error
        reasons = [f"{trial.optimizer}: {trial.status}: {trial.reason}" for trial in self.trials if trial.reason]
        for reason in dict.fromkeys(reasons):
            out.say(reason)
        if self._kept:
            out.say(f"{counted(self._kept, 'trial')} of them from earlier runs in {out.rows.parent}; --fresh runs all")
        if isinstance(plan, Minute):
            self._say_what_more_there_is(plan)
        page = command_line("report", out=out.rows.parent)
        out.say(f"rows:    {out.rows}\npicture: {out.picture}\nall of it as a page: {page}")

    def _say_what_more_there_is(self, plan: Minute) -> None:
        """Say what the minute was too short for."""
        if shortened := self._shortened():
            self._out.say(shortened)
        if plan.left_out:
            self._out.say("Did not fit into the minute; run with: " + self._again(plan.left_out))
        if len(plan.names) > 1:
            same = [word for pair in pairwise(self._options) if pair[0] in OF_WHAT for word in pair]
            firm = [*FIRM, "--jobs", str(machine.cores())] if machine.cores() > 1 else FIRM
            self._out.say("For a firm answer: " + command_line("bench", *plan.names, *firm, *same))

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
        self._out.say(f"\nInterrupted. {counted(len(self.trials), 'finished trial')} kept in {self._out.rows}")
        left = self._count - len(self.trials)
        if isinstance(self._plan, Minute) or not self._count:  # how many are left, its clock will say
            self._out.say(f"The same command goes on: {self._again(self._named)}")
        elif left:
            self._out.say(f"The same command goes on with the {left} left: {self._again(self._named)}")
