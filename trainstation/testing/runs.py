"""Runs of an optimizer that can be repeated, and what is compared of them."""

from __future__ import annotations

import copy
import pickle
import random as python_random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import random
from trainstation.optimizers import Optimizer
from trainstation.tensor import Tensor

__all__ = ["difference", "draw", "give", "gradient", "moved", "run", "saved", "seeded", "seen", "snapshot"]

Array = NDArray[Any]


@cache
def _drawn(shape: tuple[int, ...], kind: int, number: int, t: int = 0) -> Array:
    return np.asarray(np.random.default_rng([kind, number, t]).standard_normal(shape))


def draw(shapes: Sequence[tuple[int, ...]], dtype: str = "float32", first: int = 0) -> dict[int, Tensor]:
    """Return parameters, whose values depend on their numbers (from `first`) and shapes alone."""
    made = {}
    for number, shape in enumerate(shapes, first):
        made[number] = Tensor.from_numpy(_drawn(shape, 1, number).astype(dtype)).requires_grad_()
    return made


def gradient(shape: tuple[int, ...], number: int, t: int, dtype: Any) -> Array:
    """Return a new array, the gradient of a numbered parameter at step t."""
    return _drawn(shape, 2, number, t).astype(dtype)


def give(parameters: Mapping[int, Tensor], t: int, factor: float = 1.0) -> None:
    """Give each parameter a new array with its gradient of step t, times a factor."""
    for number, parameter in parameters.items():
        drawn = gradient(parameter.shape, number, t, parameter.dtype)
        parameter.grad = np.asarray(drawn * parameter.dtype.type(factor))


def run(optimizer: Optimizer, parameters: Mapping[int, Tensor], steps: Iterable[int], factor: float = 1.0) -> None:
    """Make steps."""
    for t in steps:
        give(parameters, t, factor)
        optimizer.step()


def moved(optimizer: Optimizer, parameters: Mapping[int, Tensor], steps: Iterable[int]) -> set[int]:
    """Make steps, and return the numbers of parameters that any of them has moved; signs may lead back."""
    numbers = set()
    for t in steps:
        before = {number: p.data.tobytes() for number, p in parameters.items()}
        run(optimizer, parameters, [t])
        numbers |= {number for number, p in parameters.items() if p.data.tobytes() != before[number]}
    return numbers


def seen(optimizer: Optimizer, parameter: Tensor) -> dict[str, Any]:
    """Return a copy of all that belongs to one parameter."""
    return {"values": parameter.data.copy(), "state": copy.deepcopy(dict(optimizer.state.get(parameter, {})))}


def saved(optimizer: Optimizer) -> dict[str, Any]:
    """Return a copy of the state dict, whatever it shares with the optimizer."""
    return copy.deepcopy(optimizer.state_dict())


def snapshot(optimizer: Optimizer, parameters: Mapping[int, Tensor]) -> dict[str, Any]:
    """Return a copy of all that a step may change."""
    return {"values": {number: p.data.copy() for number, p in parameters.items()}, "state_dict": saved(optimizer)}


def difference(found: Any, expected: Any, where: str = "") -> str:
    """Say where two results first differ by a bit (of a NaN only the position counts); nothing if they do not."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        if set(found) != set(expected):
            return f"{where or 'one'} has {sorted(map(str, found))}, not {sorted(map(str, expected))}"
        pairs = [(found[key], expected[key], f"{where}[{key!r}]") for key in found]
        return next((text for pair in pairs if (text := difference(*pair))), "")
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        if len(found) != len(expected):
            return f"{where} has {len(found)} entries, not {len(expected)}"
        pairs = [(a, b, f"{where}[{place}]") for place, (a, b) in enumerate(zip(found, expected, strict=True))]
        return next((text for pair in pairs if (text := difference(*pair))), "")
    if isinstance(found, np.ndarray) and isinstance(expected, np.ndarray):
        return _difference_of_arrays(found, expected, where)
    if isinstance(found, Tensor) and isinstance(expected, Tensor):
        return _difference_of_arrays(found.data, expected.data, where)
    same = type(found) is type(expected) and pickle.dumps(found) == pickle.dumps(expected)
    return "" if same else f"{where} is {found!r}, not {expected!r}"


def _difference_of_arrays(found: Array, expected: Array, where: str) -> str:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"{where} is {found.dtype} of shape {found.shape}, not {expected.dtype} of shape {expected.shape}"
    if found.tobytes() == expected.tobytes():
        return ""
    if found.dtype.kind != "f":
        return f"{where} differs"
    nan = np.isnan(found)
    if not np.array_equal(nan, np.isnan(expected)):
        return f"{where} has a NaN where the other has none"
    if found[~nan].tobytes() == expected[~nan].tobytes():
        return ""
    with np.errstate(all="ignore"):
        apart = np.abs(found[~nan].astype(np.float64) - expected[~nan])
    return f"{where} differs by {np.nanmax(apart, initial=0):.3g}"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Set every global generator meanwhile, and put it back."""
    kept = np.random.get_state(), python_random.getstate()  # noqa: NPY002  # the global one is meant
    np.random.seed(seed)  # noqa: NPY002  # likewise
    python_random.seed(seed)
    try:
        with random.seeded(seed):
            yield
    finally:
        np.random.set_state(kept[0])  # noqa: NPY002  # likewise
        python_random.setstate(kept[1])
