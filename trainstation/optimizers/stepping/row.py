"""One parameter of a step, and what its group asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.optimizers.stepping.overlap import Extent, extent_of

__all__ = ["Plan", "Row"]

Array = NDArray[Any]


class Plan(NamedTuple):
    """What a group's hyper-parameters ask for."""

    rule: kernels.Rule | None  # None: `update`
    states: tuple[str, ...]
    kinds: Mapping[str, str]
    sign: float  # of the gradient: maximize


@dataclass(slots=True, eq=False)
class Row:
    """One parameter of a step, checked.

    Attributes:
        name: for error messages.
        group: the index of its group.
        parameter: what has the values and the gradient.
        data: its values.
        state: all that its state holds once the step is made.
        known: its state in the optimizer; None before the first step.
        plan: what its group asks for.
        fmt: how its states are kept.
        own: whether they are an author's own, of which all that can be written to may be.
        is_compiled: whether the C rule steps it.
        number: its place among the rows of a table, and so among the counters.
        run: of the rows that have its group and its t.
        scalars: for `update`: rounded once to the dtype of the values.
        like: where the values are lent, what has their shape and dtype.

    """

    name: str
    group: int
    parameter: Any
    data: Array
    state: dict[str, Any]
    known: dict[str, Any] | None
    plan: Plan
    fmt: int
    own: bool
    is_compiled: bool = False
    number: int = 0
    run: int = 0
    scalars: Sequence[Any] = ()
    like: Any = None

    def written(self) -> list[tuple[str, Array]]:
        """Return the arrays that a step writes to, but for the counter, each with its name."""
        names = self.state if self.own else [each for name in self.plan.states for each in (name, f"{name}_scale")]
        states = [(name, self.state[name]) for name in names if name != "step" and name in self.state]
        return [
            ("values", self.data),
            *((name, array) for name, array in states if isinstance(array, np.ndarray) and array.flags.writeable),
        ]

    def can_compile(self, gradient: Array | None) -> bool:
        """Whether the C rule can take this row: a compiled rule, and arrays that are contiguous."""
        rule, states = self.plan.rule, self.plan.states
        if rule is None or not rule.supports(self.fmt):
            return False
        if gradient is not None and not (gradient.flags.c_contiguous and gradient.dtype is self.data.dtype):
            return False
        scales = [self.state[f"{name}_scale"] for name in states if f"{name}_scale" in self.state]
        arrays = (self.data, *(self.state[name] for name in states), *scales)
        return all(array.flags.c_contiguous for array in arrays)

    def extents(self, gradient: Array | None) -> list[Extent]:
        """Return the arrays of a step with their names."""
        arrays = [extent_of(array, f"{what} of {self.name}", True) for what, array in self.written()]
        return arrays if gradient is None else [*arrays, extent_of(gradient, f"gradient of {self.name}", False)]
