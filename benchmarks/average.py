"""What an average of the weights adds to a step: in the step's own pass, after it, and with torch."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import click
import numpy as np

import trainstation as ts
from trainstation.bench import machine, stats
from trainstation.bench.speed.timing import Contender, measure
from trainstation.bench.words import ratio, size_name

SIZES = (2**10, 2**17, 2**20, 2**24)
SECONDS = 5.0  # for each size


def _arrays(elements: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal(elements, np.float32), rng.standard_normal(elements, np.float32)


def _ours(elements: int, average: str) -> Callable[[], None]:
    values, gradient = _arrays(elements)
    parameter = ts.Tensor.from_numpy(values).requires_grad_()
    parameter.grad = gradient
    optimizer = ts.optimizers.AdamW([parameter])
    if average == "in the step":
        ts.EMA(optimizer)
    if average != "after it":
        return optimizer.step
    by_hand = ts.EMA([parameter])

    def step() -> None:
        optimizer.step()
        by_hand.update()

    return step


def _torchs(elements: int, threads: int) -> Callable[[], None]:
    import torch
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    torch.set_num_threads(threads)
    model = torch.nn.Module()
    values, gradient = _arrays(elements)
    model.p = torch.nn.Parameter(torch.from_numpy(values))
    model.p.grad = torch.from_numpy(gradient)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999))

    def step() -> None:
        optimizer.step()
        average.update_parameters(model)

    return step


@click.command("average")
@click.option("--threads", type=click.IntRange(min=1), default=ts.get_num_threads, help="Of both libraries.")
def main(threads: int) -> None:
    """AdamW's step without an average, and how many times as long it takes with an EMA of the weights."""
    with machine.threads(threads):
        for elements in SIZES:
            contenders = [Contender(name, _ours(elements, name)) for name in ("without", "in the step", "after it")]
            if find_spec("torch"):
                contenders.append(Contender("torch's, fused", _torchs(elements, threads)))
            timings = measure(contenders, seconds=SECONDS)
            plain = timings.pop("without").samples
            words = [f"{size_name(elements):5} {threads} threads {stats.interval(plain).mid / 1e3:8.1f} us"]
            for name, timing in timings.items():
                words.append(f"{name} {ratio(stats.ratio(timing.samples, plain))}")
            click.echo(", ".join(words))
