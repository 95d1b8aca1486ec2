"""The names that our own plugins bring, for the error of who asks for one that is not installed."""

from __future__ import annotations

import json
import tempfile
import tomllib
from pathlib import Path

import click

from trainstation.registry.first_party import TABLE
from trainstation.registry.lookup import find_optimizer, list_optimizers
from trainstation.testing import fake_distribution, isolated_plugins

PLUGINS = Path(__file__).parents[1] / "plugins"


def table() -> str:
    """Return the text of the table: of each distribution in `plugins/`, its optimizers' names and aliases."""
    projects = [tomllib.loads(path.read_text(encoding="utf-8"))["project"] for path in PLUGINS.glob("*/pyproject.toml")]
    names: dict[str, list[str]] = {project["name"]: [] for project in projects}
    with tempfile.TemporaryDirectory() as folder:
        for project in projects:  # as if it was installed, for whoever writes the table need not have all of them
            points = project["entry-points"]["trainstation"]
            fake_distribution(Path(folder), project["name"], project["version"], points=points)
        with isolated_plugins(Path(folder), *PLUGINS.glob("*/src")):
            for label in list_optimizers(origin="plugin"):
                entry = find_optimizer(label)
                names[entry.distribution] += entry.names
    if missing := sorted(name for name, some in names.items() if not some):
        msg = f"no optimizer was found of {', '.join(missing)}"
        raise click.ClickException(msg)
    return json.dumps({name: sorted(some) for name, some in names.items()}, indent=1, sort_keys=True) + "\n"


@click.command("names")
def main() -> None:
    """Write trainstation/registry/first_party.json: which of our distributions brings which optimizer."""
    TABLE.write_text(table(), encoding="utf-8")
    click.echo(TABLE)
