"""The table of slots that one C call walks: made when an array is new, kept while all of them stay the same."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import is_
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import KernelError, ShapeError
from trainstation.optimizers.groups import Group

__all__ = ["Active", "Plan", "Row", "Table", "as_array", "check_data", "check_state"]

Array = NDArray[Any]
DTYPES = {np.dtype(np.float32): 0, np.dtype(np.float64): 1}
# What a group asks for: the index of the compiled rule (None: `update`), its states in order, the gradient's factor.
Plan = tuple[int | None, tuple[str, ...], float]


class Active(NamedTuple):
    """One parameter that a step is to update, and the arrays that it has at that time."""

    group: int
    position: int
    parameter: Any
    data: Array
    gradient: Array


@dataclass(slots=True)
class Row:
    """One parameter of a step, checked."""

    name: str  # for error messages
    group: int
    parameter: Any
    data: Array
    gradient: Array | None  # held while a step runs
    state: dict[str, Any]
    plan: Plan
    scalars: Sequence[Any] = ()  # for update: rounded once to the dtype of the values
    # What the slot was filled from; a gradient that nobody else holds must be free to go.
    known_state: tuple[Any, ...] = ()
    known_gradient: Callable[[], Array | None] = lambda: None

    def written(self) -> list[tuple[str, Array]]:
        """Return the arrays that a step writes to, each with its name."""
        return [("values", self.data), *((n, s) for n, s in self.state.items() if isinstance(s, np.ndarray))]

    def runs_compiled(self) -> bool:
        """Whether the C rule can take this row: a compiled rule, and arrays that are contiguous."""
        arrays = (self.data, self.gradient, *(self.state[name] for name in self.plan[1]))
        return self.plan[0] is not None and all(array is not None and array.flags.c_contiguous for array in arrays)

    def remember(self) -> list[weakref.ref[Array]]:
        """Note the arrays as they are, and return weak references to those that are written."""
        self.known_state = tuple(self.state.values())
        assert self.gradient is not None
        self.known_gradient = weakref.ref(self.gradient)
        return [weakref.ref(array) for _, array in self.written()]

    def still_fits(self, group: int, parameter: Any, state: Mapping[str, Any] | None) -> bool:
        """Whether all is as it was noted, but for the gradient."""
        return (
            parameter is self.parameter
            and parameter.data is self.data
            and group == self.group
            and self.data.flags.writeable
            and state is not None
            and len(state) == len(self.known_state)
            and all(map(is_, state.values(), self.known_state))
        )


class Table:
    """The rows of a step, and the slots of those that run compiled.

    It holds the arrays that it writes to, so that they cannot be freed, and weak references to all, so that NumPy
    refuses to resize them. Gradients are held weakly alone: backward must see whether anybody needs the buffer.
    """

    def __init__(self, plans: Sequence[Plan] = (), rows: Sequence[Row] = ()) -> None:
        """Raise ValueError, naming both, if bytes that are written lie within the range of another array."""
        _check_overlap(rows)
        self.rows = rows
        self.parameters = tuple(row.parameter for row in rows)
        self.compiled = [row for row in rows if row.runs_compiled()]
        self.interpreted = [row for row in rows if not row.runs_compiled()]
        if self.compiled:
            kernels.isa()  # an instruction set that is not here is an error before anything else
        # The counters of one call are one array; the states' own are views of it.
        self._steps = np.array([row.state["step"] for row in self.compiled], np.int64)
        for place, row in enumerate(self.compiled):
            row.state["step"] = self._steps[place : place + 1].reshape(())
        self._scalars = np.zeros((len(self.compiled), kernels.MAX_SCALARS))
        self._slots = self._describe()
        self._plans = plans
        self._runs = self._equal_runs()
        self._watched = [watch for row in rows for watch in row.remember()]

    def _equal_runs(self) -> list[tuple[int, int]]:
        """Return where compiled rows of one group and one t begin and end; they stay equal, for they step together."""
        runs, place = [], 0
        for _, run in groupby(self.compiled, key=lambda row: (row.group, int(row.state["step"]))):
            count = sum(1 for _ in run)
            runs.append((place, place + count))
            place += count
        return runs

    def hold(
        self,
        plans: Sequence[Plan],
        groups: Sequence[Group],
        states: Mapping[Any, dict[str, Any]],
        wanted: set[int] | None,
    ) -> bool:
        """Take hold of the gradients if the table is of exactly what is to be stepped, so that all has been checked.

        Nothing is allocated that grows with the number of parameters.
        """
        if plans != self._plans:
            return False
        rows = iter(self.rows)
        for index, group in enumerate(groups):
            for parameter in group["params"]:
                if wanted is not None and id(parameter) not in wanted:
                    continue
                gradient = parameter.grad
                if gradient is None and wanted is None:
                    continue
                row = next(rows, None)
                if row is None or gradient is None or not row.still_fits(index, parameter, states.get(parameter)):
                    return False
                row.gradient = as_array(gradient)
                if row.gradient is not row.known_gradient():
                    return False
        return next(rows, None) is None

    def release(self) -> None:
        """Let go of the gradients."""
        for row in self.rows:
            row.gradient = None

    def _describe(self) -> Array:
        slots = np.zeros(len(self.compiled), kernels.SLOT)
        for slot, row in zip(slots, self.compiled, strict=True):
            rule, names, gscale = row.plan
            assert row.gradient is not None
            slot["p"], slot["g"] = kernels.address(row.data), kernels.address(row.gradient)
            slot["state"][: len(names)] = [kernels.address(row.state[name]) for name in names]
            slot["n"], slot["dtype"] = row.data.size, DTYPES[row.data.dtype]
            slot["rule"], slot["gscale"] = rule, gscale
        if self.compiled:
            place = np.arange(len(self.compiled))
            slots["step"] = kernels.address(self._steps) + place * self._steps.itemsize
            slots["scalars"] = kernels.address(self._scalars) + place * self._scalars.strides[0]
        return slots

    def ask(self, scalars: Callable[[int, int], Sequence[float]]) -> None:
        """Take the scalars of all rows: `scalars(group, t)` is called once for each distinct pair."""
        known: dict[tuple[int, int], Sequence[float]] = {}

        def asked(group: int, t: int) -> Sequence[float]:
            if (group, t) not in known:
                known[group, t] = scalars(group, t)
            return known[group, t]

        for begin, end in self._runs:
            steps = self._steps[begin:end]
            if steps.min() == steps.max():
                self._put(begin, end, asked)
            else:  # somebody has written to a counter
                for place in range(begin, end):
                    self._put(place, place + 1, asked)
        rounded: dict[tuple[int, int, type], Sequence[Any]] = {}
        for row in self.interpreted:
            key = (row.group, int(row.state["step"]) + 1, row.data.dtype.type)
            if key not in rounded:
                with np.errstate(all="ignore"):
                    rounded[key] = tuple(map(key[2], asked(*key[:2])))
            row.scalars = rounded[key]

    def _put(self, begin: int, end: int, asked: Callable[[int, int], Sequence[float]]) -> None:
        """Write the scalars of compiled rows of one group and one t; KernelError unless the rule takes so many."""
        row = self.compiled[begin]
        values = asked(row.group, int(self._steps[begin]) + 1)
        assert row.plan[0] is not None
        count = kernels.rule_scalars(row.plan[0])
        if len(values) != count:
            msg = f"scalars() returned {len(values)} numbers; its rule takes {count}"
            raise KernelError(msg)
        self._scalars[begin:end, :count] = values

    def run(self) -> None:
        """Step all compiled rows in one call."""
        if self.compiled:
            kernels.run(self._slots)


def as_array(gradient: Any) -> Any:
    """Return the array of a gradient, which may be one itself."""
    if isinstance(gradient, np.ndarray | np.generic):
        return np.asarray(gradient)
    return getattr(gradient, "data", gradient)


def check_data(name: str, data: Any, gradient: Any) -> None:
    """Raise an error that names the parameter unless its values can be stepped along its gradient."""
    if not isinstance(data, np.ndarray) or data.dtype not in (np.float32, np.float64) or not data.dtype.isnative:
        msg = f"{name}: its data must be a float32 or float64 array, not {getattr(data, 'dtype', type(data).__name__)}"
        raise TypeError(msg)
    if not isinstance(gradient, np.ndarray):
        msg = f"{name}: its gradient must be an array or a tensor, not {type(gradient).__name__}"
        raise TypeError(msg)
    if gradient.shape != data.shape:
        msg = f"{name}: its gradient has shape {gradient.shape}, the parameter {data.shape}"
        raise ShapeError(msg)
    if gradient.dtype != data.dtype:
        msg = f"{name}: its gradient has dtype {gradient.dtype}, the parameter {data.dtype}"
        raise TypeError(msg)
    if not data.flags.writeable:
        msg = f"{name}: its data is read-only"
        raise ValueError(msg)
    low, high = np.lib.array_utils.byte_bounds(data)
    if high - low < data.nbytes:
        msg = f"{name}: its elements lie on top of one another in memory (strides {data.strides})"
        raise ValueError(msg)


def check_state(name: str, data: Array, state: dict[str, Any], names: Sequence[str]) -> None:
    """Raise an error that names the parameter unless its state fits; make its counter an array."""
    step = state.get("step")
    try:
        counter = np.array(step, np.int64)
    except (TypeError, ValueError, OverflowError):
        counter = np.array(-1)
    if counter.ndim or counter < 0 or counter != step:
        msg = f"{name}: its step must be a count, not {step!r}"
        raise ValueError(msg)
    if not isinstance(step, np.ndarray) or step.dtype != np.int64:
        state["step"] = counter
    for each in names:
        array = state[each]
        if not isinstance(array, np.ndarray):
            msg = f"{name}: its {each} must be an array, not {type(array).__name__}"
            raise TypeError(msg)
        if array.shape != data.shape or array.dtype != data.dtype:
            msg = (
                f"{name}: its {each} has shape {array.shape} and dtype {array.dtype}, the parameter {data.shape} and "
                f"{data.dtype}; unlink_parameter() or clear_states() starts anew"
            )
            raise ShapeError(msg)
        if not array.flags.writeable:
            msg = f"{name}: its {each} is read-only"
            raise ValueError(msg)


def _check_overlap(rows: Sequence[Row]) -> None:
    """Raise ValueError if the byte range of an array that a step writes to overlaps with any other's of the step."""
    ranges = []
    for row in rows:
        labelled = [(name, array, True) for name, array in row.written()]
        if row.gradient is not None:
            labelled.append(("gradient", row.gradient, False))
        for name, array, is_written in labelled:
            if array.size:
                low, high = np.lib.array_utils.byte_bounds(array)
                ranges.append((low, high, f"{name} of {row.name}", is_written))
    ranges.sort(key=lambda r: r[:2])
    end, owner = 0, ""  # of all ranges so far, the one that ends last
    written_end, writer = 0, ""  # and of those that are written
    for low, high, label, is_written in ranges:
        if low < written_end or (is_written and low < end):
            other = writer if low < written_end else owner
            msg = f"memory overlaps: the bytes of the {other} and of the {label}"
            raise ValueError(msg)
        if high > end:
            end, owner = high, label
        if is_written:
            written_end, writer = high, label
