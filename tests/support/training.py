"""Native optimizers in the course of training, for tests that interrupt them."""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from plain import strided
from steps import bytes_of, with_gradient
from wholeness import Moment

import trainstation as ts
from trainstation.optimizers import Optimizer

SHAPES: tuple[tuple[int, ...], ...] = ((4, 3), (17,), (5,))


def drawn(shape: Sequence[int], seed: int) -> NDArray[np.float32]:
    """Return float32 numbers, the same for the same seed."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def parameters(shapes: Sequence[tuple[int, ...]] = SHAPES, seed: int = 0) -> list[ts.Tensor]:
    """Return random parameters, with gradients."""
    return [with_gradient(drawn(shape, seed + k), drawn(shape, seed + k)) for k, shape in enumerate(shapes)]


def gradients_of_step(params: Sequence[Any], t: int) -> list[NDArray[np.float32]]:
    """Return what the gradients of a step t are in every run."""
    return [drawn(p.data.shape, 100 * t + place) for place, p in enumerate(params)]


class Training:
    """An optimizer, and parameters that all have gradients.

    Args:
        make: makes the optimizer of parameters, or of groups.
        params: the parameters.
        linked: those that are linked at first; None for all.
        steps: how many are made.
        averaged: whether an average goes with the steps.

    """

    def __init__(
        self,
        make: Callable[[Any], Optimizer],
        params: list[ts.Tensor],
        linked: Any = None,
        *,
        steps: int = 0,
        averaged: bool = False,
    ) -> None:
        self.make = make
        self.params = params
        self.optimizer = make(params if linked is None else linked)
        self.average = ts.EMA(self.optimizer, 0.75) if averaged else None
        self.give(0)
        for _ in range(steps):
            self.optimizer.step()

    def give(self, t: int) -> None:
        """Give each parameter another array as its gradient, as the backward of step t may."""
        for p, gradient in zip(self.params, gradients_of_step(self.params, t), strict=True):
            p.grad = gradient

    def moment(self) -> Moment:
        """Return what there is now."""
        groups = self.optimizer.param_groups
        places = {p: (i, k) for i, group in enumerate(groups) for k, p in enumerate(group["params"])}
        settings = [{name: copy.copy(value) for name, value in each.items() if name != "params"} for each in groups]
        shared: dict[str, Any] = {"groups": settings, "states": sum(map(bool, self.optimizer.state.values()))}
        averages: dict[ts.Tensor, Any] = {}
        if self.average is not None:
            saved = self.average.state_dict()
            shared["n_averaged"] = saved["n_averaged"]
            averages = dict(zip(places, saved["averages"].values(), strict=True))
        if type(self.optimizer).prepare is not Optimizer.prepare:
            del shared["states"]  # there may be one that is that of no step
        made = []
        for p in self.params:
            state = {name: bytes_of(value) for name, value in self.optimizer.state.get(p, {}).items()}
            if "states" not in shared and not any(map(_has_bits, state.values())):
                state = {}
            made.append({"values": bytes_of(p.data), **state, "place": places.get(p)})
            if p in averages:
                made[-1]["average"] = bytes_of(averages[p])
        return Moment(made, shared)

    def go_on(self) -> None:
        """Make three more steps: along the gradients there are, along others in the same arrays, along new arrays."""
        _others = [np.full_like(p.data, 1e6) for p in self.params for _ in range(3)]  # takes what was freed
        self.optimizer.step()
        for p, gradient in zip(self.params, gradients_of_step(self.params, 1), strict=True):
            if p.grad is not None:
                p.grad.data[...] = gradient
        self.optimizer.step()
        self.give(2)
        self.optimizer.step()

    def copied(self) -> Self:
        """Return a fresh optimizer of copies of the parameters, which has loaded a copy of this one's state dict."""
        copies = {p: copy_of(p) for p in self.params}
        groups = [{**group, "params": [copies[p] for p in group["params"]]} for group in self.optimizer.param_groups]
        fresh = type(self)(self.make, list(copies.values()), groups, averaged=self.average is not None)
        for p, q in copies.items():
            q.grad = None if p.grad is None else p.grad.data.copy()
        fresh.optimizer.load_state_dict(copy.deepcopy(self.optimizer.state_dict()))
        if self.average is not None and fresh.average is not None:
            fresh.average.load_state_dict(copy.deepcopy(self.average.state_dict()))
        return fresh


def copy_of(p: ts.Tensor) -> ts.Tensor:
    """Return a parameter of equal values, as far apart in memory."""
    values = p.data.copy() if p.data.flags.c_contiguous else strided(p.data)
    return ts.Tensor.from_numpy(values).requires_grad_()


def in_numpy(run: Training) -> list[bool]:
    """Say of each parameter whether it is stepped in NumPy; steps each once."""
    made = []
    run.give(0)
    for p in run.params:
        run.optimizer.step([p])
        last = run.optimizer.last_step
        assert last is not None
        made.append(last.isa == "numpy")
    return made


def _has_bits(value: Any) -> bool:
    return any(map(_has_bits, value)) if isinstance(value, list) else any(value)
