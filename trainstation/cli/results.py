"""The commands that read rows, `trainstation report | compare`, and `problems`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainstation.bench import command_line
from trainstation.cli.common import Failure, as_json, needs_the_extra, out_folder, output
from trainstation.errors import UnknownOptimizerError
from trainstation.jsonable import jsonable
from trainstation.registry import lookup

if TYPE_CHECKING:
    from trainstation.bench.records.ledger import Ledger

__all__ = ["compare", "problems", "report"]


@click.command()
@out_folder
def report(out: Path) -> None:
    """Write all rows of a folder as one page, report.html, that opens in any browser without a network."""
    needs_the_extra("report")
    from trainstation.bench.report import page
    from trainstation.bench.words import counted

    ledger = _ledger(out)
    path = out / "report.html"
    try:
        page.write(ledger, path, command=command_line("report", out=out))
    except OSError as error:
        text = f"cannot write {path}: {error.strerror or error}"
        raise Failure(text) from error
    click.echo(f"{counted(len(ledger.trials), 'trial')}, {counted(len(ledger.speeds), 'timing')}\npage: {path}")


def _ledger(out: Path) -> Ledger:
    """Return the rows of a folder, or fail if there are none."""
    from trainstation.bench.records.ledger import Ledger

    try:
        ledger = Ledger.read(out)
    except (OSError, ValueError) as error:
        raise Failure(str(error)) from error
    if not ledger.trials and not ledger.speeds:
        text = f"there are no rows in {out}; trainstation bench makes some"
        raise Failure(text)
    return ledger


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--track", type=click.Choice(["default", "tuned"]), help="[default: tuned, where there are such rows]")
@out_folder
@as_json
def compare(a: str, b: str, track: str | None, out: Path, as_json: bool) -> None:
    """Show whether optimizer A is better than B, or how times have changed from run A to run B.

    Two names of optimizers: from the trials in --out, paired by seed, steps and seconds to the target. Two runs of
    `trainstation speed`, files of rows or names of runs in --out: how each time has changed; intervals are of 95 %, of
    samples within the two runs, and how two processes lie in memory may differ by more.
    """
    needs_the_extra("compare")
    with output(as_json):
        names = _optimizers(a, b)
    if names is None:
        _changes(a, b, out, as_json)
        return
    from trainstation.bench.verdicts.cells import cells
    from trainstation.bench.verdicts.claims import versus

    trials = _ledger(out).trials
    tuned = {each.optimizer for each in trials if each.track == "tuned"}
    track = track or ("tuned" if tuned >= set(names) else "default")
    missing = [name for name in names if not any((each.optimizer, each.track) == (name, track) for each in trials)]
    if missing:
        text = f"{out} has no {track} trials of {' or '.join(missing)}; trainstation bench {' '.join(names)} makes some"
        raise Failure(text)
    found = versus(cells(trials), *names, track)
    click.echo(json.dumps(jsonable(found), allow_nan=False) if as_json else str(found))


def _optimizers(a: str, b: str) -> tuple[str, str] | None:
    """Return the registered names that two words mean; None if one means none."""
    try:
        return lookup.label_of(a), lookup.label_of(b)
    except UnknownOptimizerError:
        return None


def _changes(before: str, after: str, out: Path, as_json: bool) -> None:
    from trainstation.bench.speed.changes import changes, find_rows, read_rows

    try:
        one, two = (read_rows(find_rows(run, out)) for run in (before, after))
    except FileNotFoundError as error:
        text = f"{error}; nor are {before} and {after} both optimizers (trainstation list)"
        raise Failure(text) from error
    except (OSError, ValueError) as error:
        raise Failure(str(error)) from error
    found = list(changes(one, two))
    if not found:
        text = f"{before} and {after} have no row of the same contender, case, threads and mode"
        raise Failure(text)
    if {row["env_id"] for row in one.values()} != {row["env_id"] for row in two.values()}:
        click.echo("These were measured on different machines, or with other versions.", err=True)
    for change in found:
        click.echo(json.dumps(jsonable(change), allow_nan=False) if as_json else str(change))


@click.command()
@as_json
def problems(as_json: bool) -> None:
    """List what optimizers are compared on: the built-in problems, then those of plugins."""
    needs_the_extra("problems")
    from trainstation.bench.problems import find_problems

    with output(as_json) as stdout:
        found = find_problems().values()
    if as_json:
        keys = ("name", "summary", "metric", "lower_is_better", "steps_per_epoch", "budget", "target", "profile")
        stdout.write(json.dumps([{key: jsonable(getattr(each, key)) for key in keys} for each in found]) + "\n")
        return
    width = max(len(each.name) for each in found)
    for each in found:
        aim = f", to {each.say(each.target)}" if each.target is not None else ""
        click.echo(f"{each.name:{width}}  {each.profile:8}  {each.summary}; {each.metric}{aim}")
