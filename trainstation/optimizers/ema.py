"""Averages of the weights of a run, which often generalize better than the weights themselves."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import ShapeError
from trainstation.optimizers.actions import Action, carry_out, move_towards, put
from trainstation.optimizers.groups import as_groups, describe, entries_of
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.source import Source

__all__ = ["EMA", "SWA", "Average"]

Array = NDArray[Any]


class Average(ABC):
    """A running average of parameters, of their shapes and dtypes, on memory of its own.

    Attributes:
        n_averaged: how many times the parameters were averaged. The first time they are copied.
        count: the array of that number.
        is_swapped: whether the parameters hold the average, in `with average.swapped()`.
        is_stopped: whether the steps of the optimizer go on without it, after `stop()`.

    """

    def __init__(self, of: Any) -> None:
        """Average these from now on.

        Args:
            of: an optimizer, whose every step then averages, in its own pass over the values where its rule is
                compiled; or a module or parameters, which `update` averages. torch's and its optimizers are welcome.

        Raises:
            TypeError, ValueError: these are no parameters, or the optimizer averages already.

        """
        self.count = np.zeros((), np.int64)
        self.is_swapped = self.is_stopped = False
        self._averages: dict[Any, Array] = {}
        self._groups: list[Group] = of.param_groups if hasattr(of, "param_groups") else _groups_of(of)
        for _, parameter in self._named():
            self.average_of(parameter)
        if hasattr(of, "take_average"):
            of.take_average(self)
        elif hasattr(of, "register_step_post_hook"):  # torch's
            of.register_step_post_hook(lambda *_: None if self.is_stopped else self.update())

    @abstractmethod
    def weight(self) -> float:
        """Return the weight of the values in the next average, once there is one."""

    @property
    def n_averaged(self) -> int:
        """How many times the parameters were averaged."""
        return int(self.count)

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "n_averaged" in state:  # of a former version
            state["count"] = np.array(state.pop("n_averaged"), np.int64)
        vars(self).update(state)

    def _weight(self) -> float:
        return self.weight() if self.count else 1.0

    def _named(self) -> Iterator[tuple[str, Any]]:
        """Yield each parameter and its name: its own, or its number where not all have different ones."""
        names = [name for group in self._groups for name in group.get("param_names") or group["params"]]
        has_names = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
        parameters = [parameter for group in self._groups for parameter in group["params"]]
        yield from zip(names if has_names else map(str, range(len(names))), parameters, strict=True)

    def average_of(self, parameter: Any) -> Array:
        """Return the average of a parameter; of one that has come since, it begins at its values."""
        average = self._averages.get(parameter)
        values = _values(parameter)
        if average is None:
            average = self._averages[parameter] = kernels.copy_beside(values, values)
        elif average.shape != values.shape or average.dtype != values.dtype:
            msg = f"an average of shape {average.shape}, {average.dtype}, cannot take {values.shape}, {values.dtype}"
            raise ShapeError(msg)
        return average

    def update(self) -> None:
        """Average once; a step of an optimizer that was given does it by itself.

        Raises:
            RuntimeError: the parameters hold the average.
            ShapeError: a parameter's array has been replaced by one of another shape or dtype.

        """
        self._check_not_swapped("averaged")
        weight = self._weight()
        with np.errstate(all="ignore"):
            moves = [move for _, parameter in self._named() for move in self.moves(parameter, weight)]
            carry_out([*moves, put(self.count, self.n_averaged + 1)])

    def stop(self) -> None:
        """Have the optimizer's steps average no more; another average may take this one's place."""
        self.is_stopped = True

    def _check_not_swapped(self, what: str) -> None:
        if self.is_swapped:
            msg = f"the parameters hold their average; they cannot be {what} before `with average.swapped()` ends"
            raise RuntimeError(msg)

    # Within a step

    def begin(self) -> float:
        """Return the weight of the values in the next average; RuntimeError if the parameters hold the average."""
        self._check_not_swapped("stepped")
        return self._weight()

    def parameters(self) -> list[Any]:
        """Return all parameters."""
        return [parameter for _, parameter in self._named()]

    def moves(self, parameter: Any, weight: float) -> list[Action]:
        """Return what averages a parameter, with the values of then."""
        average, values = self.average_of(parameter), _values(parameter)
        if values.flags.c_contiguous:
            return [kernels.average_later(average, values, weight)]
        return [put(average, values)] if weight == 1 else move_towards(average, values, weight)

    # Its use

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Have the parameters hold their average, within a `with`; afterwards they are as they were.

        What is written to them meanwhile is lost, and a step is a RuntimeError.
        """
        self._check_not_swapped("swapped")
        arrays = [(self.average_of(p), _values(p)) for _, p in self._named()]
        kept = [values.copy() for _, values in arrays]
        try:
            self._write([average for average, _ in arrays], is_swapped=True)
            yield
        finally:
            self._write(kept, is_swapped=False)

    def copy_to_parameters(self) -> None:
        """Write the average into the parameters, for good."""
        self._check_not_swapped("written to")
        self._write([self.average_of(p) for _, p in self._named()])

    def _write(self, arrays: list[Array], *, is_swapped: bool = False) -> None:
        parameters = self.parameters()
        actions: list[Action] = [partial(setattr, self, "is_swapped", is_swapped)]
        for parameter, array in zip(parameters, arrays, strict=True):
            actions += [put(_values(parameter), array), *_told(parameter)]
        carry_out(actions)

    def state_dict(self) -> dict[str, Any]:
        """Return "n_averaged" and "averages", copies by the names of the parameters, or else by their numbers."""
        averages = {name: self.average_of(parameter).copy() for name, parameter in self._named()}
        return {"n_averaged": self.n_averaged, "averages": averages}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, with copies of its arrays.

        Raises:
            KeyError: something is missing.
            ValueError: a name is missing or left over, or the count is not one.
            ShapeError: an array does not fit its parameter. Whatever is raised, nothing has changed.

        """
        count, given = state_dict["n_averaged"], state_dict["averages"]
        if not isinstance(count, int) or count < 0:
            msg = f"n_averaged must be a count, not {count!r}"
            raise ValueError(msg)
        named = {name: self.average_of(parameter) for name, parameter in self._named()}
        if set(named) != set(given):
            msg = f"averages of {sorted(named)} are needed, of {sorted(given)} were given"
            raise ValueError(msg)
        for name, average in named.items():
            array = np.asarray(given[name])
            if array.shape != average.shape or array.dtype != average.dtype:
                msg = f"{name} has shape {average.shape}, {average.dtype}; its average {array.shape}, {array.dtype}"
                raise ShapeError(msg)
        arrays = [put(average, np.asarray(given[name])) for name, average in named.items()]
        carry_out([*arrays, put(self.count, count)])


class EMA(Average):
    """Exponential moving average of weights: `average += (1 - decay) * (values - average)`.

    >>> import trainstation as ts
    >>> model = ts.nn.Linear(2, 1)
    >>> optimizer = ts.optimizers.SGD(model.parameters(), lr=0.1)
    >>> average = EMA(optimizer, decay=0.99)
    >>> model(ts.Tensor.ones((4, 2))).mean().backward()
    >>> optimizer.step()  # averages too
    >>> with average.swapped():
    ...     prediction = model(ts.Tensor.ones((1, 2)))

    The difference is taken, multiplied and added in the parameters' dtype, with the same bits on every machine; with
    decay 0 the values are copied.
    (Polyak and Juditsky, 1992; Morales-Brotons et al., 2024, arXiv:2411.18704.)
    """

    def __init__(self, of: Any, decay: float = 0.999, *, warmup: bool = False) -> None:
        """Average these from now on.

        Args:
            of: an optimizer, a module, or parameters; see `Average`.
            decay: what stays of the average each time, 0 <= decay <= 1.
            warmup: whether the decay is at most (1 + n) / (10 + n), n being `n_averaged`: the weights of a run's
                beginning are forgotten sooner.

        Raises:
            TypeError, ValueError: see `Average`; or the decay is out of range.

        """
        if not 0 <= decay <= 1:
            msg = f"Invalid decay value {decay}: it lies between 0 and 1"
            raise ValueError(msg)
        self.decay = decay
        self.warmup = warmup
        super().__init__(of)

    def weight(self) -> float:
        """Return 1 - decay."""
        n = self.n_averaged
        return 1.0 - (min(self.decay, (1 + n) / (10 + n)) if self.warmup else self.decay)


class SWA(Average):
    """Stochastic weight averaging: the mean of the weights at all updates, `average += (values - average) / (n + 1)`.

    Usually of a module, with an `update` at the end of each epoch once the rate is that of `schedulers.SWALR`.
    (Izmailov et al., 2018, arXiv:1803.05407.)
    """

    def weight(self) -> float:
        """Return 1 / (n + 1)."""
        return 1.0 / (self.n_averaged + 1)


def _groups_of(given: Any) -> list[Group]:
    """Return parameters in groups, with names where they have them."""
    groups: list[Group] = []
    for group in as_groups(given):
        entries = entries_of(group["params"])
        names = [name for name, _ in entries]
        groups.append({"params": [parameter for _, parameter in entries], "param_names": names if all(names) else None})
    if not any(group["params"] for group in groups):
        msg = f"{type(given).__name__} has no parameters"
        raise ValueError(msg)
    for index, group in enumerate(groups):
        for position in range(len(group["params"])):
            _values(group["params"][position], describe(group, index, position))
    return groups


def _told(parameter: Any) -> list[Action]:
    """Return what tells a parameter, ours or torch's, that it was written to."""
    if isinstance(parameter.data, np.ndarray):
        return Source().written(parameter)
    return [partial(sys.modules["torch"].autograd.graph.increment_version, parameter)]


def _values(parameter: Any, name: str = "a parameter") -> Array:
    """Return the array of a parameter's values; a view of the memory of torch's."""
    values: Any = getattr(parameter, "data", None)
    if not isinstance(values, np.ndarray) and hasattr(values, "numpy"):
        values = values.numpy()  # torch says what is not in a CPU's memory, or no dtype of NumPy
    if not isinstance(values, np.ndarray):
        msg = f"{name} needs `.data`, an array; {type(parameter).__name__} has none"
        raise TypeError(msg)
    if values.dtype not in (np.float32, np.float64):
        msg = f"{name}: only float32 and float64 are averaged, not {values.dtype}"
        raise TypeError(msg)
    return values
