"""The command line: `trainstation list | info | plugins | check | new | bench | tune | speed | report | ...`."""

from __future__ import annotations

import json
import warnings
from typing import Any

import click

import trainstation as ts
from trainstation.cli import bench, check, inspect, new, plugins, results, speed
from trainstation.cli.common import Failure, as_json, plain

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


@main.command()
@as_json
def cpu(as_json: bool) -> None:
    """Show what was detected, what is in use, and which rules are compiled."""
    found = ts.kernels.cpu()
    if as_json:
        click.echo(json.dumps(found))
        return
    for key, value in found.items():
        click.echo(f"{key + ':':10}{plain(value)}")


for command in (
    bench.bench,
    bench.tune,
    check.check,
    inspect.inspect,
    new.new,
    plugins.info,
    plugins.list_,
    plugins.plugins,
    results.compare,
    results.leaderboard,
    results.problems,
    results.report,
    speed.speed,
):
    main.add_command(command)
