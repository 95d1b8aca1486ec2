"""`python -m trainstation.examples` lists the examples, each with the first line of its documentation."""

from __future__ import annotations

import importlib
import pkgutil

import click

from trainstation import examples


def main() -> None:
    """Print a line for each example."""
    for module in pkgutil.iter_modules(examples.__path__):
        if not module.name.startswith("_"):
            documentation = importlib.import_module(f"{examples.__name__}.{module.name}").__doc__ or ""
            click.echo(f"python -m {examples.__name__}.{module.name:<18} {documentation.strip().splitlines()[0]}")


if __name__ == "__main__":
    main()
