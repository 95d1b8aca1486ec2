"""The models that `train` trains, in both libraries, with parameters of the same names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import trainstation as ts
from trainstation.bench.problems.text import Transformer
from trainstation.examples.lenet import LeNet

Data = tuple[NDArray[np.generic], NDArray[np.int64]]
VOCABULARY, CONTEXT, HEADS = 96, 64, 4


@dataclass(frozen=True, slots=True)
class Model:
    """A model in both libraries, its batches, and how many times as fast as torch it is to be."""

    name: str
    target: float
    ours: Callable[[], Any]
    torchs: Callable[[], Any]
    data: Callable[[int], Data]  # of a seed


def _mlp(*widths: int) -> Any:
    layers: list[Any] = [ts.nn.Linear(widths[0], widths[1])]
    for before, after in pairwise(widths[1:]):
        layers += [ts.nn.ReLU(), ts.nn.Linear(before, after)]
    return ts.nn.Sequential(*layers)


def _torch_mlp(*widths: int) -> Any:
    from torch import nn

    layers: list[Any] = [nn.Linear(widths[0], widths[1])]
    for before, after in pairwise(widths[1:]):
        layers += [nn.ReLU(), nn.Linear(before, after)]
    return nn.Sequential(*layers)


def _torch_lenet() -> Any:
    from benchmarks.training.with_torch import LeNet as TorchLeNet

    return TorchLeNet()


def _torch_transformer(layers: int, width: int) -> Any:
    from benchmarks.training.with_torch import Transformer as TorchTransformer

    return TorchTransformer(VOCABULARY, layers, width, HEADS, CONTEXT)


def _classes(shape: tuple[int, ...], seed: int) -> Data:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape, np.float32), rng.integers(0, 10, shape[0])


def _text(batch: int, seed: int) -> Data:
    rng = np.random.default_rng(seed)
    text = rng.integers(0, VOCABULARY, (batch, CONTEXT + 1))
    return text[:, :-1].copy(), text[:, 1:].reshape(-1)


def _mlp_model(target: float, batch: int, *widths: int) -> Model:
    name = f"mlp-{'-'.join(map(str, widths))}/{batch}"
    return Model(
        name, target, partial(_mlp, *widths), partial(_torch_mlp, *widths), partial(_classes, (batch, widths[0]))
    )


def _transformer_model(layers: int, width: int) -> Model:
    ours = partial(Transformer, VOCABULARY, layers, width, HEADS, CONTEXT)
    return Model(
        f"transformer-{layers}x{width}/16", 1.0, ours, partial(_torch_transformer, layers, width), partial(_text, 16)
    )


MODELS = [
    _mlp_model(3.0, 1, 64, 32, 10),
    _mlp_model(2.5, 32, 64, 64, 10),
    _mlp_model(1.5, 64, 784, 256, 128, 10),
    _mlp_model(1.2, 128, 784, 512, 512, 10),
    Model("lenet/32", 1.0, LeNet, _torch_lenet, partial(_classes, (32, 1, 28, 28))),
    _transformer_model(2, 64),
    _transformer_model(4, 128),
]
