"""How long `import trainstation` takes beyond `import numpy`, in fresh interpreters."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

import click

ROUNDS = 21
STATEMENTS = ("import numpy", "import trainstation")


def seconds(statement: str, bytecode: str) -> float:
    """Return the time of one statement in an interpreter of its own, without the interpreter's own start."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = bytecode  # as in any installation: compiled once, whoever may write where
    code = f"import time; begin = time.perf_counter(); {statement}; print(time.perf_counter() - begin)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout)


@click.command("startup")
def main() -> None:
    """How long `import trainstation` takes beyond `import numpy`."""
    times: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    with tempfile.TemporaryDirectory() as bytecode:
        for statement in STATEMENTS:
            seconds(statement, bytecode)  # compiles, and fills the caches of files
        for done in range(ROUNDS):
            for statement in STATEMENTS:
                times[statement].append(seconds(statement, bytecode) * 1e3)
            if sys.stderr.isatty():
                print(f"\r{done + 1}/{ROUNDS}", end="\r", file=sys.stderr)
    over = sorted(after - before for before, after in zip(*(times[s] for s in STATEMENTS), strict=True))
    quarter = len(over) // 4
    print(f"median of {ROUNDS} fresh interpreters each, in turn")
    for statement, values in times.items():
        print(f"  {statement:20} {statistics.median(values):6.1f} ms")
    low, middle, high = over[quarter], statistics.median(over), over[-quarter - 1]
    print(f"  {'the difference':20} {middle:6.1f} ms (quartiles {low:.1f} to {high:.1f})")
