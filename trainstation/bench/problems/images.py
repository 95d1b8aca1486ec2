"""Problems on images: 5,000 of MNIST's digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from trainstation import nn, no_grad, random
from trainstation.bench.problems.data import mnist_5k
from trainstation.bench.problems.problem import Problem
from trainstation.tensor import Tensor

__all__ = ["PROBLEMS", "MnistMLP"]

Array = NDArray[Any]


class MnistMLP:
    """784-256-128-10 with ReLU and cross-entropy, batches of 64."""

    batch_size = 64

    def __init__(self, seed: int) -> None:
        """Draw the first weights and the order of the data from `seed`."""
        random.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
        self.order = random.generator(seed)
        self.images, self.labels, self.test_images, self.test_labels = mnist_5k()

    def parameters(self) -> list[Any]:
        """Return what to optimize."""
        return list(self.model.parameters())

    def epoch(self) -> Iterator[Array]:
        """Yield the indices of each batch of the next epoch."""
        order = self.order.permutation(len(self.images))
        return (order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size))

    def loss(self, batch: Array) -> Tensor:
        """Return the training loss of a batch."""
        logits = self.model(Tensor.from_numpy(self.images[batch]))
        return nn.functional.cross_entropy(logits, Tensor.from_numpy(self.labels[batch]))

    def evaluate(self) -> float:
        """Return the share of test images that are recognised."""
        with no_grad():
            logits = self.model(Tensor.from_numpy(self.test_images)).numpy()
        return float((logits.argmax(axis=1) == self.test_labels).mean())


PROBLEMS = [
    Problem("mnist5k_mlp", "MLP 784-256-128-10 on 5,000 real MNIST digits", "accuracy", 63, MnistMLP, profile="smoke"),
]
