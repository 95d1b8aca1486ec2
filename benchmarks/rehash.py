"""The committed rows of code that was moved or reworded: each old hash is replaced by the new one of the same code.

Nothing is run again, so every hash is proven first: that of each row is computed anew by the commit before, of the same
optimizer or problem. What is replaced is the hash that this checkout computes.
"""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
from typing import Any

import click

from benchmarks.reference import OUT, PACKED, write_page
from benchmarks.targets import COMMITTED

# Runs in either checkout: provenance.py may lie elsewhere in the other.
HASHES = """
import importlib, json, pkgutil, sys
import benchmarks.controls, trainstation, trainstation.bench
from trainstation.bench.problems import find_problems

places = pkgutil.walk_packages(trainstation.bench.__path__, "trainstation.bench.")
provenance = importlib.import_module(next(each.name for each in places if each.name.endswith(".provenance")))
names, problems = json.load(sys.stdin), find_problems()
json.dump({
    "code_hash": {name: provenance.code_hash(trainstation.get_optimizer(name)) for name in names["optimizer"]},
    "problem_version": {name: provenance.problem_version(problems[name]) for name in names["problem"]},
}, sys.stdout)
"""
SUBJECT = {"code_hash": "optimizer", "problem_version": "problem"}


def _hashes(python: str, names: dict[str, list[str]]) -> dict[str, dict[str, str]]:
    """Return the hashes that the checkout of an interpreter computes of optimizers and problems."""
    where = "import trainstation as ts; from pathlib import Path; print(Path(ts.__file__).parents[1])"
    checkout = subprocess.run([python, "-P", "-c", where], capture_output=True, check=True, text=True).stdout.strip()
    asked = json.dumps(names)
    found = subprocess.run(
        [python, "-c", HASHES], input=asked, capture_output=True, check=True, text=True, cwd=checkout
    )
    hashes: dict[str, dict[str, str]] = json.loads(found.stdout)
    return hashes


@click.command("rehash")
@click.option("--before", required=True, metavar="PYTHON", help="An interpreter with the commit before, and plugins.")
def main(before: str) -> None:
    """Replace the hashes of committed rows and targets by those of the same code as it is written now."""
    with lzma.open(OUT / PACKED, "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    if [json.dumps(row) for row in rows] != lines:
        msg = f"{PACKED} is not written as rows are"
        raise click.ClickException(msg)
    targets: dict[str, dict[str, Any]] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    hashed = [(row, field, row[SUBJECT[field]]) for row in rows for field in SUBJECT if row.get(field)]
    hashed += [(target, "problem_version", name) for name, target in targets.items()]
    names = {
        subject: sorted({name for _, field, name in hashed if SUBJECT[field] == subject})
        for subject in SUBJECT.values()
    }
    old, new = _hashes(before, names), _hashes(sys.executable, names)
    for row, field, name in hashed:
        if row[field] != old[field][name]:
            msg = f"{name}: a row has {field} {row[field]}, and the commit before computes {old[field][name]}"
            raise click.ClickException(msg)
        row[field] = new[field][name]
    replaced = OUT / f"{PACKED}.new"
    with lzma.open(replaced, "wt", encoding="utf-8", preset=9) as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    replaced.replace(OUT / PACKED)
    write_page(OUT)
    COMMITTED.write_text(json.dumps(targets, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for field, subject in SUBJECT.items():
        count = sum(field == each for _, each, _ in hashed)
        changed = [name for name in names[subject] if old[field][name] != new[field][name]]
        click.echo(f"{field}: {count} proven, those of {len(changed)} names replaced: {', '.join(changed)}")


if __name__ == "__main__":
    main()
