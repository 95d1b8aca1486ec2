"""How long `zero_grad` takes in both modes, ours and torch's, on the tensors of models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import click
import numpy as np

import trainstation as ts
from trainstation.bench import stats
from trainstation.bench.speed.cases import SHAPES
from trainstation.bench.speed.entrants import draw, link
from trainstation.bench.speed.timing import Contender, measure

MODELS = ("mlp", "resnet18", "1000x100")
SECONDS = 3.0  # for each model and mode


def _give_back(parameters: Sequence[Any], gradients: Sequence[Any]) -> None:
    """Give all parameters a gradient again, as backward would."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def _ours(arrays: Sequence[Any], gradients: Sequence[Any]) -> tuple[Callable[..., None], Sequence[Any], Sequence[Any]]:
    parameters = link(arrays, gradients)
    return ts.optimizers.Adam(parameters).zero_grad, parameters, [ts.Tensor.from_numpy(g) for g in gradients]


def _torchs(
    arrays: Sequence[Any], gradients: Sequence[Any]
) -> tuple[Callable[..., None], Sequence[Any], Sequence[Any]]:
    import torch

    parameters = [torch.from_numpy(array) for array in arrays]
    return torch.optim.Adam(parameters).zero_grad, parameters, [torch.from_numpy(g) for g in gradients]


@click.command("zero_grad")
def main() -> None:
    """How long zero_grad takes, with set_to_none and without: ours and torch's."""
    libraries = {"trainstation": _ours, **({"torch": _torchs} if find_spec("torch") else {})}
    for model in MODELS:
        rng = np.random.default_rng(0)
        arrays, gradients = draw(SHAPES[model], "float32", 0.02, rng), draw(SHAPES[model], "float32", 1e-3, rng)
        for set_to_none in (True, False):
            contenders = []
            for name, make in libraries.items():
                zero_grad, parameters, given = make(arrays, gradients)
                call = partial(zero_grad, set_to_none=set_to_none)
                # A gradient that is gone cannot be cleared again; one that is zero can be.
                prepare = partial(_give_back, parameters, given) if set_to_none else None
                _give_back(parameters, given)
                contenders.append(Contender(name, call, prepare))
            for name, timing in measure(contenders, seconds=SECONDS).items():
                low, middle, high = (each / 1e3 for each in stats.interval(timing.samples))
                print(f"{model:10} set_to_none={set_to_none!s:6} {name:13} {middle:9.2f} us [{low:.2f}, {high:.2f}]")
