"""Tasks that learn from pairs: a model, a loss, and arrays in mini-batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trainstation import nn, no_grad, random
from trainstation.bench.problems.data import Split
from trainstation.nn import functional
from trainstation.tensor import Tensor
from trainstation.tensor.functions import cat

__all__ = ["Classification", "Supervised", "dense"]

Array = NDArray[Any]
AT_ONCE = 128  # rows of what is held out


def dense(*widths: int) -> nn.Sequential:
    """Return linear layers of these widths, with ReLU between them."""
    layers: list[nn.Module] = []
    for inside, outside in pairwise(widths):
        layers += [nn.Linear(inside, outside), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Supervised(ABC):
    """A task on pairs of inputs and targets; the metric is the loss on what is held out."""

    batch_size: ClassVar[int] = 32

    def __init__(self, seed: int) -> None:
        """Draw the first weights and the order of the data from `seed`."""
        random.manual_seed(seed)
        self.model = self.build()
        self.order = random.generator(seed)
        self.data = self.load()

    @abstractmethod
    def build(self) -> nn.Module:
        """Return the model."""

    @abstractmethod
    def load(self) -> Split:
        """Return the data."""

    @abstractmethod
    def criterion(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""

    def metric(self, outputs: Tensor, targets: Array) -> float:
        """Return the metric of outputs for what is held out."""
        return float(self.criterion(outputs, Tensor.from_numpy(targets)).item())

    def parameters(self) -> list[Any]:
        """Return what to optimize."""
        return list(self.model.parameters())

    def epoch(self) -> Iterator[Array]:
        """Yield the indices of each batch of the next epoch."""
        order = self.order.permutation(len(self.data.inputs))
        return (order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size))

    def loss(self, batch: Array) -> Tensor:
        """Return the training loss of a batch."""
        outputs = self.model(Tensor.from_numpy(self.data.inputs[batch]))
        return self.criterion(outputs, Tensor.from_numpy(self.data.targets[batch]))

    def evaluate(self) -> float:
        """Return the metric on what is held out."""
        inputs = self.data.test_inputs
        with no_grad():  # in pieces that fit into caches
            pieces = [self.model(Tensor.from_numpy(inputs[i : i + AT_ONCE])) for i in range(0, len(inputs), AT_ONCE)]
            return self.metric(cat(pieces), self.data.test_targets)


class Classification(Supervised):
    """A task with classes: cross-entropy; the metric is the share of errors."""

    def criterion(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy."""
        return functional.cross_entropy(outputs, targets)

    def metric(self, outputs: Tensor, targets: Array) -> float:
        """Return the share of errors."""
        return float(np.mean(outputs.numpy().argmax(axis=1) != targets))
