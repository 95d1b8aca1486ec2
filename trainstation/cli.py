"""The command line: `trainstation list | info | cpu | bench | speed | compare`."""

from __future__ import annotations

import inspect
import json
import warnings
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

import trainstation as ts
from trainstation import cli_bench
from trainstation.cli_common import Failure, as_json, cannot_be_used, look_up, output
from trainstation.jsonable import jsonable

if TYPE_CHECKING:
    from trainstation.registry import OptimizerInfo

__all__ = ["main"]


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
    with output(as_json):
        for name in ts.list_optimizers(pattern):
            try:
                infos[name] = ts.optimizer_info(name)
            except Exception as error:  # noqa: BLE001  # one plugin whose class cannot be imported; others are listed
                click.echo(cannot_be_used(name, error), err=True)
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
    with output(as_json):
        found = look_up(name)
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


main.add_command(cli_bench.bench)
main.add_command(cli_bench.compare)
main.add_command(cli_bench.speed)
