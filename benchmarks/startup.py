"""How long a program waits for us before it begins, in fresh interpreters: for the import, and for a listing."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from trainstation.testing import fake_distribution

ROUNDS = 21
PLUGINS = 300
# What is timed: a name, what comes before, the statement.
NUMPY, OURS = ("import numpy", "", "import numpy"), ("import trainstation", "", "import trainstation")
LISTING = (
    f"list_optimizers() with {PLUGINS} plugins",
    "import trainstation as ts, importlib.metadata",
    "ts.list_optimizers()",
)
PLUGIN = """
import trainstation as ts

@ts.hookimpl
def trainstation_optimizers():
    return [ts.OptimizerSpec("zoo{0}", "no_such_module:Zoo", "one of many")]
"""


def _seconds(statement: tuple[str, str, str], bytecode: str, plugins: str) -> float:
    """Return the time of one statement in an interpreter of its own, without the interpreter's own start."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # As in any installation: compiled once, whether or not this user may write there.
    environment |= {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONPATH": plugins}
    _, before, timed = statement
    code = f"import time; {before or 'pass'}\nbegin = time.perf_counter()\n{timed}\nprint(time.perf_counter() - begin)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout)


@click.command("startup")
def main() -> None:
    """How long `import trainstation` takes beyond `import numpy`, and the first listing with 300 plugins installed."""
    statements = (NUMPY, OURS, LISTING)
    times: dict[str, list[float]] = {name: [] for name, *_ in statements}
    with tempfile.TemporaryDirectory() as bytecode, tempfile.TemporaryDirectory() as plugins:
        for number in range(PLUGINS):
            module = f"zoo_{number}"
            fake_distribution(Path(plugins), f"zoo-{number}", module=module, code=PLUGIN.format(number))
        for statement in statements:
            _seconds(statement, bytecode, plugins)  # compiles, and fills the caches of files
        for done in range(ROUNDS):
            for statement in statements:
                times[statement[0]].append(_seconds(statement, bytecode, plugins) * 1e3)
            if sys.stderr.isatty():
                print(f"\r{done + 1}/{ROUNDS}", end="\r", file=sys.stderr)
    print(f"median of {ROUNDS} fresh interpreters each, in turn, and quartiles")
    over = [after - before for before, after in zip(times[NUMPY[0]], times[OURS[0]], strict=True)]
    for name, values in {**times, "the import beyond numpy's": over}.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"  {name:38} {middle:6.1f} ms ({low:.1f} to {high:.1f})")
