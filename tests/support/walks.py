"""What a step means, in plain NumPy: the model that random walks compare optimizers with."""

import math

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from trainstation.optimizers.elementwise import sum_of_squares
from trainstation.optimizers.hyper import scaled

__all__ = ["Modelled", "adam_in_double", "model_step", "run_walk"]


class Modelled:
    """A parameter of the model: copies of all that a step reads and writes.

    Attributes:
        values: the values.
        gradient: the gradient, or None.
        count: how many steps were made.
        state: the arrays; None before the first step.
        average: what an average of weights has for it, or None.

    """

    def __init__(self, values, gradient=None):
        self.values, self.gradient = values.copy(), gradient
        self.count, self.state, self.average = 0, None, None

    def copied(self):
        made = Modelled(self.values, self.gradient)
        made.count, made.average = self.count, None if self.average is None else self.average.copy()
        made.state = None if self.state is None else {name: array.copy() for name, array in self.state.items()}
        return made


def model_step(optimizer, groups, max_norm=None, policy="ignore", average=None):
    """Step models as an optimizer of this class does; return whether a step was made.

    Args:
        optimizer: whose `scalars`, `update` and `variant` say what a step is.
        groups: pairs of hyper-parameters and models, for those that take part.
        max_norm, policy: as `max_grad_norm` and `on_nonfinite`.
        average: None, or the weight of the values in the average of all models of all groups.

    Raises:
        ArithmeticError: where the optimizer refuses what is not finite.

    """
    active = [(hyper, model) for hyper, models in groups for model in models if model.gradient is not None]
    clip = _decided([model.gradient for _, model in active], max_norm, policy)
    if not active or clip is None:
        return False
    averaged = [model for _, models in groups for model in models] if average is not None else []
    for model in averaged:
        model.average = model.values.copy() if model.average is None else model.average
    with np.errstate(all="ignore"):
        for hyper, model in active:
            _step(optimizer, scaled(hyper), model, clip)
        for model in averaged:
            _average(model, average)
    return True


def _decided(gradients, max_norm, policy):
    """Return by what all gradients are multiplied; None if no step is made."""
    if policy != "ignore" and not all(np.isfinite(gradient).all() for gradient in gradients):
        if policy == "raise":
            raise ArithmeticError
        return None
    if max_norm is None:
        return 1.0
    total = 0.0
    for gradient in gradients:
        total += sum_of_squares(gradient)
    factor = max_norm / (math.sqrt(total) + 1e-6)
    return 1.0 if factor >= 1 else factor


def _step(optimizer, hyper, model, clip):
    kind = model.values.dtype.type
    names = optimizer.variant(hyper)[1]
    model.state = {name: np.zeros_like(model.values) for name in names} if model.state is None else model.state
    for name in names:
        model.state.setdefault(name, np.zeros_like(model.values))
    factor = (-1.0 if hyper.get("maximize") else 1.0) * clip
    gradient = model.gradient if factor == 1 else model.gradient * kind(factor)
    model.count += 1
    scalars = tuple(map(kind, optimizer.scalars(hyper, model.count)))
    optimizer.update(model.values, gradient.copy(), {name: model.state[name] for name in names}, scalars)


def _average(model, weight):
    if weight == 1:
        model.average[...] = model.values
    else:
        model.average += model.average.dtype.type(weight) * (model.values - model.average)


def adam_in_double(model, hyper, gradient):
    """Return what a step of Adam makes of the values, by the paper's equations in double precision."""
    beta1, beta2 = hyper["betas"]
    t = model.count + 1
    state = model.state or {"exp_avg": np.zeros(()), "exp_avg_sq": np.zeros(())}
    exp_avg = beta1 * state["exp_avg"].astype(np.float64) + (1 - beta1) * gradient.astype(np.float64)
    exp_avg_sq = beta2 * state["exp_avg_sq"].astype(np.float64) + (1 - beta2) * gradient.astype(np.float64) ** 2
    root = np.sqrt(exp_avg_sq / (1 - beta2**t)) + hyper["eps"]
    return model.values - hyper["lr"] * (exp_avg / (1 - beta1**t)) / root


def run_walk(machine, examples, length):
    """Walk that often, so far; say how many steps were made."""
    machine.made = 0
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=length,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{machine.made} steps")
