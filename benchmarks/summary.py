"""The results that are in the package, made of the committed rows."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.reference import OUT
from trainstation.bench.protocol.search import box_of
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.packaged import FILE, summarized, text_of
from trainstation.registry.lookup import find_optimizer, list_optimizers


def text() -> str:
    """Return what the file is to hold; the plugins whose rows are there must be installed, for their boxes."""
    ledger = Ledger.read(OUT)
    return text_of(summarized(ledger, {name: box_of(find_optimizer(name)) for name in list_optimizers()}))


@click.command("summary")
def main() -> None:
    """Write trainstation/bench/data/reference.json, the packaged results, of the rows in benchmarks/reference."""
    path = Path(str(FILE))
    path.write_text(text(), encoding="utf-8")
    click.echo(f"{path}: {path.stat().st_size:,} bytes")
