"""`python -m benchmarks NAME` runs one of our own benchmarks."""

from __future__ import annotations

import click

from benchmarks import average, decayed, names, reference, rehash, startup, step, summary, targets, zero_grad
from benchmarks.torch import steps as torch
from benchmarks.training import train


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Our own benchmarks; `trainstation bench` and `trainstation speed` are everyone's."""


for module in (average, decayed, names, reference, rehash, startup, step, summary, targets, torch, train, zero_grad):
    main.add_command(module.main)

if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
