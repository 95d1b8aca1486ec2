"""The commands that tell what is registered and installed: `trainstation list | info | plugins`."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

import trainstation as ts
from trainstation.cli.common import as_json, cannot_be_used, complete_name, look_up, output, plain
from trainstation.jsonable import jsonable
from trainstation.registry import lookup as discovered
from trainstation.registry.names import ORIGINS

if TYPE_CHECKING:
    from trainstation.registry import OptimizerInfo

__all__ = ["info", "list_", "plugins"]


@click.command("list")
@click.argument("pattern", default="*")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only those that have all of these.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Without those whose name matches.")
@click.option("--origin", type=click.Choice(ORIGINS), help="Only those.")
@as_json
def list_(pattern: str, tags: tuple[str, ...], exclude: tuple[str, ...], origin: str | None, as_json: bool) -> None:
    """List the registered optimizers whose name matches PATTERN (shell wildcards)."""
    infos: dict[str, OptimizerInfo] = {}
    with output(as_json):
        for name in ts.list_optimizers(pattern, tags=tags, exclude=exclude, origin=origin):
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


@click.command()
@click.argument("name", shell_complete=complete_name)
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
        value: Any = getattr(found, each.name)
        if each.name not in ("name", "summary") and value not in ("", (), None):
            click.echo(f"{each.name + ':':14}{plain(value)}")


@click.command()
@as_json
def plugins(as_json: bool) -> None:
    """Show what is installed beside the built-ins, and what came of it."""
    with output(as_json):
        found = discovered.list_plugins(load=True)
    if as_json:
        click.echo(json.dumps(jsonable(found), allow_nan=False))
        return
    if not found:
        click.echo("No plugin is installed.")
    width = max((len(f"{each.distribution} {each.version}") for each in found), default=0)
    for each in found:
        click.echo(
            f"{f'{each.distribution} {each.version}':{width}}  {each.state:11}  {', '.join(each.gives)}".rstrip()
        )
        if each.error:
            click.echo(f"{'':{width}}  {each.error}")
