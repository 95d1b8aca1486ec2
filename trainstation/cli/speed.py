"""The command that times: `trainstation speed`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from trainstation.bench import machine
from trainstation.bench.speed.cases import SHAPES, Case, make_cases, parse_sizes, parse_threads
from trainstation.cli.common import Failure, as_json, endings, look_up, needs_the_extra, out_folder, output

__all__ = ["race", "speed"]

# What `trainstation speed` times without options, in about so many seconds on 2 cores.
SECONDS = 120.0
SIZES = [2**8, 2**12, 2**16, 2**20, 2**24]
MODELS = ["mlp", "lenet", "resnet18", "1000x100"]
FEWEST = 5  # samples: an interval of fewer means nothing


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
    try:
        return parse_threads(f"1,{machine.cores()}" if text is None else text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


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
    cases = make_cases(sizes or [], shapes or [], threads, ["warm", "cold"] if mode == "both" else [mode], dtype)
    race(names, cases, seconds, samples, out, as_json=as_json)


def race(
    names: Sequence[str], cases: Sequence[Case], seconds: float, samples: int | None, out: Path, *, as_json: bool
) -> None:
    """Time optimizers on cases, and end with the exit code: 1 if a check failed, 3 if one that was named cannot run."""
    needs_the_extra("speed")
    from trainstation.bench.records.output import Output, stem
    from trainstation.bench.speed.entrants import family
    from trainstation.bench.speed.race import Race

    if not cases:
        text = "there is nothing to time on"
        raise Failure(text)
    with output(as_json) as stdout:
        chosen = names or family("adam")
        if len(chosen) == 1 and not names:
            click.echo("No peers; in a clone of trainstation: pip install ./plugins/trainstation-peers", err=True)
        for name in chosen:
            look_up(name.partition(":")[0])
        shown = Output(stem(out, "speed"), stdout if as_json else None)
        try:
            run = Race(shown, chosen, cases, seconds=seconds, rounds=samples)
        except ValueError as error:
            raise Failure(str(error)) from error
        with endings(out, run.interrupted):
            run.run()
    if run.has("error") and names:
        click.get_current_context().exit(3)
    if run.has("invalid"):
        click.get_current_context().exit(1)
