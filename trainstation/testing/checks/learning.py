"""A check of what an optimizer is for: three functions whose minimum it is to find."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.tensor import Tensor
from trainstation.testing.subject import Shape, Subject
from trainstation.testing.verdicts import NotApplicable, fail

__all__ = ["PROBLEMS", "Problem", "converges"]

Array = NDArray[Any]

STEPS = 400
# What the default rate is multiplied by, until one is found that works: some rates are of a step, some of a gradient.
FACTORS = (1.0, 10.0, 3.0, 100.0, 30.0, 0.3, 0.1, 1000.0, 300.0, 0.03, 0.01, 0.003, 0.001)


@dataclass(frozen=True)
class Problem:
    """A function to minimise.

    Attributes:
        name: of it.
        start: the values of its parameters to begin with.
        evaluate: returns its value and gradients.
        enough: a value that any descent comes to.

    """

    name: str
    start: tuple[Array, ...]
    evaluate: Callable[[list[Array]], tuple[float, list[Array]]]
    enough: float


def _quadratic(values: list[Array]) -> tuple[float, list[Array]]:
    """Return a sum of squares whose curvatures go from 1 to 10, and its gradients."""
    curvatures = [np.geomspace(1, 10, value.size).reshape(value.shape) for value in values]
    apart = [value - 0.5 for value in values]
    gradients = [curvature * each for curvature, each in zip(curvatures, apart, strict=True)]
    return 0.5 * sum(float((g * each).sum()) for g, each in zip(gradients, apart, strict=True)), gradients


def _rosenbrock(values: list[Array]) -> tuple[float, list[Array]]:
    """Return Rosenbrock's valley and its gradient."""
    x, y = map(float, values[0].reshape(-1))
    gradient = np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2, [gradient.reshape(values[0].shape)]


@cache
def _data() -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    labels = np.arange(60) % 3
    return np.eye(3)[labels] @ rng.standard_normal((3, 5)) + rng.standard_normal((60, 5)), labels


def _logistic(values: list[Array]) -> tuple[float, list[Array]]:
    """Return the mean cross-entropy of a linear classifier of three classes, and its gradients."""
    inputs, labels = _data()
    logits = inputs @ values[0].reshape(5, 3) + values[1].reshape(3)
    logits -= logits.max(1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    wrong = (np.exp(log_probabilities) - np.eye(3)[labels]) / len(labels)
    gradients = [(inputs.T @ wrong).reshape(values[0].shape), wrong.sum(0).reshape(values[1].shape)]
    return -float(log_probabilities[np.arange(len(labels)), labels].mean()), gradients


def _start(*shapes: Shape) -> tuple[Array, ...]:
    rng = np.random.default_rng(4)
    return tuple(rng.standard_normal(shape) for shape in shapes)


PROBLEMS = (
    Problem("a quadratic", _start((4, 3), (5,)), _quadratic, 0.2),
    Problem("Rosenbrock's function", (np.array([-0.5, 0.4]),), _rosenbrock, 0.8),
    Problem("a logistic regression", _start((5, 3), (3,)), _logistic, 0.5),
)


def _train(subject: Subject, problem: Problem, shapes: list[Shape], options: dict[str, Any]) -> float:
    """Return the value at the end of a run whose rate falls to 0; infinite if it gets lost."""
    tensors = [
        Tensor.from_numpy(np.asarray(start.reshape(shape), np.float32)).requires_grad_()
        for start, shape in zip(problem.start, shapes, strict=True)
    ]
    optimizer = subject.make(tensors, **options)
    arrays = [np.zeros_like(p.data) for p in tensors]
    for p, array in zip(tensors, arrays, strict=True):
        p.grad = array
    for step in range(STEPS):
        _, gradients = problem.evaluate([p.data.astype(np.float64) for p in tensors])
        for array, gradient in zip(arrays, gradients, strict=True):
            array[...] = gradient
        if options.get("lr"):
            optimizer.set_learning_rate(options["lr"] * (1 - step / STEPS))
        optimizer.step()
    optimizer.eval()
    value, _ = problem.evaluate([p.data.astype(np.float64) for p in tensors])
    return value if math.isfinite(value) else math.inf


def converges(subject: Subject) -> str:
    """Check that each problem is solved with some rate, a thousandth to a thousand times the default, that falls."""
    decay = {"weight_decay": 0} if "weight_decay" in subject.defaults else {}
    lr = subject.defaults.get("lr")
    rates = [{"lr": lr * factor} for factor in FACTORS] if lr else [{}]
    missed = []
    for problem in PROBLEMS:
        shapes = [subject.shaped(*start.shape) for start in problem.start]
        if () in shapes:
            msg = "it takes no parameter of several elements"
            raise NotApplicable(msg)
        best = math.inf
        with np.errstate(all="ignore"):
            for options in rates:
                best = min(best, _train(subject, problem, shapes, {**options, **decay}))
                if best <= problem.enough:
                    rates.insert(0, options)  # the next problem begins with it
                    break
        if best > problem.enough:
            first, _ = problem.evaluate([start.copy() for start in problem.start])
            missed.append(f"{problem.name} from {first:.3g} to {best:.3g} (needed: {problem.enough})")
    if missed:
        fail(
            f"in {STEPS} steps, with the best of many rates, it brings {'; '.join(missed)}",
            "step against the gradient, by an amount that falls with lr",
        )
    return ""
