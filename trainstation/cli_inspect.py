"""The command that shows what a checkpoint holds: `trainstation inspect FILE`."""

from __future__ import annotations

import json
from pathlib import Path

import click

import trainstation as ts
from trainstation.checkpoints.files import read
from trainstation.cli_common import Failure, as_json, plain

__all__ = ["inspect"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def inspect(file: Path, as_json: bool) -> None:
    """Show what the checkpoint FILE holds, without loading it; it is checked whole."""
    try:
        contents = read(file)
    except ts.CheckpointError as error:
        raise Failure(str(error)) from error
    document, entries = contents.document, contents.entries
    arrays = [
        {"name": name, "dtype": entry.tag, "shape": list(entry.shape), "bytes": entry.end - entry.begin}
        for name, entry in entries.items()
    ]
    if as_json:
        click.echo(json.dumps({**document, "arrays": arrays}))
        return
    click.echo(f"format {document['format']}, written by trainstation {document.get('version', '')}")
    optimizer = document.get("optimizer")
    if optimizer:
        click.echo(f"optimizer: {optimizer['name']} of {optimizer['distribution']}")
        for index, group in enumerate(optimizer["groups"]):
            click.echo(f"  group {index}: {len(group['params'])} parameters, {plain(group['settings'])}")
        steps = sorted({state["step"] for state in optimizer["state"].values()})
        click.echo(f"  steps: {', '.join(map(str, steps)) or 'none'}")
    for what in ("scheduler", "average", "extra"):
        if document.get(what) is not None:
            click.echo(f"{what}: {json.dumps(document[what])}")
    width = max((len(name) for name in entries), default=0)
    for name, entry in sorted(entries.items()):
        click.echo(f"{name:{width}}  {entry.tag:4}  {list(entry.shape)}")
