"""A native optimizer whose parameters are torch tensors: its class, and what its steps look at."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.interop.torch.views import View
from trainstation.optimizers import Optimizer
from trainstation.optimizers.contract import Contract, LastStep
from trainstation.optimizers.groups import Parameter
from trainstation.optimizers.hyper import FLOAT32_ZERO, Group
from trainstation.optimizers.stepping.rows import Row
from trainstation.optimizers.stepping.stepper import Stepper
from trainstation.optimizers.stepping.table import Table
from trainstation.optimizers.stepping.watch import Watch

__all__ = ["TensorStepper", "native_class"]

Array = NDArray[Any]


class TensorWatch(Watch):
    """What the rows of a table were made of, and the gradients of the moment, which it holds during a step only.

    Backward gives every parameter a new gradient, so addresses are what a step looks at. A gradient is contiguous and
    as many bytes as its parameter, or it goes another way: autograd promises this of those that it makes, but a
    user may assign another one.
    """

    def __init__(self, watch: Watch, table: Table, views: Sequence[View]) -> None:
        """Take over from the watch that the table was made with."""
        self.__dict__.update(vars(watch))
        self._slots = table.slots
        rows = set(map(id, table.parameters))
        in_c = not (table.interpreted or table.prepares)  # else every row is looked at in Python anyway
        plain = [row for row in table.rows if in_c and row.parameter.is_plain]
        self._others = [row for row in table.rows if not (in_c and row.parameter.is_plain)]
        self._idle = [view.tensor for view in views if id(view) not in rows]
        self._compiled = {id(row): place for place, row in enumerate(table.compiled)}
        at = [self._compiled[id(row)] for row in plain]
        self._tensors = kernels.Tensors([row.parameter.tensor for row in plain], self._slots, at)
        self._has_taken = False

    def is_current(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> bool:
        """Whether the table fits: the same values, parameters and memory, and gradients that were taken."""
        return self._has_taken and wanted is None and self.changed_groups(groups) == []

    def moved_gradients(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> list[Row] | None:  # noqa: ARG002
        """Return no row for which anything is left to be done, or None if the table must be made anew."""
        return [] if self._has_taken else None

    def take(self) -> bool:
        """Point the rows to the gradients of the moment; False if these, or the parameters, do not fit the rows."""
        self._has_taken = self._take_plain() and (not self._others or self._take_others())
        if not self._has_taken:
            self._tensors.let_go()
        return self._has_taken

    def _take_plain(self) -> bool:
        try:
            is_taken = self._tensors.take()
        except (BufferError, RuntimeError):  # a layout that has no one address
            return False
        return is_taken and not (self._idle and any(tensor.grad is not None for tensor in self._idle))

    def _take_others(self) -> bool:
        for row in self._others:
            view = row.parameter
            gradient = view.grad
            if gradient is None or view.has_moved():
                return False
            row.hold.gradient = gradient
            if id(row) in self._compiled:
                self._slots["g"][self._compiled[id(row)]] = kernels.address(gradient)
        return True

    def let_go(self) -> None:
        """Hold no gradient between steps."""
        self._tensors.let_go()
        self._has_taken = False
        for row in self._others:
            row.hold.gradient = None

    def drop(self) -> None:
        """Do nothing: tensors do not know who holds their gradients."""


def _part(table: Table, rows: Sequence[Row], views: Sequence[View]) -> Table:
    """Return a table of some rows of another one, whose counters it shares."""
    part = copy.copy(table)
    part.rows, part.parameters = rows, tuple(row.parameter for row in rows)
    compiled = {id(row): place for place, row in enumerate(table.compiled)}
    part.compiled = [row for row in rows if id(row) in compiled]
    part.interpreted = [row for row in rows if id(row) not in compiled]
    part.slots = slots = table.slots[[compiled[id(row)] for row in part.compiled]]
    slots["first"] = np.cumsum(slots["n"]) - slots["n"]
    part.call = kernels.Call(slots)
    part.renew_runs()
    _adapt(part, views)
    return part


def _adapt(table: Table, views: Sequence[View]) -> None:
    """Make a table one of tensors."""
    table.watch = TensorWatch(table.watch, table, views)
    tensors = [row.parameter.tensor for row in table.rows]
    table.bumps = [partial(torch.autograd.graph.increment_version, tensors)]


class TensorStepper(Stepper):
    """Steps of a native optimizer: of those rows of the whole table whose parameters have a gradient now.

    Attributes:
        whole: the rows of all parameters with a state; that of the last step may be a part of it.
        builds: how many whole tables were made.

    """

    __slots__ = ("builds", "whole")

    def __init__(self) -> None:
        super().__init__()
        self.whole = self.table
        self.builds = 0

    def forget(self) -> None:
        """Look at all arrays anew at the next step."""
        super().forget()
        self.whole = self.table

    def step(self, optimizer: Contract, parameters: Sequence[Parameter] | None) -> LastStep:
        """Step all that has a gradient."""
        watch = self.table.watch
        try:
            if isinstance(watch, TensorWatch) and not self.changed.is_set and not watch.take():
                self._choose(_views(optimizer))
            return super().step(optimizer, parameters)
        finally:
            watch = self.table.watch
            if isinstance(watch, TensorWatch):
                watch.let_go()

    def _choose(self, views: Sequence[View]) -> None:
        """Go on with those rows of the whole table that have a gradient, if these are where they were, and all."""
        rows = [row for row in self.whole.rows if row.parameter.tensor.grad is not None]
        is_whole = len(rows) == sum(view.tensor.grad is not None for view in views)
        if rows and is_whole and not any(row.parameter.has_moved() for row in rows):
            self.table = _part(self.whole, rows, views)
            self.table.watch.take()  # type: ignore[attr-defined]  # the watch of a part is one of tensors

    def build(self, optimizer: Contract, parameters: Sequence[Parameter] | None) -> LastStep:
        """Make a whole table, of all that has a state, and step those that have a gradient."""
        views = _views(optimizer)
        for view in views:
            view.refresh()
            view.pretends = view.tensor.grad is None and view in optimizer.state
        try:
            return super().build(optimizer, parameters)
        finally:
            for view in views:
                view.pretends = False
            for row in self.whole.rows:
                row.hold.gradient = None

    def run(self, optimizer: Contract, table: Table) -> LastStep:
        """Step the rows of a table; of one that was just made, those that have a gradient."""
        if not isinstance(table.watch, TensorWatch):  # it was just made
            views = _views(optimizer)
            _adapt(table, views)
            self.whole, self.builds = table, self.builds + 1
            for row in table.rows:
                row.hold.owner = row.hold.guard = None
            rows = [row for row in table.rows if not row.parameter.pretends]
            if len(rows) < len(table.rows):
                for view in views:
                    view.pretends = False
                self.table = table = _part(table, rows, views)
        return super().run(optimizer, table)


def _views(optimizer: Contract) -> list[Any]:
    return [view for group in optimizer.param_groups for view in group["params"]]


class NativeOverTensors(Optimizer):
    """What a native optimizer has over tensors: their stepper, and torch's leave to divide by zero."""

    step_engine: TensorStepper
    step_engine_class = TensorStepper
    has_warned = True  # torch does nothing without gradients, and says nothing

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; eps may be 0, as in torch."""
        eps = hyper.get("eps")
        if isinstance(eps, float | int) and 0 <= eps <= FLOAT32_ZERO:
            hyper = {**hyper, "eps": 1.0}
        super().validate(hyper)


@cache
def native_class(native: type[Optimizer]) -> type[Optimizer]:
    """Return a native class as one over tensors."""
    return type(native.__name__, (NativeOverTensors, native), {"__module__": __name__, "__doc__": native.__doc__})
