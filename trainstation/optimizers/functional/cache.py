"""Steps of arrays that are given for one call: what `trainstation.optimizers.functional` is made of."""

from __future__ import annotations

import weakref
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from operator import is_, lt
from typing import Any

from trainstation import kernels
from trainstation.errors import ShapeError
from trainstation.optimizers.base import Optimizer
from trainstation.optimizers.functional.arguments import Arguments, Array, Arrays, State, name_at
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.rows import Row
from trainstation.optimizers.stepping.table import Table
from trainstation.optimizers.stepping.watch import Watch

__all__ = ["step"]

Reference = weakref.ref[Array]


class Count(int):
    """A step count that carries what the next step can go on with; copied or pickled it is a plain int."""

    kept: Cached | None = None

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)


def step(
    kind: type[Optimizer], p: Arrays, g: Arrays, state: State, hyper: Mapping[str, Any], state_dtype: str | None
) -> None:
    """Make one step of an optimizer of this class; `functional.adam_` says what of."""
    arguments = Arguments()
    arguments.add((), p, g, state)
    kept = getattr(arguments.states[0].get("step"), "kept", None) if arguments.states else None
    if kept is None or not kept.fits(kind, arguments, state_dtype):
        arguments.check()
        kept = Cached(kind, arguments, hyper, state_dtype)
    kept.step(arguments, hyper)
    for parent, key, child in arguments.new_states:
        parent[key] = child


class Cell:
    """A parameter, as an optimizer wants it: a place among the arguments, which are let go of between steps."""

    __slots__ = ("_gs", "_place", "_ps")

    def __init__(self, ps: list[Array], gs: list[Array], place: int) -> None:
        self._ps, self._gs, self._place = ps, gs, place

    @property
    def data(self) -> Any:
        """The values; None between steps."""
        return self._ps[self._place] if self._ps else None

    @property
    def grad(self) -> Any:
        """The gradient; None between steps."""
        return self._gs[self._place] if self._gs else None


class CachedWatch(Watch):
    """Of a table whose arrays were checked as arguments: only hyper-parameters may change behind it."""

    def is_current(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> bool:  # noqa: ARG002  # always all
        """Whether the hyper-parameters are those of the last step."""
        return self.changed_groups(groups) == []

    def moved_gradients(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> list[Row] | None:  # noqa: ARG002
        """Return no row for which anything is left to be done."""
        return []


class Cached:
    """A private optimizer of the parameters of a call, for the next one: it holds moments, but no `p` and no `g`."""

    def __init__(
        self, kind: type[Any], arguments: Arguments, hyper: Mapping[str, Any], state_dtype: str | None
    ) -> None:
        self.kind = kind
        self.optimizer: Optimizer = kind(state_dtype=state_dtype, **hyper)
        self._ps, self._gs = arguments.ps[:], arguments.gs[:]
        self._cells = [Cell(self._ps, self._gs, place) for place in range(len(arguments.ps))]
        names = [name_at("p", path) for path in arguments.paths]
        self.optimizer.add_param_group({"params": self._cells, "param_names": names})
        for cell, state in zip(self._cells, arguments.states, strict=True):
            if state:
                self.optimizer.state[cell] = dict(state)
        self._table = Table()
        self._former_ps: list[Reference] = []
        self._former_gs: list[Reference] = []

    def fits(self, kind: type[Optimizer], arguments: Arguments, state_dtype: str | None) -> bool:
        """Whether the states are as the last step left them, and the table has taken the arrays."""
        return (
            self.kind is kind
            and self.optimizer.state_dtype == state_dtype
            and len(arguments.ps) == len(self._cells)
            and self._knows(arguments.states)
            and self._takes(arguments.ps, arguments.gs)
        )

    def _knows(self, states: Sequence[State]) -> bool:
        for state, moments in zip(states, self._moments, strict=True):
            if getattr(state.get("step"), "kept", None) is not self:
                return False
            for name, moment in moments:
                if state.get(name) is not moment:
                    return False
        return True

    def _takes(self, ps: list[Array], gs: list[Array]) -> bool:
        """Point the table to arrays; False if one does not fit, or overlaps with another one that is written to."""
        for p, g, (shape, dtype) in zip(ps, gs, self._rooms, strict=True):
            if not (p.shape == shape == g.shape and p.dtype == dtype == g.dtype):
                return False
            if not (p.flags.carray and g.flags.c_contiguous):
                return False
        if not _are(self._former_ps, ps):
            places = list(map(kernels.address, ps))
            written = sorted(
                [*self._written, *((at, at + p.nbytes) for at, p in zip(places, ps, strict=True) if p.size)]
            )
            starts, ends = [start for start, _ in written], [end for _, end in written]
            if any(map(lt, starts[1:], ends)):
                return False
            self._starts, self._ends = starts, ends
            self._table.slots["p"] = places
            self._former_ps, self._former_gs = list(map(weakref.ref, ps)), []
        if not _are(self._former_gs, gs):
            places = list(map(kernels.address, gs))
            for at, g in zip(places, gs, strict=True):
                before = bisect_left(self._starts, at + g.nbytes)
                if before and at < self._ends[before - 1] and g.size:
                    return False
            self._table.slots["g"] = places
            self._former_gs = list(map(weakref.ref, gs))
        return True

    def step(self, arguments: Arguments, hyper: Mapping[str, Any]) -> None:
        """Step, and write to the states what is new in them."""
        self.optimizer.param_groups[0].update(hyper)
        self._ps[:], self._gs[:] = arguments.ps, arguments.gs
        try:
            self.optimizer.step()
        except ShapeError as error:
            error.add_note("p and g fit together; an empty state starts anew")
            raise
        finally:
            self._ps.clear()
            self._gs.clear()
        self._hand_back(arguments.states)

    def _hand_back(self, states: Sequence[State]) -> None:
        table = self.optimizer.step_engine.table
        kept = None if table.interpreted else self
        if table is not self._table:
            self._runs = [row.run for row in table.rows]
            for row, state in zip(table.rows, states, strict=True):
                state.update({name: value for name, value in row.state.items() if name != "step"})
            if kept:
                self._keep(table)
        counts = [Count(t) for _, t in table.runs]
        for count in counts:
            count.kept = kept
        for state, run in zip(states, self._runs, strict=True):
            former = state.get("step")
            if type(former) is Count:
                former.kept = None  # a count that a user has kept shall not hold moments
            state["step"] = counts[run]

    def _keep(self, table: Table) -> None:
        """Let go of the arguments, and note what comes next must be like."""
        self._rooms = [(row.data.shape, row.data.dtype) for row in table.rows]
        self._moments = [[(name, row.state[name]) for name in _names(row)] for row in table.rows]
        arrays = [array for moments in self._moments for _, array in moments]
        self._written = [(place, place + a.nbytes) for a in arrays if a.size and (place := kernels.address(a))]
        self._former_ps = []
        table.rows, table.compiled, table.guards = [], [], []
        table.watch = CachedWatch(self.optimizer.param_groups, (), None)
        table.call = kernels.Call(table.slots, arrays)
        self._table = table


def _names(row: Row) -> list[str]:
    """Return what a state calls the arrays that its rule writes to."""
    return [each for name in row.plan.states for each in (name, f"{name}_scale") if each in row.state]


def _are(references: Sequence[Reference], arrays: Sequence[Array]) -> bool:
    """Whether these are the arrays of the last step; NumPy resizes none that is referred to."""
    return len(references) == len(arrays) and all(map(is_, [reference() for reference in references], arrays))
