"""What a step costs where gradients have died away, and with them the moments: numbers that are subnormal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import click
import numpy as np

from trainstation import kernels
from trainstation.bench import machine, stats
from trainstation.bench.speed.entrants import link
from trainstation.bench.speed.probe import under
from trainstation.bench.speed.timing import Contender, measure
from trainstation.bench.words import ratio
from trainstation.create import parse

RULES = ("adam", "adamw:amsgrad=True", "sgd:momentum=0.9", "rmsprop:centered=True,momentum=0.9")
ELEMENTS = 2**16  # in the caches: nothing hides what the arithmetic costs
# The size of gradients; of 1e-20, the square times 1 - beta2 is subnormal in float32, at every step.
CASES = {"usual": 1e-3, "decayed": 0.0, "vanishing": 1e-20}
SECONDS = 2.0  # for each rule and instruction set


def _step(rule: str, size: float, isa: str) -> Callable[[], None]:
    rng = np.random.default_rng(0)
    values = rng.standard_normal(ELEMENTS, np.float32)
    optimizer = parse(rule).make(link([values], [(size * rng.standard_normal(ELEMENTS)).astype(np.float32)]))
    under(isa, optimizer.step)
    for states in optimizer.state.values():
        for state in states.values():
            if size == 0 and state.ndim:
                state[...] = np.finfo(np.float32).tiny  # the next step takes it below the normal numbers
    return partial(under, isa, optimizer.step)


@click.command("decayed")
def main() -> None:
    """One step with usual gradients, decayed moments and vanishing gradients, by instruction set."""
    with machine.threads(1):
        for rule in RULES:
            for isa in kernels.isas():
                timings = measure(
                    [Contender(name, _step(rule, size, isa)) for name, size in CASES.items()], seconds=SECONDS
                )
                usual = timings.pop("usual").samples
                words = [f"{rule:36} {isa:7} {stats.interval(usual).mid / 1e3:6.1f} us"]
                for name, timing in timings.items():
                    words.append(f"{name} {ratio(stats.ratio(timing.samples, usual))} times that")
                print(", ".join(words))
