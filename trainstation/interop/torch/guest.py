"""A native optimizer whose parameters are torch tensors: its class, and what its steps look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from operator import attrgetter, ne
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.interop.torch.views import View
from trainstation.optimizers import Optimizer
from trainstation.optimizers.groups import FLOAT32_ZERO, Group, Parameter
from trainstation.optimizers.rows import Row
from trainstation.optimizers.stepper import Stepper
from trainstation.optimizers.table import Table
from trainstation.optimizers.watch import Watch

__all__ = ["TensorStepper", "guest_class"]

Array = NDArray[Any]

_grad = attrgetter("grad")
_nbytes = attrgetter("nbytes")
_data_ptr: Callable[[torch.Tensor], int] = torch.Tensor.data_ptr
_is_contiguous: Callable[[torch.Tensor], bool] = torch.Tensor.is_contiguous


class TensorWatch(Watch):
    """What the rows of a table were made of, and the gradients of the moment, which it holds during a step only.

    Backward gives every parameter a new gradient, so addresses are what a step looks at. A gradient is contiguous and
    as many bytes as its parameter, or it goes another way: autograd promises this of those that it makes, but anybody
    may assign another one.
    """

    def __init__(self, watch: Watch, table: Table, views: Sequence[View]) -> None:
        """Take over from the watch that the table was made with."""
        self.__dict__.update(vars(watch))
        self._table = table
        rows = {id(row.parameter): row for row in table.rows}
        self._idle = [view.tensor for view in views if id(view) not in rows]
        self._others = [row for row in table.rows if not _is_plain(row)]
        self._compiled = {id(row): place for place, row in enumerate(table.compiled)}
        plain = [row for row in table.rows if _is_plain(row)]
        self._tensors = [row.parameter.tensor for row in plain]
        self._bytes = [row.data.nbytes for row in plain]
        self._places = np.fromiter(map(_data_ptr, self._tensors), np.uintp, len(plain))
        places = np.array([self._compiled[id(row)] for row in plain], np.intp)
        is_all = len(plain) == len(table.compiled)
        self._g: Array = table._slots["g"] if is_all else np.zeros(0, np.uintp)
        self._at = None if is_all else places
        self._held: list[Any] = []

    def is_current(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> bool:
        """Whether the table fits: the same values and parameters. Gradients are taken as they are now."""
        return wanted is None and self.changed_groups(groups) == [] and self._take()

    def moved_gradients(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> list[Row] | None:  # noqa: ARG002  # whole groups
        """Take the gradients of the moment: none of them is left to the table."""
        return [] if self._take() else None

    def _take(self) -> bool:
        """Point the rows to the gradients of the moment; False if the table must be made anew."""
        tensors = self._tensors
        try:
            gradients = list(map(_grad, tensors))
            pointers = np.fromiter(map(_data_ptr, gradients), np.uintp, len(gradients))
            if (
                not all(map(_is_contiguous, gradients))
                or any(map(ne, map(_nbytes, gradients), self._bytes))
                or (np.fromiter(map(_data_ptr, tensors), np.uintp, len(tensors)) != self._places).any()
            ):
                return False
        except (TypeError, RuntimeError):  # None, or a layout that has no one address
            return False
        if any(tensor.grad is not None for tensor in self._idle):
            return False
        if self._at is None:
            self._g[...] = pointers
        else:
            self._table._slots["g"][self._at] = pointers
        self._held = gradients  # so that none is freed while C reads it
        return not self._others or self._take_others()

    def _take_others(self) -> bool:
        for row in self._others:
            view = row.parameter
            gradient = view.grad
            if gradient is None or view.moved():
                return False
            row.hold.gradient = gradient
            if id(row) in self._compiled:
                self._table._slots["g"][self._compiled[id(row)]] = kernels.address(gradient)
        return True

    def let_go(self) -> None:
        """Hold no gradient between steps."""
        self._held = []
        for row in self._others:
            row.hold.gradient = None

    def drop(self) -> None:
        """Tell nobody: tensors do not know who holds their gradients."""


def _is_plain(row: Row) -> bool:
    """Whether a row is compiled, over the memory of a tensor as it is."""
    view = row.parameter
    return row.runs_compiled() and view.order is None and not view.is_half


class TensorStepper(Stepper):
    """Steps of a guest: a table is kept while the same tensors have gradients, wherever these are.

    Attributes:
        builds: how many tables were made.

    """

    __slots__ = ("builds",)

    def __init__(self) -> None:
        super().__init__()
        self.builds = 0

    @property
    def table(self) -> Table:
        """The rows of the last step."""
        return self._table

    def step(self, optimizer: Optimizer, parameters: Sequence[Parameter] | None) -> None:
        """Step all that has a gradient."""
        try:
            super().step(optimizer, parameters)
        finally:
            watch = self._table.watch
            if isinstance(watch, TensorWatch):
                watch.let_go()

    def _build(self, optimizer: Optimizer, parameters: Sequence[Parameter] | None) -> bool:
        views: list[Any] = [view for group in optimizer.param_groups for view in group["params"]]
        for view in views:
            view.refresh()
        former = self._table
        try:
            return super()._build(optimizer, parameters)
        finally:
            table = self._table
            if table is not former and not isinstance(table.watch, TensorWatch):
                self.builds += 1
                table.watch = TensorWatch(table.watch, table, views)
                for row in table.rows:
                    hold = row.hold
                    hold.gradient = hold.owner = hold.guard = None
                table._bumps = [
                    partial(torch.autograd.graph.increment_version, [row.parameter.tensor for row in table.rows])
                ]


class Guest(Optimizer):
    """What a native optimizer has over tensors: their stepper, and torch's leave to divide by zero."""

    _stepper: TensorStepper

    def _renew(self) -> None:
        super()._renew()
        self._stepper = TensorStepper()
        self.state = self._state
        for group in self.param_groups:
            self._note(group)
        self._warned = True  # torch does nothing without gradients, and says nothing

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; eps may be 0, as in torch."""
        eps = hyper.get("eps")
        if isinstance(eps, float | int) and 0 <= eps <= FLOAT32_ZERO:
            hyper = {**hyper, "eps": 1.0}
        super().validate(hyper)


@cache
def guest_class(native: type[Optimizer]) -> type[Optimizer]:
    """Return a native class as a guest."""
    return type(native.__name__, (Guest, native), {"__module__": __name__, "__doc__": native.__doc__})
