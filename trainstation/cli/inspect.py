"""The command that shows what a checkpoint holds: `trainstation inspect FILE`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import click

import trainstation as ts
from trainstation.checkpoints.files import Contents, read
from trainstation.checkpoints.loading import FORGED
from trainstation.checkpoints.trees import unpack
from trainstation.cli.common import Failure, as_json, plain

__all__ = ["inspect"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def inspect(file: Path, as_json: bool) -> None:
    """Show what the checkpoint FILE holds, without loading it; it is checked whole."""
    try:
        contents = read(file)
        lines = [json.dumps({**contents.document, "arrays": _arrays(contents)})] if as_json else list(_lines(contents))
    except ts.CheckpointError as error:
        raise Failure(str(error), 1 if file.exists() else 2) from error
    except FORGED as error:
        text = f"{file} says what no save says: {type(error).__name__}: {error}"
        raise Failure(text, 1) from error
    click.echo("\n".join(lines))


def _arrays(contents: Contents) -> list[dict[str, Any]]:
    return [
        {"name": name, "dtype": entry.tag, "shape": list(entry.shape), "bytes": entry.end - entry.begin}
        for name, entry in contents.entries.items()
    ]


def _lines(contents: Contents) -> Iterator[str]:
    document, arrays = contents.document, _arrays(contents)
    yield f"format {document['format']}, written by trainstation {document.get('version', '')}"
    optimizer = document.get("optimizer")
    if optimizer:
        yield f"optimizer: {optimizer['name']} of {optimizer['distribution']}"
        for index, group in enumerate(optimizer["groups"]):
            yield f"  group {index}: {len(group['params'])} parameters, {plain(_readable(group['settings']))}"
        steps = sorted({state["step"] for state in optimizer["state"].values()})
        yield f"  steps: {', '.join(map(str, steps)) or 'none'}"
    for what in ("scheduler", "average", "extra"):
        if document.get(what) is not None:
            yield f"{what}: {_readable(document[what])}"
    width = max((len(each["name"]) for each in arrays), default=0)
    for each in sorted(arrays, key=itemgetter("name")):
        yield f"{each['name']:{width}}  {each['dtype']:4}  {each['bytes']:>12,} bytes  {each['shape']}"
    yield f"{len(arrays)} arrays, {sum(each['bytes'] for each in arrays):,} bytes; the sha256 is right"


class _Name(str):
    """The name of an array that is listed below; shown without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _readable(value: Any) -> Any:
    """Return a packed value as it was, with names in the place of arrays."""
    return unpack(value, _Name)
