"""The table of slots that one C call walks: filled when an array is new, kept while all of them stay the same."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import is_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import ShapeError

__all__ = ["Plan", "Row", "Table", "check_arrays"]

Array = NDArray[Any]
DTYPES = {np.dtype(np.float32): 0, np.dtype(np.float64): 1}
# What a group asks for: the index of the compiled rule (None: `update`), its states in order, the gradient's factor.
Plan = tuple[int | None, tuple[str, ...], float]


@dataclass(slots=True)
class Row:
    """One parameter of a step, checked."""

    name: str  # for error messages
    group: int
    data: Array
    gradient: Array | None  # None once the table is filled
    state: dict[str, Any]
    plan: Plan

    def written(self) -> list[tuple[str, Array]]:
        """Return the arrays that a step writes to, each with its name."""
        return [("values", self.data), *((n, s) for n, s in self.state.items() if isinstance(s, np.ndarray))]


def _runs_compiled(row: Row) -> bool:
    """Whether the C rule can take this row: a compiled rule, and arrays that are contiguous."""
    arrays = (row.data, row.gradient, *(row.state[name] for name in row.plan[1]))
    return row.plan[0] is not None and all(array is not None and array.flags.c_contiguous for array in arrays)


class Table:
    """The rows of the last step, and the slots of those that run compiled.

    It holds the arrays that it writes to, so that they cannot be freed, and weak references to all, so that NumPy
    refuses to resize them. Gradients are held weakly alone: backward must see whether anybody needs the buffer.
    """

    def __init__(self) -> None:
        self.compiled: list[Row] = []
        self.interpreted: list[tuple[int, Row]] = []  # with its place in the list of gradients
        self._plans: Sequence[Plan] = ()
        self._owners: Sequence[int] = ()
        self._written: list[Array] = []
        self._watched: list[weakref.ref[Array]] = []
        self._gradients: list[weakref.ref[Array]] = []
        self._slots = np.zeros(0, kernels.SLOT)
        self._steps = np.zeros(0, np.int64)
        self._scalars = np.zeros((0, kernels.MAX_SCALARS))

    def holds(
        self, plans: Sequence[Plan], owners: Sequence[int], written: Sequence[Array], gradients: Sequence[Array]
    ) -> bool:
        """Whether the table was filled with exactly these, so that nothing needs to be checked again."""
        return (
            owners == self._owners
            and plans == self._plans
            and len(written) == len(self._written)
            and all(map(is_, written, self._written))
            and all(map(is_, gradients, [watch() for watch in self._gradients]))
        )

    def fill(self, plans: Sequence[Plan], rows: Sequence[Row]) -> None:
        """Take new rows; ValueError, naming both, if memory that is written overlaps with any other."""
        _check_overlap(rows)
        self._owners = [row.group for row in rows]
        self._plans = plans
        self.compiled = [row for row in rows if _runs_compiled(row)]
        self.interpreted = [(place, row) for place, row in enumerate(rows) if not _runs_compiled(row)]
        # The counters of one call are one array; the states' own are views of it.
        self._steps = np.array([row.state["step"] for row in self.compiled], np.int64)
        for place, row in enumerate(self.compiled):
            row.state["step"] = self._steps[place : place + 1].reshape(())
        self._scalars = np.zeros((len(self.compiled), kernels.MAX_SCALARS))
        self._slots = self._describe()
        self._written = [array for row in rows for array in (row.data, *row.state.values())]
        self._watched = [weakref.ref(array) for array in self._written if isinstance(array, np.ndarray)]
        self._gradients = [weakref.ref(row.gradient) for row in rows if row.gradient is not None]
        for row in rows:
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

    def run(self, scalars: Callable[[int, int], Sequence[float]]) -> None:
        """Step all compiled rows in one call; `scalars(group, t)` is asked once for each run of equal (group, t)."""
        if not self.compiled:
            return
        place = 0
        for (group, t), run in groupby(zip((row.group for row in self.compiled), self._steps.tolist(), strict=True)):
            values = scalars(group, t + 1)
            count = sum(1 for _ in run)
            self._scalars[place : place + count, : len(values)] = values
            place += count
        kernels.run(self._slots)


def check_arrays(name: str, data: Any, gradient: Any, states: Mapping[str, Array]) -> None:
    """Raise an error that names the parameter unless its arrays can be stepped."""
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
    for state, array in states.items():
        if array.shape != data.shape or array.dtype != data.dtype:
            msg = (
                f"{name}: its {state} has shape {array.shape} and dtype {array.dtype}, the parameter {data.shape} and "
                f"{data.dtype}; unlink_parameter() or clear_states() starts anew"
            )
            raise ShapeError(msg)


def _check_overlap(rows: Sequence[Row]) -> None:
    """Raise ValueError if an array that a step writes to shares a byte with anything else that the step touches."""
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
            msg = f"memory overlaps: the {other} and the {label}"
            raise ValueError(msg)
        if high > end:
            end, owner = high, label
        if is_written and high > written_end:
            written_end, writer = high, label
