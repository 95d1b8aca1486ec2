# mypy: allow-subclassing-any
"""The models that `torch` trains, and their training step, in which the optimizer's part is timed too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.torch.entrants import make
from benchmarks.training.models import MODELS as SHARED
from benchmarks.training.models import Data

BATCH, CLASSES = 2, 1000
# With which the losses are compared.
RATES = {"adam": 1e-4, "adamw": 1e-4, "sgd": 1e-2, "rmsprop": 1e-4}
# Normalized over two images, a rounding that differs soon doubles; at these rates it stays small for some steps.
CALM = {"adam": 1e-5, "adamw": 1e-5, "sgd": 3e-6, "rmsprop": 1e-6}


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its batches; one that takes long is trained only if all are asked for."""

    name: str
    net: Callable[[], Any]
    data: Callable[[int], Data]  # of a seed
    rates: Mapping[str, float]
    takes_long: bool = False


class Residual(nn.Module):
    """Two convolutions and a way around them; where the shape changes, a convolution of 1 x 1 is on it."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_convolution(inside, outside, 3, stride), nn.ReLU(inplace=True))
        self.second = nn.Sequential(*_convolution(outside, outside, 3, 1))
        same = inside == outside
        self.around = nn.Identity() if same else nn.Sequential(*_convolution(inside, outside, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inside, H, W) to (N, outside, H / stride, W / stride)."""
        return torch.relu(self.second(self.first(x)) + self.around(x))


class ResNet18(nn.Sequential):
    """ResNet-18 (He et al., 2016): images (N, 3, H, W) to scores (N, 1000), 62 tensors of 11.7 million elements."""

    def __init__(self) -> None:
        stem = [*_convolution(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)]
        stages = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
        blocks = [
            each
            for before, width, stride in stages
            for each in (Residual(before, width, stride), Residual(width, width, 1))
        ]
        super().__init__(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES))


def _convolution(inside: int, outside: int, side: int, stride: int) -> tuple[Any, Any]:
    return nn.Conv2d(inside, outside, side, stride, padding=side // 2, bias=False), nn.BatchNorm2d(outside)


def _images(side: int, seed: int) -> Data:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((BATCH, 3, side, side), np.float32), rng.integers(0, CLASSES, BATCH)


_SHARED = {model.name: Model(model.name, model.torchs, model.data, RATES) for model in SHARED}
MODELS = [
    _SHARED["mlp-784-256-128-10/64"],
    _SHARED["lenet/32"],
    Model("resnet18-3x64x64/2", ResNet18, partial(_images, 64), CALM),
    Model("resnet18-3x224x224/2", ResNet18, partial(_images, 224), CALM, takes_long=True),
    _SHARED["transformer-4x128/16"],
]


class Trainer:
    """A model, a batch and an optimizer.

    Attributes:
        took: nanoseconds that the optimizer's step took of each training step.

    """

    def __init__(self, model: Model, kind: str, rule: str, lr: float) -> None:
        """Make them, the same for every kind."""
        torch.manual_seed(0)
        self._model = model
        self.net = model.net()
        self.optimizer, self._step = make(kind, rule, self.net.parameters(), lr)
        self.took: list[int] = []
        self.take(0)

    def take(self, seed: int) -> None:
        """Train on the batch of this seed from now on."""
        self._inputs, self._targets = map(torch.from_numpy, self._model.data(seed))

    def train(self) -> Any:
        """Train one step; return the loss."""
        self.optimizer.zero_grad()
        scores = self.net(self._inputs)
        loss = nn.functional.cross_entropy(scores.view(-1, scores.shape[-1]), self._targets)
        loss.backward()
        begin = perf_counter_ns()
        self._step()
        self.took.append(perf_counter_ns() - begin)
        return loss
