"""Problems on tables: small models of medicine, letters and digits."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import nn
from trainstation.bench.problems.data import Split, breast_cancer, diabetes, digits, letter, randhie
from trainstation.bench.problems.supervised import Classification, Supervised, dense
from trainstation.nn import functional
from trainstation.registry.problem import Problem
from trainstation.tensor import Tensor

__all__ = ["PROBLEMS"]

Array = NDArray[Any]
PENALTY = 1e-3  # of the logistic regression
NEWTON = 50  # steps, many more than are needed


def _logistic(weights: Array) -> tuple[float, Array, Array]:
    """Return the logistic regression's objective, its gradient and its Hessian, in float64; the bias comes last."""
    features, labels = (array.astype(np.float64) for array in breast_cancer())
    inputs = np.column_stack([features, np.ones(len(labels))])
    penalties = np.append(np.full(features.shape[1], PENALTY), 0.0)
    scores = inputs @ weights
    chances = 1 / (1 + np.exp(-scores))
    objective = np.mean(np.logaddexp(0, scores) - labels * scores) + (penalties * weights**2).sum() / 2
    gradient = inputs.T @ (chances - labels) / len(labels) + penalties * weights
    hessian = (inputs.T * (chances * (1 - chances))) @ inputs / len(labels) + np.diag(penalties)
    return float(objective), gradient, hessian


@cache
def _least() -> tuple[float, float]:
    """Return the objective of no weights, and the least one, by Newton's method."""
    weights = np.zeros(breast_cancer()[0].shape[1] + 1)
    first, _, _ = _logistic(weights)
    for _ in range(NEWTON):
        _, gradient, hessian = _logistic(weights)
        weights -= np.linalg.solve(hessian, gradient)
    return first, _logistic(weights)[0]


class CancerLogistic(Supervised):
    """Logistic regression with a penalty; the metric is the objective above its least, of that of no weights."""

    def build(self) -> nn.Module:
        """Return the model."""
        return nn.Linear(30, 1)

    def load(self) -> Split:
        """Return the data; nothing is held out, for it is the training objective that is to be minimal."""
        features, labels = breast_cancer()
        return Split(features, labels[:, None], features, labels[:, None])

    def criterion(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the objective of a batch."""
        weight = self.parameters()[0]
        fit = functional.binary_cross_entropy_with_logits(outputs, targets)
        return fit + (weight * weight).sum() * (PENALTY / 2)  # type: ignore[no-any-return]  # operators give Any

    def evaluate(self) -> float:
        """Return the relative suboptimality, in float64."""
        weights = np.concatenate([parameter.data.ravel() for parameter in self.parameters()]).astype(np.float64)
        first, least = _least()
        return (_logistic(weights)[0] - least) / (first - least)


class DigitsSoftmax(Classification):
    """Multinomial logistic regression on digits; the metric is the cross-entropy."""

    def build(self) -> nn.Module:
        """Return the model."""
        return nn.Linear(64, 10)

    def load(self) -> Split:
        """Return the data."""
        return digits()

    def metric(self, outputs: Tensor, targets: Array) -> float:
        """Return the cross-entropy."""
        return Supervised.metric(self, outputs, targets)


class DigitsMLP(Classification):
    """64-64-64-10 on digits."""

    def build(self) -> nn.Module:
        """Return the model."""
        return dense(64, 64, 64, 10)

    def load(self) -> Split:
        """Return the data."""
        return digits()


class DiabetesMLP(Supervised):
    """10-16-1: the metric is the mean squared error, of targets whose variance is 1."""

    def build(self) -> nn.Module:
        """Return the model."""
        return dense(10, 16, 1)

    def load(self) -> Split:
        """Return the data."""
        return diabetes()

    def criterion(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error."""
        return functional.mse_loss(outputs, targets)


class LetterMLP(Classification):
    """16-128-128-26 on letters."""

    batch_size = 128

    def build(self) -> nn.Module:
        """Return the model."""
        return dense(16, 128, 128, 26)

    def load(self) -> Split:
        """Return the data."""
        return letter()


class VisitsPoisson(Supervised):
    """9-64-64-1: the logarithm of a Poisson distribution's rate; the metric is its negative log likelihood."""

    batch_size = 128

    def build(self) -> nn.Module:
        """Return the model."""
        return dense(9, 64, 64, 1)

    def load(self) -> Split:
        """Return the data."""
        return randhie()

    def criterion(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the negative log likelihood, without the term that no model can change."""
        return functional.poisson_nll_loss(outputs, targets)


PROBLEMS = [
    Problem(
        "softmax_digits",
        "softmax regression on 1,797 digits of 8 x 8",
        "loss",
        45,
        DigitsSoftmax,
        lower_is_better=True,
        budget=1500,
        profile="smoke",
    ),
    Problem(
        "logreg_cancer",
        "logistic regression on 569 tumours",
        "suboptimality",
        18,
        CancerLogistic,
        lower_is_better=True,
        budget=1000,
    ),
    Problem(
        "mlp_digits",
        "MLP 64-64-64-10 on 1,797 digits of 8 x 8",
        "error",
        45,
        DigitsMLP,
        lower_is_better=True,
        budget=1500,
    ),
    Problem(
        "reg_diabetes",
        "regression by an MLP 10-16-1 on 442 people with diabetes",
        "squared error",
        12,
        DiabetesMLP,
        lower_is_better=True,
        budget=400,
    ),
    Problem(
        "mlp_letter",
        "MLP 16-128-128-26 on 20,000 images of letters",
        "error",
        125,
        LetterMLP,
        lower_is_better=True,
        budget=2000,
    ),
    Problem(
        "poisson_randhie",
        "Poisson regression by an MLP 9-64-64-1 on 20,190 people's visits to a doctor",
        "negative log likelihood",
        127,
        VisitsPoisson,
        lower_is_better=True,
        budget=1500,
    ),
]
