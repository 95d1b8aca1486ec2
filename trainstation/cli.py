"""The command line: `trainstation list | info | cpu | bench`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import trainstation as ts
from trainstation import plugins

if TYPE_CHECKING:
    from trainstation.registry import OptimizerInfo

__all__ = ["main"]

as_json = click.option("--json", "as_json", is_flag=True, help="JSON on stdout, and nothing else there.")


class Failure(click.ClickException):
    """A message and an exit code: 2 usage or an unknown name, 3 a broken plugin was asked for."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance


def _look_up(name: str) -> OptimizerInfo:
    """Describe an optimizer, or fail with the right exit code."""
    try:
        return ts.optimizer_info(name)
    except (ts.UnknownOptimizerError, ts.DuplicateOptimizerError) as error:
        broken = plugins.broken_plugin(name)
        if broken is not None:
            last = broken.error.strip().splitlines()[-1]
            text = f"{name!r} cannot be used: the plugin {broken.distribution} {broken.version} is broken: {last}"
            raise Failure(text, 3) from error
        raise Failure(str(error)) from error
    except Exception as error:  # the target of a plugin may raise anything when it is imported
        text = f"{name!r} cannot be used: its plugin is broken: {type(error).__name__}: {error}"
        raise Failure(text, 3) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(ts.__version__, prog_name="trainstation")
def main() -> None:
    """A CPU-first home for optimizers: look one up by name, benchmark whatever is registered."""


@main.command("list")
@click.argument("pattern", default="*")
@as_json
def list_(pattern: str, as_json: bool) -> None:
    """List the registered optimizers whose name matches PATTERN (shell wildcards)."""
    infos = [_look_up(name) for name in ts.list_optimizers(pattern)]
    if as_json:
        click.echo(json.dumps([asdict(info) for info in infos], default=str))
        return
    width = max((len(info.name) for info in infos), default=0)
    for info in infos:
        click.echo(f"{info.name:{width}}  {info.summary}  [{info.distribution} {info.version}]")


@main.command()
@click.argument("name")
@as_json
def info(name: str, as_json: bool) -> None:
    """Show what NAME is: equations, defaults, and where it comes from."""
    found = _look_up(name)
    if as_json:
        click.echo(json.dumps(asdict(found), default=str))
        return
    click.echo(f"{found.name}: {found.summary}\n")
    click.echo((ts.get_optimizer(name).__doc__ or "").partition(">>>")[0].rstrip() + "\n")
    for key, value in asdict(found).items():
        if key not in ("name", "summary") and value not in ("", (), None):
            click.echo(f"{key + ':':14}{_plain(value)}")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={each!r}" for key, each in value.items())
    return ", ".join(value) if isinstance(value, tuple | list) else str(value)


@main.command()
@as_json
def cpu(as_json: bool) -> None:
    """Show what was detected, what is in use, and which rules are compiled."""
    try:
        found = ts.kernels.cpu()
    except ts.KernelError as error:
        raise Failure(str(error)) from error
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
    default=Path("trainstation-bench"),
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
    try:
        from trainstation.bench import runner
        from trainstation.bench.session import Session
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("rich", "matplotlib", "threadpoolctl"):
            raise
        text = (
            f"bench needs {error.name}; this brings it: pip install 'trainstation[bench]' (in a clone: -e '.[bench]')"
        )
        raise Failure(text) from error
    for name in names:
        _look_up(name)
    chosen = list(dict.fromkeys(names)) or runner.choose()
    schedule = runner.share(chosen, seeds) if epochs is None else runner.Schedule(chosen, [], None)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    session = Session(out / f"bench-{stamp}", schedule, epochs, seeds, sys.stdout if as_json else None)
    try:
        session.run()
    except OSError as error:
        text = f"cannot write to {out}: {error.strerror or error}"
        raise Failure(text) from error
    except KeyboardInterrupt:
        session.interrupted()
        context.exit(130)
