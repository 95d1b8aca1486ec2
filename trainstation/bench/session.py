"""One run of `trainstation bench`: what is shown, what is written, and how to go on after a Ctrl-C."""

from __future__ import annotations

import shlex
import sys
from itertools import product
from pathlib import Path
from typing import TextIO

import numpy as np
from rich.console import Console

from trainstation.bench import OUT, report, rows, runner
from trainstation.bench.live import Live
from trainstation.bench.problems import PROBLEMS

__all__ = ["Session"]

WIDTH = 130  # of the table where there is no terminal to ask


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to whoever has started the run, instead of a SystemExit, which looks like an optimizer's."""
        raise rows.OutputError from sys.exception()


class Session:
    """Runs a schedule. With `lines` the rows go there too, and all that is for people to stderr."""

    def __init__(
        self, stem: Path, schedule: runner.Schedule, epochs: int | None, seeds: int, lines: TextIO | None
    ) -> None:
        """Prepare; nothing is written yet."""
        self._stem, self._schedule, self._epochs, self._seeds = stem, schedule, epochs, seeds
        self._lines = lines
        self._console = _Console(stderr=lines is not None)
        if not self._console.is_terminal:
            self._console = _Console(stderr=lines is not None, width=WIDTH)
        self._problem = next(iter(PROBLEMS.values()))
        self._trials: list[rows.Trial] = []

    def run(self) -> None:
        """Run all trials, then show the table and draw the picture."""
        schedule, problem = self._schedule, self._problem
        env = rows.environment()
        path = self._stem.with_suffix(".jsonl")
        writer = rows.Writer(path, self._emit if self._lines is not None else None)
        slices = f"{schedule.seconds:.1f} s, evaluations included," if schedule.seconds else ""
        limit = slices or _counted(self._epochs or 0, "epoch")
        optimizers = _counted(len(schedule.names), "optimizer")
        self._say(f"{problem.name}: {problem.summary}; {optimizers}, {limit} each")
        self._say(f"{env.cpu_model}, {env.cores} cores, {env.isa} kernels; rows go to {path}")
        try:
            writer.write(env)
            self._warm_up()
            with Live(self._console, len(schedule.names) * self._seeds) as live:
                for name, seed in product(schedule.names, range(self._seeds)):
                    live.begin(f"{name}, seed {seed}" if self._seeds > 1 else name)
                    trial = runner.run_trial(
                        problem,
                        name,
                        seed,
                        env.env_id,
                        epochs=self._epochs,
                        seconds=schedule.seconds,
                        on_point=writer.write,
                        progress=live.progress,
                    )
                    self._trials.append(trial)
                    writer.write(trial)
                    live.end(trial)
        finally:
            writer.close()
        self._finish(path)

    def _emit(self, line: str) -> None:
        assert self._lines is not None
        self._lines.write(line + "\n")
        self._lines.flush()

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _warm_up(self) -> None:
        """Load the data, wake the BLAS threads and the processor, so that the first trial does not pay for it."""
        task = self._problem.start(0)
        with np.errstate(all="ignore"):
            for batch in task.epoch():
                task.loss(batch).backward()

    def _finish(self, path: Path) -> None:
        self._console.print(report.table(self._problem, self._trials))
        picture = self._stem.with_suffix(".png")
        try:
            report.draw(self._problem, self._trials, picture)
        except OSError as error:
            raise rows.OutputError from error
        for trial in self._trials:
            if trial.reason:
                self._say(f"{trial.optimizer}: {trial.status}: {trial.reason}")
        if self._schedule.left_out:
            self._say("Did not fit into the minute; run with: " + self._command(self._schedule.left_out))
        self._say(f"rows:    {path}\npicture: {picture}")

    def _command(self, names: list[str]) -> str:
        out = self._stem.parent
        options = [f"--epochs {self._epochs}"] if self._epochs else []
        options += [f"--seeds {self._seeds}"] if self._seeds > 1 else []
        options += [f"--out {shlex.quote(str(out))}"] if out != Path(OUT) else []
        options += ["--json"] if self._lines is not None else []
        return " ".join(["trainstation bench", *names, *options])

    def failed(self) -> list[str]:
        """Return the optimizers that could not train."""
        return [trial.optimizer for trial in self._trials if trial.status == "error"]

    def interrupted(self) -> None:
        """Say what is kept, and how to go on."""
        finished = [trial.optimizer for trial in self._trials]
        left = [name for name in self._schedule.names if finished.count(name) < self._seeds]
        count = _counted(len(finished), "finished trial")
        self._say(f"\nInterrupted. {count} kept in {self._stem.with_suffix('.jsonl')}")
        if left:
            self._say("Go on with: " + self._command([*left, *self._schedule.left_out]))
            if self._schedule.seconds:
                self._say("(They share a minute anew; for equal trials in several runs say --epochs.)")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
