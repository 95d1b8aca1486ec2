"""Problems on images: 5,000 of MNIST's digits."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from trainstation import nn
from trainstation.bench.problems.data import Split, mnist_5k
from trainstation.bench.problems.supervised import Classification, Supervised, dense
from trainstation.nn import functional
from trainstation.registry.problem import Problem
from trainstation.tensor import Tensor

__all__ = ["PROBLEMS", "MnistMLP"]

Array = NDArray[Any]


class MnistMLP(Classification):
    """784-256-128-10 with ReLU and cross-entropy; the metric is the share of images that are recognised."""

    batch_size = 64

    def build(self) -> nn.Module:
        """Return the model."""
        return dense(784, 256, 128, 10)

    def load(self) -> Split:
        """Return the images, flat."""
        return mnist_5k()

    def metric(self, outputs: Tensor, targets: Array) -> float:
        """Return the share of images that are recognised."""
        return 1 - super().metric(outputs, targets)


class MnistCNN(Classification):
    """Two convolutions with maxima and two linear layers, in the manner of LeNet; 16,000 parameters."""

    batch_size = 32

    def build(self) -> nn.Module:
        """Return the model."""
        return nn.Sequential(
            nn.Conv2d(1, 8, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(256, 48),
            nn.ReLU(),
            nn.Linear(48, 10),
        )

    def load(self) -> Split:
        """Return the images, as images."""
        data = mnist_5k()
        inputs, test_inputs = (each.reshape(-1, 1, 28, 28) for each in (data.inputs, data.test_inputs))
        return Split(inputs, data.targets, test_inputs, data.test_targets)


class MnistAutoencoder(Supervised):
    """784-256-64-16-64-256-784: images through a narrow place, which is badly conditioned."""

    batch_size = 64

    def build(self) -> nn.Module:
        """Return the model."""
        return nn.Sequential(dense(784, 256, 64, 16, 64, 256, 784), nn.Sigmoid())

    def load(self) -> Split:
        """Return the images, pixels in [0, 1], twice."""
        data = mnist_5k()
        inputs, test_inputs = (each * 0.3081 + 0.1307 for each in (data.inputs, data.test_inputs))
        return Split(inputs, inputs, test_inputs, test_inputs)

    def criterion(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error of a pixel."""
        return functional.mse_loss(outputs, targets)


PROBLEMS = [
    Problem(
        "mnist5k_mlp",
        "MLP 784-256-128-10 on 5,000 real MNIST digits",
        "accuracy",
        63,
        MnistMLP,
        budget=800,
        profile="smoke",
    ),
    Problem(
        "cnn_mnist5k",
        "CNN with two convolutions on 5,000 MNIST digits",
        "error",
        125,
        MnistCNN,
        lower_is_better=True,
        budget=600,
    ),
    Problem(
        "ae_mnist5k",
        "autoencoder 784-256-64-16-64-256-784 on 5,000 MNIST digits",
        "squared error",
        63,
        MnistAutoencoder,
        lower_is_better=True,
        budget=800,
    ),
]
