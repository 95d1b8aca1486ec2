"""The whole table of the optimizer step: all sizes and models, one thread and two, against all peers."""

from __future__ import annotations

from pathlib import Path

import click

from trainstation.bench.speed.cases import SHAPES, make_cases, parse_sizes
from trainstation.bench.speed.entrants import family
from trainstation.cli.common import out_folder
from trainstation.cli.speed import race

# What is compared; sgd is of interest with its momentum.
RULES = {"adam": "", "adamw": "", "sgd": "momentum=0.9", "rmsprop": ""}
SIZES = parse_sizes("2^8..2^26")
THREADS = (1, 2)
SECONDS = 20.0  # for each case, if samples are not so long that five take more
QUICK = 3.0


@click.command("step")
@click.option("--rule", type=click.Choice(list(RULES)), default="adam", show_default=True, help="With all its peers.")
@click.option("--cold", is_flag=True, help="With caches that are emptied before each step.")
@click.option("--quick", is_flag=True, help="Up to 2^22 elements and 12 million parameters, fewer samples.")
@out_folder
def main(rule: str, cold: bool, quick: bool, out: Path) -> None:
    """One step by size and by model, on 1 and 2 threads: trainstation and its peers."""
    sizes = [size for size in SIZES if not quick or size <= 2**22]
    shapes = [name for name in SHAPES if not quick or name != "gpt2"]
    cases = make_cases(sizes, shapes, THREADS, ["cold" if cold else "warm"], "float32")
    race(family(rule, RULES[rule]), cases, (QUICK if quick else SECONDS) * len(cases), None, out, as_json=False)
