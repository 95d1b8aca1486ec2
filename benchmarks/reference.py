"""The committed results: all first-party optimizers and the controls, on all problems of the profile `standard`.

Trials, seeds and the rest are those of the profile: 4 seeds as registered, a search of 8 points, 4 new seeds with the
best of them. A run that was interrupted goes on when it is started again.
"""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from benchmarks.controls import BROKEN, IDLE
from trainstation.bench import machine
from trainstation.bench.problems import find_problems
from trainstation.bench.protocol.plan import PROFILES, Plan, asked_for, choose
from trainstation.bench.records import rows
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.output import Output, stem
from trainstation.bench.report import page
from trainstation.bench.session.resume import known_rows, unfinished
from trainstation.bench.session.session import Session
from trainstation.bench.speed.cases import make_cases
from trainstation.bench.speed.race import Race
from trainstation.bench.verdicts.cells import current
from trainstation.registry.lookup import find_optimizer

OUT = Path(__file__).parent / "reference"
PACKED = "reference.jsonl.xz"
SIZES, SHAPES = [2**12, 2**16, 2**20, 2**24], ["mlp"]
SECONDS = 600.0  # for the cost of a step


def _run(plan: Plan, out: Path, jobs: int) -> None:
    problems = plan.problems(find_problems())
    begun = unfinished(out, asked_for(plan, problems))
    shown = Output(begun.stem if begun else stem(out, "bench"), None)
    Session(shown, plan, problems, jobs, known=known_rows(out)).run()


def _pack(out: Path) -> None:
    """Write the rows that count into one compressed file, and remove the others; then the page of them."""
    ledger = Ledger.read(out)
    trials = current(ledger.trials)
    kept: list[Sequence[rows.Row]] = [ledger.envs[-1:], ledger.speeds, ledger.diagnostics, ledger.paths]
    kept += [[*trial.points, trial] for trial in trials if _is_planned(trial)]
    with lzma.open(out / f"{PACKED}.new", "wt", encoding="utf-8", preset=9) as file:
        file.writelines(rows.to_json(row) + "\n" for some in kept for row in some)
    for path in [*out.glob("*.jsonl"), *out.glob("*.png")]:
        path.unlink()
    (out / f"{PACKED}.new").replace(out / PACKED)
    write_page(out)


def write_page(out: Path) -> None:
    """Write the page of the committed rows, which holds them too."""
    page.write(Ledger.read(out), out / "report.html", command="python -m benchmarks reference")


def _is_planned(trial: rows.Trial) -> bool:
    """Whether the profile has this trial: an equal number for everyone."""
    standard = PROFILES["standard"]
    return trial.trial < standard.trials if trial.trial is not None else trial.seed < standard.seeds


@click.command("reference")
@click.option("--jobs", type=click.IntRange(min=1), default=machine.cores(), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def main(jobs: int, out: Path) -> None:
    """Run what benchmarks/reference holds; rows that are there, of the same code and machine, are kept."""
    ours = [name for name in choose() if find_optimizer(name).distribution.startswith("trainstation")]
    standard = PROFILES["standard"]
    _run(replace(standard, names=tuple(ours)), out, jobs)
    # In this process, for in those of trials the controls are not registered.
    _run(replace(standard, names=(IDLE, BROKEN), tracks=("default",)), out, 1)
    _run(replace(standard, names=(BROKEN,), tracks=("tuned",)), out, 1)
    cases = make_cases(SIZES, SHAPES, (1,), ["warm"], "float32")
    # A step that is not as exact as it should be has a row that says so.
    Race(Output(stem(out, "speed"), None), ours, cases, seconds=SECONDS).run()
    _pack(out)
