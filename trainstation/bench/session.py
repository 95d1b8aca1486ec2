"""One run of `trainstation bench`: what is shown, what is written, and how to go on after a Ctrl-C."""

from __future__ import annotations

import shlex
from itertools import product
from pathlib import Path
from typing import TextIO

import numpy as np

from trainstation.bench import OUT, PROBLEM, report, rows, runner
from trainstation.bench.live import Live
from trainstation.bench.output import Output, counted
from trainstation.bench.problems import Problem

__all__ = ["Session"]


class Session:
    """Runs a schedule. With `lines` the rows go there too, and all that is for people to stderr."""

    def __init__(
        self,
        stem: Path,
        problem: Problem,
        schedule: runner.Schedule,
        epochs: int | None,
        seeds: int,
        lines: TextIO | None,
    ) -> None:
        """Prepare; nothing is written yet."""
        self._out, self._schedule, self._epochs, self._seeds = Output(stem, lines), schedule, epochs, seeds
        self._problem = problem
        self._trials: list[rows.Trial] = []

    def run(self) -> None:
        """Run all trials, then show the table and draw the picture."""
        schedule, problem, out = self._schedule, self._problem, self._out
        env = rows.environment()
        out.open()
        slices = f"{schedule.seconds:.1f} s, evaluations included," if schedule.seconds else ""
        limit = slices or counted(self._epochs or 0, "epoch")
        optimizers = counted(len(schedule.names), "optimizer")
        out.say(f"{problem.name}: {problem.summary}; {optimizers}, {limit} each")
        out.say(f"{env.cpu_model}, {env.cores} cores, {env.isa} kernels; rows go to {out.rows}")
        try:
            out.write(env)
            self._warm_up()
            with Live(out.console, len(schedule.names) * self._seeds) as live:
                for name, seed in product(schedule.names, range(self._seeds)):
                    live.begin(f"{name}, seed {seed}" if self._seeds > 1 else name)
                    trial = runner.run_trial(
                        problem,
                        name,
                        seed,
                        env.env_id,
                        epochs=self._epochs,
                        seconds=schedule.seconds,
                        on_point=out.write,
                        progress=live.progress,
                    )
                    self._trials.append(trial)
                    out.write(trial)
                    live.end(trial)
        finally:
            out.close()
        self._finish()

    def _warm_up(self) -> None:
        """Load the data, wake the BLAS threads and the processor, so that the first trial does not pay for it."""
        task = self._problem.start(0)
        with np.errstate(all="ignore"):
            for batch in task.epoch():
                task.loss(batch).backward()

    def _finish(self) -> None:
        out = self._out
        out.console.print(report.table(self._problem, self._trials))
        try:
            report.draw(self._problem, self._trials, out.picture)
        except OSError as error:
            raise rows.OutputError from error
        for trial in self._trials:
            if trial.reason:
                out.say(f"{trial.optimizer}: {trial.status}: {trial.reason}")
        if self._schedule.left_out:
            out.say("Did not fit into the minute; run with: " + self._command(self._schedule.left_out))
        out.say(f"rows:    {out.rows}\npicture: {out.picture}")

    def _command(self, names: list[str]) -> str:
        out = self._out.rows.parent
        options = [f"--epochs {self._epochs}"] if self._epochs else []
        options += [f"--seeds {self._seeds}"] if self._seeds > 1 else []
        options += [f"--problem {self._problem.name}"] if self._problem.name != PROBLEM else []
        options += [f"--out {shlex.quote(str(out))}"] if out != Path(OUT) else []
        options += ["--json"] if self._out.is_json else []
        return " ".join(["trainstation bench", *names, *options])

    def failed(self) -> list[str]:
        """Return the optimizers that could not train."""
        return [trial.optimizer for trial in self._trials if trial.status == "error"]

    def interrupted(self) -> None:
        """Say what is kept, and how to go on."""
        finished, out = [trial.optimizer for trial in self._trials], self._out
        left = [name for name in self._schedule.names if finished.count(name) < self._seeds]
        out.say(f"\nInterrupted. {counted(len(finished), 'finished trial')} kept in {out.rows}")
        if left:
            out.say("Go on with: " + self._command([*left, *self._schedule.left_out]))
            if self._schedule.seconds:
                out.say("(They share a minute anew; for equal trials in several runs say --epochs.)")
