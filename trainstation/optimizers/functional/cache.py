"""Steps of arrays that are given for one call: what `trainstation.optimizers.functional` is made of."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from trainstation.errors import ShapeError
from trainstation.optimizers.actions import Action
from trainstation.optimizers.base import Optimizer
from trainstation.optimizers.contract import Contract
from trainstation.optimizers.functional.arguments import Arguments, Array, Arrays, State, name_at
from trainstation.optimizers.stepping.row import Row
from trainstation.optimizers.stepping.source import Source
from trainstation.optimizers.stepping.table import Table

__all__ = ["step"]


class Count(int):
    """A step count that carries what the next step can go on with; copied or pickled it is a plain int."""

    kept: Cached | None = None

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)


def step(
    kind: type[Optimizer], p: Arrays, g: Arrays, state: State, hyper: Mapping[str, Any], state_dtype: str | None
) -> None:
    """Make one step of an optimizer of this class; `functional.adam_` says what of."""
    arguments = _read(p, g, state)
    kept = _keeper(arguments.states[0]) if arguments.states else None
    if kept is not None:
        with kept.optimizer.hold_steps():  # threads that share a state wait for one another
            if kept.fits(kind, arguments, state_dtype):
                kept.step(arguments, hyper)
                return
    # A state that is new, or of which parts were stepped apart, has no one lock: all there are are held.
    with _first_steps, ExitStack() as held:
        known: set[int] = set()
        while True:
            arguments = _read(p, g, state)
            keepers = {id(each): each for each in map(_keeper, arguments.states) if each is not None}
            if keepers.keys() <= known:
                break
            for each in keepers.values():
                held.enter_context(each.optimizer.hold_steps())
            known |= keepers.keys()
        Cached(kind, arguments, hyper, state_dtype).step(arguments, hyper)


def _read(p: Arrays, g: Arrays, state: State) -> Arguments:
    arguments = Arguments()
    arguments.add((), p, g, state)
    return arguments


def _keeper(state: State) -> Cached | None:
    """Return what the next step of a state can go on with."""
    kept: Cached | None = getattr(state.get("step"), "kept", None)
    return kept


_first_steps = threading.RLock()


def _renew_after_fork() -> None:
    """Give a forked child a lock that no vanished thread holds."""
    global _first_steps  # noqa: PLW0603  # one for all states
    _first_steps = threading.RLock()


if hasattr(os, "register_at_fork"):  # POSIX
    os.register_at_fork(after_in_child=_renew_after_fork)


class Cell:
    """A parameter, as an optimizer wants it: a place for the arrays of a call."""

    __slots__ = ("data", "grad")

    def __init__(self, data: Any, grad: Any) -> None:
        self.data, self.grad = data, grad


class ArgumentSource(Source):
    """Bare arrays as parameters: lent for a call, with states that are in dicts of the user's.

    Attributes:
        arguments: of the call.
        counts: for each of them, what its step becomes.
        is_whole: whether all of them run compiled, so that the next call can go on with the table.

    """

    lends = True
    acts = True

    def __init__(self) -> None:
        self.arguments = Arguments()
        self.counts: list[Count] = []
        self.is_whole = False

    def look(self, optimizer: Contract) -> None:  # noqa: ARG002  # the arguments are all there is
        """Check the arguments."""
        self.arguments.check()

    def entry(self, row: Row, gradient: Array | None) -> dict[str, Any]:
        """Have C compare the array of each call with one that has no elements to speak of."""
        if not row.is_compiled:
            return super().entry(row, gradient)
        row.like = np.broadcast_to(np.zeros((), row.data.dtype), row.data.shape)
        return {**super().entry(row, gradient), "array": id(row.like), "is_lent": True}

    def standing(self, rows: Sequence[Row], active: Sequence[Row], steps: Array) -> list[Action]:  # noqa: ARG002
        """Note whether the table can be kept; nobody counts changes of bare arrays."""
        self.is_whole = all(row.is_compiled for row in active)
        return []

    def added(self, row: Row) -> list[Action]:
        """Put the arrays of a new state into the user's dict."""
        made = {name: value for name, value in row.state.items() if name != "step"}
        return [partial(dict.update, self.arguments.states[row.number], made)]

    def updated(self, row: Row, replaced: Mapping[str, Any]) -> list[Action]:
        """Put what `update` has replaced into the user's dict, and the count."""
        return [partial(dict.update, self.arguments.states[row.number], replaced), *self.after([row])]

    def after(self, rows: Sequence[Row]) -> list[Action]:
        """Count the step in the user's dicts."""
        states, counts = self.arguments.states, self.counts
        if not self.is_whole:
            counts = [Count(count) for count in counts]
        actions: list[Action] = []
        for row in rows:
            former = states[row.number].get("step")
            actions.append(partial(dict.__setitem__, states[row.number], "step", counts[row.number]))
            if type(former) is Count:  # one that a user has kept shall not hold moments
                actions.append(partial(setattr, former, "kept", None))
        return [*actions, *(partial(dict.__setitem__, *each) for each in self.arguments.new_states)]


class Cached:
    """A private optimizer of the parameters of a call, for the next one: it holds moments, but no `p` and no `g`."""

    def __init__(
        self, kind: type[Any], arguments: Arguments, hyper: Mapping[str, Any], state_dtype: str | None
    ) -> None:
        arguments.check()
        self.kind = kind
        self.optimizer: Optimizer = kind(state_dtype=state_dtype, **hyper)
        self._cells = [Cell(p, g) for p, g in zip(arguments.ps, arguments.gs, strict=True)]
        names = [name_at("p", path) for path in arguments.paths]
        self.optimizer.add_param_group({"params": self._cells, "param_names": names})
        for cell, state in zip(self._cells, arguments.states, strict=True):
            if state:
                self.optimizer.state[cell] = dict(state)
        self._source = ArgumentSource()
        self.optimizer.step_engine.source = self._source
        self._table: Table | None = None
        self._moments: list[list[tuple[str, Array]]] = []

    def fits(self, kind: type[Optimizer], arguments: Arguments, state_dtype: str | None) -> bool:
        """Whether the states are as the last step left them; C looks at the arrays."""
        return (
            self.kind is kind
            and self.optimizer.state_dtype == state_dtype
            and len(arguments.states) == len(self._moments)
            and all(map(self._knows, arguments.states, self._moments))
        )

    def _knows(self, state: State, moments: Sequence[tuple[str, Array]]) -> bool:
        if getattr(state.get("step"), "kept", None) is not self:
            return False
        for name, moment in moments:  # noqa: SIM110  # a generator would take as long as the step
            if state.get(name) is not moment:
                return False
        return True

    def step(self, arguments: Arguments, hyper: Mapping[str, Any]) -> None:
        """Step, and write to the states what is new in them."""
        self.optimizer.param_groups[0].update(hyper)
        self._source.arguments, self._source.counts = arguments, self._counts(arguments.states)
        try:
            for cell, p, g in zip(self._cells, arguments.ps, arguments.gs):  # noqa: B905  # as many; at every step
                cell.data, cell.grad = p, g
            self.optimizer.step()
        except ShapeError as error:
            error.add_note("p and g fit together; an empty state starts anew")
            raise
        finally:
            self._let_go()

    def _counts(self, states: Sequence[State]) -> list[Count]:
        """Return what the steps of these states become: rows of one t have one count."""
        made: dict[int, Count] = {}
        counts = []
        for state in states:
            try:
                t = int(state.get("step", 0))
            except (TypeError, ValueError):  # the step says so
                t = 0
            if t not in made:
                made[t] = Count(t + 1)
                made[t].kept = self
            counts.append(made[t])
        return counts

    def _let_go(self) -> None:
        """Hold no argument between calls, and note what the states must be like."""
        for cell in self._cells:
            cell.data = cell.grad = None
        self._source.arguments, self._source.counts = Arguments(), []
        table = self.optimizer.step_engine.table
        if table is not None and table is not self._table and self._source.is_whole:
            for row in table.rows:
                row.data = row.like
            self._moments = [[(name, row.state[name]) for name in _names(row)] for row in table.rows]
            self._table = table


def _names(row: Row) -> list[str]:
    """Return what a state calls the arrays that its rule writes to."""
    return [each for name in row.plan.states for each in (name, f"{name}_scale") if each in row.state]
