"""What optimizers are compared on. A problem starts tasks; the same seed starts the same task for every optimizer."""

from __future__ import annotations

import bz2
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainstation import nn, no_grad, plugins, random
from trainstation.tensor import Tensor

__all__ = ["Problem", "Task", "find_problems"]

Array = NDArray[Any]


class Task(Protocol):
    """One training run to be: a model with its first weights, and data in their order."""

    def parameters(self) -> list[Any]:
        """Return what to optimize."""

    def epoch(self) -> Iterator[Any]:
        """Yield the batches of the next epoch."""

    def loss(self, batch: Any) -> Tensor:
        """Return the training loss of a batch, recorded for backward."""

    def evaluate(self) -> float:
        """Return the metric on the data that are not trained on."""


@dataclass(frozen=True)
class Problem:
    """A named source of tasks."""

    name: str
    summary: str
    metric: str
    steps_per_epoch: int
    start: Callable[[int], Task]


@cache
def mnist_5k() -> tuple[Array, Array, Array, Array]:
    """Return train images (4000, 784), train labels, test images (1000, 784), test labels.

    Every fifth image of the 5,000 is for testing: 100 of each digit. Pixels are scaled to [0, 1] and standardised.
    """
    with (
        resources.as_file(resources.files("trainstation") / "bench" / "data" / "mnist_5k.npz") as path,
        np.load(path, allow_pickle=False) as data,
    ):
        images, labels = data["images"].reshape(-1, 784), data["labels"].astype(np.int64)
    scaled = (images.astype(np.float32) / 255 - 0.1307) / 0.3081
    test = np.arange(len(labels)) % 5 == 4  # noqa: PLR2004
    return scaled[~test], labels[~test], scaled[test], labels[test]


@cache
def shakespeare() -> str:
    """Return 32 works, one after the other: 3.6 million characters of which 81 are different."""
    packed = (resources.files("trainstation") / "bench" / "data" / "shakespeare.txt.bz2").read_bytes()
    return bz2.decompress(packed).decode("ascii")


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


BUILTIN = {
    problem.name: problem
    for problem in [
        Problem("mnist5k_mlp", "MLP 784-256-128-10 on 5,000 real MNIST digits", "accuracy", 63, MnistMLP),
    ]
}


def find_problems() -> dict[str, Problem]:
    """Return all problems by name, the built-ins first; `distribution/name` is a plugin's if others have that name."""
    given = plugins.list_problems(Problem)
    names = Counter([*BUILTIN, *(problem.name for problem, _ in given)])
    found = dict(BUILTIN)
    for problem, distribution in given:
        name = f"{distribution}/{problem.name}" if names[problem.name] > 1 else problem.name
        found[name] = replace(problem, name=name)
    return found
