"""The commands that measure: `trainstation bench | speed | compare`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainstation import plugins
from trainstation.bench import PROBLEM, machine
from trainstation.bench.cases import SHAPES, Case, make_cases, parse_sizes
from trainstation.cli_common import Failure, as_json, complete_name, look_up, out_folder, output
from trainstation.jsonable import jsonable

if TYPE_CHECKING:
    from trainstation.bench.entrants import Entrant
    from trainstation.bench.problems import Problem

__all__ = ["bench", "compare", "race", "speed"]

# What `trainstation speed` times without options, in about so many seconds on 2 cores.
SECONDS = 120.0
SIZES = [2**8, 2**12, 2**16, 2**20, 2**24]
MODELS = ["mlp", "lenet", "resnet18", "1000x100"]
FEWEST = 5  # samples: an interval of fewer means nothing


def _needs_the_extra(command: str) -> None:
    """Fail unless the packages of the extra `bench` are there."""
    missing = [module for module in ("rich", "matplotlib", "threadpoolctl") if find_spec(module) is None]
    if missing:
        # By folder: on the package index, the plain name may be somebody else's.
        text = (
            f"{command} needs {', '.join(missing)}; this brings it, in a clone of trainstation: "
            'pip install -e ".[bench]"'
        )
        raise Failure(text)


def _stem(out: Path, command: str) -> Path:
    """Return where a run's files go; the process tells apart two that start in the same second."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return out / f"{command}-{stamp}-{os.getpid()}"


@contextmanager
def _endings(out: Path, interrupted: Callable[[], None]) -> Iterator[None]:
    """Turn a full disk and Ctrl-C into a line and an exit code; leave a reader that has gone to click."""
    from trainstation.bench.rows import OutputError

    try:
        yield
    except OutputError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, BrokenPipeError):
            text = f"cannot write to {out}: {cause.strerror or cause}"
            raise Failure(text) from error
        raise (cause or error) from None
    except KeyboardInterrupt:
        interrupted()
        click.get_current_context().exit(130)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_name)
@click.option("--problem", default=PROBLEM, show_default=True, metavar="GLOB", help="What to train.")
@click.option("--epochs", type=click.IntRange(min=1), help="Train exactly so many, however long it takes.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Seeds of each optimizer.")
@out_folder
@as_json
@click.pass_context
def bench(
    context: click.Context,
    names: tuple[str, ...],
    problem: str,
    epochs: int | None,
    seeds: int,
    out: Path,
    as_json: bool,
) -> None:
    """Train the same model on real data with the optimizers NAME..., and compare.

    Each trains for an equal slice of one minute, or for exactly --epochs. Without names: the built-ins and every
    installed plugin (those tagged peer only when named). The data are in the package; no network is used.
    """
    _needs_the_extra("bench")
    from trainstation.bench import runner
    from trainstation.bench.session import Session

    with output(as_json) as stdout:
        for name in names:
            look_up(name)
        chosen = list(dict.fromkeys(map(plugins.label_of, names))) or runner.choose()
        schedule = runner.share(chosen, seeds) if epochs is None else runner.Schedule(chosen, [], None)
        lines = stdout if as_json else None
        session = Session(_stem(out, "bench"), _problem(problem), schedule, epochs, seeds, lines)
        with _endings(out, session.interrupted):
            session.run()
    if names and session.failed():
        context.exit(3)


def _problem(pattern: str) -> Problem:
    """Return the one problem whose name matches."""
    from trainstation.bench.problems import find_problems

    problems = find_problems()
    matching = [name for name in problems if fnmatch(name, pattern)]
    if len(matching) != 1:
        text = f"{pattern!r} is {'more than one' if matching else 'no'} problem; there are {', '.join(problems)}"
        raise Failure(text)
    return problems[matching[0]]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _sizes(_: click.Context, __: click.Parameter, text: str | None) -> list[int] | None:
    try:
        return None if text is None else parse_sizes(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _shapes(_: click.Context, __: click.Parameter, text: str | None) -> list[str] | None:
    for word in _words(text or ""):
        if word not in SHAPES:
            msg = f"{word!r} is none of {', '.join(SHAPES)}"
            raise click.BadParameter(msg)
    return None if text is None else _words(text)


def _threads(_: click.Context, __: click.Parameter, text: str | None) -> list[int]:
    counts = _words(f"1,{machine.cores()}" if text is None else text)
    if not counts or not all(count.isdecimal() and int(count) for count in counts):
        msg = f"{text!r} are no numbers of threads; write 1 or 1,2"
        raise click.BadParameter(msg)
    return list(dict.fromkeys(map(int, counts)))


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME[:OPTION=VALUE,...]]...")
@click.option("--sizes", callback=_sizes, metavar="N,N|N..N", help="Elements of one tensor: 1000, 2^16, 2^8..2^20.")
@click.option("--shapes", callback=_shapes, metavar="WORD,...", help=f"Tensors of models: {', '.join(SHAPES)}.")
@click.option("--threads", callback=_threads, metavar="N,...", help="[default: 1 and all cores]")
@click.option("--mode", type=click.Choice(["warm", "cold", "both"]), default="warm", show_default=True, help="Caches.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option("--seconds", type=click.FloatRange(min=0), default=SECONDS, show_default=True, help="For all together.")
@click.option("--samples", type=click.IntRange(min=FEWEST), help="So many of each on each case, however long it takes.")
@out_folder
@as_json
def speed(
    names: tuple[str, ...],
    sizes: list[int] | None,
    shapes: list[str] | None,
    threads: list[int],
    mode: str,
    dtype: str,
    seconds: float,
    samples: int | None,
    out: Path,
    as_json: bool,
) -> None:
    """Time one step of the optimizers NAME..., against each other and against the memory.

    Options of an optimizer go with its name: adam:state_dtype=bfloat16. Without names: adam and all its peers, which
    the distribution trainstation-peers brings. Each is first compared with float64.
    """
    if sizes is None and shapes is None:
        sizes, shapes = SIZES, MODELS
    modes = ["warm", "cold"] if mode == "both" else [mode]
    race(names, make_cases(sizes or [], shapes or [], threads, modes, dtype), seconds, samples, out, as_json)


def race(
    names: Sequence[str], cases: Sequence[Case], seconds: float, samples: int | None, out: Path, as_json: bool
) -> None:
    """Time optimizers on cases, and end with the exit code: 1 if a check failed, 3 if one that was named cannot run."""
    _needs_the_extra("speed")
    from trainstation.bench.entrants import family
    from trainstation.bench.output import Output
    from trainstation.bench.race import Race

    if not cases:
        text = "there is nothing to time on"
        raise Failure(text)
    with output(as_json) as stdout:
        chosen = names or family("adam")
        if len(chosen) == 1 and not names:
            click.echo("No peers: in a clone of trainstation, pip install -e plugins/trainstation-peers", err=True)
        entrants, absent = _admit(chosen)
        shown = Output(_stem(out, "speed"), stdout if as_json else None)
        run = Race(shown, entrants, cases, absent=absent, seconds=seconds, rounds=samples)
        with _endings(out, run.interrupted):
            run.run()
    if run.has("error") and names:
        click.get_current_context().exit(3)
    if run.has("invalid"):
        click.get_current_context().exit(1)


def _admit(names: Sequence[str]) -> tuple[list[Entrant], dict[str, str]]:
    """Return who can take part, and who is absent, and why; fail for a name or an option that is unknown."""
    from trainstation.bench.entrants import parse

    entrants, absent = {}, {}
    for name in names:
        look_up(name.partition(":")[0])
        try:
            entrant = parse(name)
            entrant.make(None)
        except ImportError as error:
            absent[entrant.label] = str(error)
        except (TypeError, ValueError) as error:
            text = f"{name}: {error}"
            raise Failure(text) from error
        else:
            entrants[entrant.label] = entrant
    if not entrants:
        text = f"nothing to time: {'; '.join(absent.values())}"
        raise Failure(text)
    return list(entrants.values()), absent


@click.command()
@click.argument("before")
@click.argument("after")
@out_folder
@as_json
def compare(before: str, after: str, out: Path, as_json: bool) -> None:
    """Show how the times of AFTER differ from those of BEFORE, two runs of `trainstation speed`.

    Each is a file of rows, or the name of a run in --out. Intervals are of 95 %, of samples within the two runs; how
    two processes lie in memory may differ by more.
    """
    _needs_the_extra("compare")
    from trainstation.bench.compare import changes, find_rows, read_rows

    try:
        one, two = (read_rows(find_rows(run, out)) for run in (before, after))
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
