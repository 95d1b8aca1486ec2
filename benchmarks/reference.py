"""The committed results: all first-party optimizers and the controls, on all problems of the profile `standard`.

Trials, seeds and the rest are those of the profile: 5 seeds as registered, a search of 10 points, 5 new seeds with the
best of them. A run that was interrupted goes on when it is started again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from benchmarks.controls import BROKEN, IDLE
from trainstation.bench import machine
from trainstation.bench.output import Output
from trainstation.bench.plan import PROFILES, Plan, asked_for, choose
from trainstation.bench.problems import find_problems
from trainstation.bench.resume import known_rows, unfinished
from trainstation.bench.session import Session
from trainstation.cli_common import stem
from trainstation.plugins import find_optimizer

OUT = Path(__file__).parent / "reference"


def _run(plan: Plan, out: Path, jobs: int) -> None:
    problems = plan.problems(find_problems())
    begun = unfinished(out, asked_for(plan, problems))
    shown = Output(begun.stem if begun else stem(out, "bench"), None)
    Session(shown, plan, problems, jobs, known=known_rows(out)).run()


@click.command("reference")
@click.option("--jobs", type=click.IntRange(min=1), default=machine.cores(), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def main(jobs: int, out: Path) -> None:
    """Run what benchmarks/reference holds; rows that are there, of the same code and machine, are kept."""
    ours = [name for name in choose() if find_optimizer(name).distribution.startswith("trainstation")]
    standard = PROFILES["standard"]
    _run(replace(standard, names=tuple(ours)), out, jobs)
    _run(replace(standard, names=(IDLE, BROKEN), tracks=("default",)), out, jobs)
    _run(replace(standard, names=(BROKEN,), tracks=("tuned",)), out, jobs)
