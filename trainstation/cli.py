"""The command line: `trainstation list | info | cpu | bench`."""

from __future__ import annotations

import inspect
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import fields
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

import trainstation as ts
from trainstation import plugins
from trainstation.bench import OUT
from trainstation.jsonable import jsonable

if TYPE_CHECKING:
    from trainstation.registry import OptimizerInfo

__all__ = ["main"]

as_json = click.option("--json", "as_json", is_flag=True, help="JSON on stdout, and nothing else there.")


@contextmanager
def _output(as_json: bool) -> Iterator[TextIO]:
    """Give stdout; with --json all else that is printed meanwhile, by a plugin say, goes to stderr."""
    stdout = sys.stdout
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield stdout


class Failure(click.ClickException):
    """A message and an exit code: 2 usage or an unknown name, 3 a broken plugin was asked for."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance


class Main(click.Group):
    """Turns what any command may meet into a line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; 130 if it is interrupted."""
        with warnings.catch_warnings():
            warnings.showwarning = _show
            try:
                return super().invoke(ctx)
            except ts.KernelError as error:
                raise Failure(str(error)) from error
            except KeyboardInterrupt:
                click.echo("Interrupted.", err=True)
                ctx.exit(130)


def _show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Show a warning without its place in our source, which tells a user nothing."""
    click.echo(f"{category.__name__}: {message}", err=True)


def _look_up(name: str) -> OptimizerInfo:
    """Describe an optimizer, or fail with the right exit code."""
    try:
        return ts.optimizer_info(name)
    except ts.UnknownOptimizerError as error:
        broken = plugins.broken_plugin(name)
        if broken is None:
            raise Failure(str(error)) from error
        text = f"{name!r} cannot be used: {broken}"
        raise Failure(text, 3) from error
    except ts.DuplicateOptimizerError as error:
        raise Failure(str(error)) from error
    except Exception as error:  # the target of a plugin may raise anything when it is imported
        raise Failure(_cannot_be_used(name, error), 3) from error


def _cannot_be_used(name: str, error: Exception) -> str:
    entry = plugins.find_optimizer(name)
    return f"{name!r} of {entry.distribution} {entry.version} cannot be used: {type(error).__name__}: {error}"


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(ts.__version__, prog_name="trainstation")
def main() -> None:
    """A CPU-first home for optimizers: look one up by name, benchmark whatever is registered."""


@main.command("list")
@click.argument("pattern", default="*")
@as_json
def list_(pattern: str, as_json: bool) -> None:
    """List the registered optimizers whose name matches PATTERN (shell wildcards)."""
    infos: dict[str, OptimizerInfo] = {}
    with _output(as_json):
        for name in ts.list_optimizers(pattern):
            try:
                infos[name] = ts.optimizer_info(name)
            except Exception as error:  # noqa: BLE001  # one plugin whose class cannot be imported; others are listed
                click.echo(_cannot_be_used(name, error), err=True)
    if as_json:
        click.echo(json.dumps(jsonable(list(infos.values())), allow_nan=False))
        return
    width = max(map(len, infos), default=0)
    for name, info in infos.items():
        click.echo(f"{name:{width}}  {info.summary}  [{f'{info.distribution} {info.version}'.rstrip()}]")


@main.command()
@click.argument("name")
@as_json
def info(name: str, as_json: bool) -> None:
    """Show what NAME is: equations, defaults, and where it comes from."""
    with _output(as_json):
        found = _look_up(name)
    if as_json:
        click.echo(json.dumps(jsonable(found), allow_nan=False))
        return
    click.echo(f"{found.name}: {found.summary}\n")
    click.echo(inspect.cleandoc(ts.get_optimizer(name).__doc__ or "").partition(">>>")[0].rstrip() + "\n")
    for each in fields(found):
        value = getattr(found, each.name)
        if each.name not in ("name", "summary") and value not in ("", (), None):
            click.echo(f"{each.name + ':':14}{_plain(value)}")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={each!r}" for key, each in value.items())
    return ", ".join(value) if isinstance(value, tuple | list) else str(value)


@main.command()
@as_json
def cpu(as_json: bool) -> None:
    """Show what was detected, what is in use, and which rules are compiled."""
    found = ts.kernels.cpu()
    if as_json:
        click.echo(json.dumps(found))
        return
    for key, value in found.items():
        click.echo(f"{key + ':':10}{_plain(value)}")


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--epochs", type=click.IntRange(min=1), help="Train exactly so many, however long it takes.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Seeds of each optimizer.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=OUT,
    show_default=True,
    help="Folder for the rows and the picture.",
)
@as_json
@click.pass_context
def bench(
    context: click.Context, names: tuple[str, ...], epochs: int | None, seeds: int, out: Path, as_json: bool
) -> None:
    """Train the same model on real data with the optimizers NAME..., and compare.

    Each trains for an equal slice of one minute, or for exactly --epochs. Without names: the built-ins and every
    installed plugin (those tagged peer only when named). The data are in the package; no network is used.
    """
    missing = [module for module in ("rich", "matplotlib", "threadpoolctl") if find_spec(module) is None]
    if missing:
        # By folder: on the package index, the plain name may be somebody else's.
        text = (
            f'bench needs {", ".join(missing)}; this brings it, in a clone of trainstation: pip install -e ".[bench]"'
        )
        raise Failure(text)
    from trainstation.bench import runner
    from trainstation.bench.rows import OutputError
    from trainstation.bench.session import Session

    with _output(as_json) as stdout:
        for name in names:
            _look_up(name)
        chosen = list(dict.fromkeys(map(plugins.label_of, names))) or runner.choose()
        schedule = runner.share(chosen, seeds) if epochs is None else runner.Schedule(chosen, [], None)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        # The process tells apart two runs that start in the same second.
        session = Session(out / f"bench-{stamp}-{os.getpid()}", schedule, epochs, seeds, stdout if as_json else None)
        try:
            session.run()
        except OutputError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and not isinstance(cause, BrokenPipeError):
                text = f"cannot write to {out}: {cause.strerror or cause}"
                raise Failure(text) from error
            raise (cause or error) from None
        except KeyboardInterrupt:
            session.interrupted()
            context.exit(130)
    if names and session.failed():
        context.exit(3)
