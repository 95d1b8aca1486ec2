"""The commands that train: `trainstation bench | tune`."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from trainstation.bench import machine
from trainstation.cli.common import (
    Failure,
    as_json,
    complete_name,
    endings,
    look_up,
    needs_the_extra,
    out_folder,
    output,
)
from trainstation.registry import lookup

if TYPE_CHECKING:
    from trainstation.bench.problems import Problem
    from trainstation.bench.protocol.plan import Plan
    from trainstation.bench.session.session import Session

__all__ = ["bench", "tune"]

TRACKS = {"default": ("default",), "tuned": ("tuned",), "both": ("default", "tuned")}

problem_option = click.option("--problem", metavar="GLOB", help="What to train.  [default: the profile's problems]")
seeds_option = click.option("--seeds", type=click.IntRange(min=1), help="Seeds of each optimizer.")
trials_option = click.option("--trials", type=click.IntRange(min=1), help="Points of each search box.")
schedule_option = click.option(
    "--schedule", type=click.Choice(["constant", "cosine", "trapezoid"]), help="Of the learning rate, with warm-up."
)
jobs_option = click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Trials that run side by side."
)
fresh_option = click.option("--fresh", is_flag=True, help="Run what there are rows of, too.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show the result only.")


@dataclass(frozen=True)
class Asked:
    """What both commands are asked for, beside their plans; the fields are their parameters."""

    names: tuple[str, ...]
    problem: str | None
    jobs: int
    fresh: bool
    quiet: bool
    out: Path
    as_json: bool


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_name)
@problem_option
@click.option(
    "--profile",
    type=click.Choice(["smoke", "standard", "full"]),
    default="smoke",
    show_default=True,
    help="A minute for all, up to 20 minutes for each optimizer, or hours.",
)
@click.option("--track", type=click.Choice(list(TRACKS)), help="As registered, tuned, or both.")
@click.option("--epochs", type=click.IntRange(min=1), help="Train exactly so many, however long it takes.")
@seeds_option
@trials_option
@schedule_option
@jobs_option
@fresh_option
@quiet_option
@out_folder
@as_json
def bench(
    profile: str,
    track: str | None,
    epochs: int | None,
    seeds: int | None,
    trials: int | None,
    schedule: str | None,
    **asked: Any,
) -> None:
    """Train the same models on real data with the optimizers NAME..., and compare.

    Without --profile it takes a minute: each at the best settings known, with as many seeds as fit (or exactly
    --seeds). One of which nothing is known gets a small search first. With --epochs each trains exactly so long, as
    registered. The profiles standard and full train with several seeds, as registered and tuned: --jobs makes use of
    all processors. Without names: the built-ins and every installed plugin (those tagged peer only when named). What
    was interrupted, the same command goes on with. The data are in the package; no network is used.
    """
    begin = time.perf_counter()
    needs_the_extra("bench")
    from trainstation.bench.protocol.minute import Minute
    from trainstation.bench.protocol.plan import PROFILES

    if profile == "smoke" and not (epochs or track or trials or schedule):
        _run(Asked(**asked), Minute(profile, ("known",), seeds or 0, 0, "cosine", begin=begin))
        return

    plan, standard = PROFILES[profile], PROFILES["standard"]
    plan = replace(
        plan,
        tracks=TRACKS[track or "both"] if track or trials else plan.tracks,
        epochs=epochs,
        seeds=seeds or plan.seeds,
        trials=trials or plan.trials or standard.trials,
        # A rate that falls needs to know when: it is for trials of a number of steps that the protocol sets.
        schedule=schedule or (standard if track or trials else plan).schedule,
    )
    _run(Asked(**asked), plan)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_name)
@problem_option
@seeds_option
@trials_option
@schedule_option
@jobs_option
@fresh_option
@quiet_option
@out_folder
@as_json
def tune(seeds: int | None, trials: int | None, schedule: str | None, **asked: Any) -> None:
    """Search the hyper-parameters of NAME... on each problem: its declared box, as many points for everyone.

    The best point is trained again with seeds that the search has not seen. A best point at the edge of its box is
    flagged: a larger box may hold a better one.
    """
    needs_the_extra("tune")
    from trainstation.bench.protocol.plan import PROFILES

    plan = PROFILES["standard"]
    plan = replace(
        plan,
        tracks=("tuned",),
        seeds=seeds or plan.seeds,
        trials=trials or plan.trials,
        schedule=schedule or plan.schedule,
    )
    session = _run(Asked(**asked), plan)
    for line in session.best_points():
        click.echo(line, err=asked["as_json"])


def _run(asked: Asked, plan: Plan) -> Session:
    """Run a plan; end with the exit code 3 if an optimizer that was named cannot train."""
    from trainstation.bench.protocol.minute import Minute
    from trainstation.bench.protocol.plan import asked_for, choose
    from trainstation.bench.records.output import Output, stem
    from trainstation.bench.session.resume import known_rows, unfinished
    from trainstation.bench.session.session import Session

    context, names, out = click.get_current_context(), asked.names, asked.out
    with output(asked.as_json) as stdout:
        for name in names:
            look_up(name)
        chosen = list(dict.fromkeys(map(lookup.label_of, names))) or choose()
        problems, jobs = _problems(asked.problem, plan), min(asked.jobs, machine.cores())
        plan = replace(plan, names=tuple(chosen))
        begun = None if asked.fresh else unfinished(out, asked_for(plan, problems))
        if isinstance(plan, Minute):  # begins anew each time, but for one that was interrupted
            known = begun.ledger if begun else None
            plan = plan.begun(problems, known.trials) if known else plan
        else:
            known = None if asked.fresh else known_rows(out)
        place = begun.stem if begun else stem(out, "bench")
        shown = Output(place, stdout if asked.as_json else None, quiet=asked.quiet)
        session = Session(shown, plan, problems, jobs, known=known, named=names, options=_options(context))
        with endings(out, session.interrupted):
            session.run()
    if names and session.failed():
        context.exit(3)
    return session


def _options(context: click.Context) -> list[str]:
    """Return the options as they were given, names apart."""
    given: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        if isinstance(parameter, click.Option) and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            value: Any = context.params[name]
            given += [parameter.opts[-1]] if parameter.is_flag else [parameter.opts[-1], str(value)]
    return given


def _problems(pattern: str | None, plan: Plan) -> list[Problem]:
    """Return the problems whose names match, or without a pattern those of the profile."""
    from trainstation.bench.problems import find_problems

    known = find_problems()
    if pattern is None:
        return plan.problems(known)
    found = [problem for name, problem in known.items() if fnmatch(name, pattern)]
    if not found:
        text = f"{pattern!r} is no problem; there are {', '.join(known)}"
        raise Failure(text)
    return found
