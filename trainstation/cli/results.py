"""The commands that read rows, `trainstation report | compare`, or the packaged ones, `leaderboard`; and `problems`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from trainstation.bench import TRACKS, command_line
from trainstation.cli.common import Failure, as_json, needs_the_extra, out_folder, output
from trainstation.errors import DuplicateOptimizerError, UnknownOptimizerError
from trainstation.jsonable import jsonable
from trainstation.registry import lookup
from trainstation.registry.lookup import list_optimizers
from trainstation.registry.names import normalize

if TYPE_CHECKING:
    from trainstation.bench.records.ledger import Ledger

__all__ = ["compare", "leaderboard", "problems", "report"]


@click.command()
@out_folder
@click.option("--figures", type=click.Path(file_okay=False, path_type=Path), help="Write each figure into this folder.")
@click.option("--format", "kind", type=click.Choice(["svg", "pdf"]), default="svg", show_default=True, help="Of these.")
def report(out: Path, figures: Path | None, kind: str) -> None:
    """Write all rows of a folder as one page, report.html, that opens in any browser without a network.

    With --figures each of its figures becomes a file of its own, too.
    """
    needs_the_extra("report")
    from trainstation.bench.report import page
    from trainstation.bench.words import counted

    if figures is None and click.get_current_context().get_parameter_source("kind") is ParameterSource.COMMANDLINE:
        text = "--format is of the figures; name a folder for them: --figures DIR"
        raise Failure(text)
    ledger = _ledger(out)
    path = out / "report.html"
    with _writing(path):
        page.write(ledger, path, command=command_line("report", out=out))
    click.echo(f"{counted(len(ledger.trials), 'trial')}, {counted(len(ledger.speeds), 'timing')}\npage: {path}")
    if figures is not None:
        with _writing(figures):
            made = page.save_figures(ledger, figures, kind)
        click.echo(f"{counted(len(made), 'figure')}: {figures}")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say in a line that something cannot be written."""
    try:
        yield
    except OSError as error:
        text = f"cannot write {error.filename or path}: {error.strerror or error}"
        raise Failure(text) from error


def _read(out: Path) -> Ledger:
    """Return the rows of a folder; of one that is not there, none."""
    from trainstation.bench.records.ledger import Ledger

    return Ledger.read(out) if out.exists() else Ledger()


def _ledger(out: Path) -> Ledger:
    """Return the rows of a folder, or fail if there are none."""
    try:
        ledger = _read(out)
    except (OSError, ValueError) as error:
        raise Failure(str(error)) from error
    if not ledger.trials and not ledger.speeds:
        text = f"there are no rows in {out}; {command_line('bench', out=out)} makes some"
        raise Failure(text)
    return ledger


@click.command()
@as_json
def leaderboard(as_json: bool) -> None:
    """Show the results that are in the package: all first-party optimizers, tuned. Nothing is run."""
    needs_the_extra("leaderboard")
    from trainstation.bench.records.output import console_of
    from trainstation.bench.records.packaged import packaged
    from trainstation.bench.report import summary
    from trainstation.bench.verdicts.cells import cells
    from trainstation.bench.verdicts.score import standings

    known = packaged()
    found = standings(cells(known.trials), known.track)
    if as_json:
        click.echo(json.dumps(jsonable(found), allow_nan=False))
        return
    console = console_of()
    console.print(summary.leaderboard(found, known.track, console.width))
    for sentence in summary.sentences({known.track: found}):
        click.echo(sentence)
    click.echo(f"{known}. Two of them: trainstation compare A B; yours: trainstation bench NAME")


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--track", type=click.Choice(TRACKS), help="[default: the first of these that both have]")
@out_folder
@as_json
def compare(a: str, b: str, track: str | None, out: Path, as_json: bool) -> None:
    """Show whether optimizer A is better than B, or how times have changed from run A to run B.

    Two names of optimizers: from the trials in --out, paired by seed, steps and seconds to the target; where there are
    none of both, from the results that are in the package. No plugin needs to be installed for that. Two runs of
    `trainstation speed`, files of rows or names of runs in --out: how each time has changed; intervals are of 95 %, of
    samples within the two runs, and how two processes lie in memory may differ by more.
    """
    needs_the_extra("compare")
    from trainstation.bench.records.packaged import packaged
    from trainstation.bench.verdicts.cells import cells
    from trainstation.bench.verdicts.claims import versus

    with output(as_json):
        names = _named(a), _named(b)
    unreadable = None
    try:
        here = _read(out).trials
    except (OSError, ValueError) as error:
        here, unreadable = [], error
    ours = [trial for trial in packaged().trials if _distribution(trial.optimizer) in ("", trial.distribution)]
    if unreadable is not None and set(names) <= {*(trial.optimizer for trial in ours), *list_optimizers()}:
        raise Failure(str(unreadable)) from unreadable
    tracks = TRACKS if track is None else (track,)
    for trials, source in ((here, ""), (ours, str(packaged()))):
        for each in tracks:
            if set(names) <= {trial.optimizer for trial in trials if trial.track == each}:
                found = versus(cells(trials), *names, each)
                click.echo(json.dumps(jsonable(found), allow_nan=False) if as_json else str(found))
                if source:
                    click.echo(f"{source}; in {out} there are no trials of both", err=as_json)
                return
    if not set(names) <= {*(trial.optimizer for trial in [*here, *ours]), *list_optimizers()}:
        _changes(a, b, out, as_json)
        return
    which = f"{track} trials" if track else "trials"
    missing = [name for name in names if not any(trial.optimizer == name and trial.track in tracks for trial in here)]
    whose = " or ".join(missing) if missing else "both in one track"
    makes = command_line("bench", *names, *(["--track", track] if track in ("default", "tuned") else []), out=out)
    text = f"{out} has no {which} of {whose}; {makes} makes some"
    raise Failure(text)


def _named(word: str) -> str:
    """Return the registered name that a word means; of what is not installed here, the name as rows have it."""
    try:
        return lookup.label_of(word)
    except (UnknownOptimizerError, DuplicateOptimizerError):
        distribution, slash, plain = word.rpartition("/")
        return distribution + slash + normalize(plain)


def _distribution(name: str) -> str:
    """Return where an optimizer of this name is from, here; nothing if there is none."""
    try:
        return lookup.find_optimizer(name).distribution
    except (UnknownOptimizerError, DuplicateOptimizerError):
        return ""


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
