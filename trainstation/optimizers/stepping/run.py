"""A step over a table: all of it in one call, or parameter by parameter where `update` runs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import NoGradientWarning
from trainstation.kernels import DONE, NONFINITE, OTHER, STALE
from trainstation.optimizers.actions import Action, carry_out
from trainstation.optimizers.contract import Contract, LastStep
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.averages import Averages
from trainstation.optimizers.stepping.decisions import decided, isa_of, measured, refused, unmeasured
from trainstation.optimizers.stepping.noted import Flag
from trainstation.optimizers.stepping.row import Row
from trainstation.optimizers.stepping.source import Source
from trainstation.optimizers.stepping.table import Table
from trainstation.optimizers.stepping.updates import updated

__all__ = ["Run"]

Array = NDArray[Any]


class Run:
    """A table, and what else the steps over it need.

    Attributes:
        table: whose rows are stepped.
        is_finished: whether a step was made, with which the states are the optimizer's.
        hypers: for each group, its hyper-parameters, as the step needs them.

    """

    __slots__ = (
        "_averages",
        "_changed",
        "_follows_up",
        "_prepares",
        "_settings",
        "_source",
        "hypers",
        "is_finished",
        "table",
    )

    def __init__(
        self,
        optimizer: Contract,
        source: Source,
        table: Table,
        hypers: list[Group],
        changed: Flag,
        settings: list[tuple[Group, Mapping[str, Any]]],
    ) -> None:
        """Run the steps of a new table.

        Args:
            optimizer: whose steps they are; it is not held.
            source: of its parameters.
            table: whose rows are stepped.
            hypers: for each group, its hyper-parameters, as the step needs them.
            changed: to be set where `update` puts other arrays into a state.
            settings: what `update` has set for the parameter that it steps.

        """
        self.table = table
        self.is_finished = False
        self.hypers = hypers
        self._source, self._changed, self._settings = source, changed, settings
        self._prepares, self._follows_up = optimizer.overrides_prepare(), optimizer.overrides_follow_up()
        self._averages: Averages | None = None

    @property
    def asks_author(self) -> bool:
        """Whether steps run code that may write to groups by itself."""
        return self._prepares or bool(self.table.interpreted)

    def regroup(self) -> None:
        """Note anew who takes part, and their counters."""
        self._averages = None
        self.table.regroup()

    def step(self, optimizer: Contract, is_measured: bool) -> LastStep | int:
        """Step the active rows, if need be after a look at all gradients; or say why nothing was done."""
        table = self.table
        if not table.active:
            return self._nothing(optimizer)
        if table.interpreted or self._prepares or self._follows_up:
            with np.errstate(all="ignore"):
                return self._in_turn(optimizer, is_measured)
        if optimizer.weight_average is None:
            is_plain = not (table.added or self._source.acts or self._averages)
            return self._at_once(optimizer, is_measured, table.standing if is_plain else self._actions(optimizer))
        with np.errstate(all="ignore"):
            return self._at_once(optimizer, is_measured, self._actions(optimizer))

    def _nothing(self, optimizer: Contract) -> LastStep | int:
        """Do nothing, if there still is no gradient."""
        result = self.table.call.look()
        if result != DONE:
            return result
        if self.table.wanted is None and not optimizer.has_warned:
            optimizer.has_warned = True
            msg = "step() found no parameter with a gradient and did nothing; was backward() run?"
            warnings.warn(msg, NoGradientWarning, stacklevel=6)
        return unmeasured(None)

    def _at_once(self, optimizer: Contract, is_measured: bool, actions: tuple[Action, ...]) -> LastStep | int:
        """Step all rows in one call, with what belongs to it."""
        table = self.table
        table.ask(optimizer.scalars, self.hypers)
        if not is_measured:
            result = table.call(actions)
        elif optimizer.is_alone():
            result = table.call.measured(optimizer.max_grad_norm, optimizer.on_nonfinite != "ignore", actions)
        else:
            result = table.call.measure()
            if result == DONE:
                norm, clip, is_made = decided(optimizer, table.call.squares, table.call.wrong_slot < 0)
                if not is_made:
                    return refused(optimizer, table.wrong_row(), norm)
                result = table.call.scaled(clip, actions)
        if result == NONFINITE:
            return refused(optimizer, table.wrong_row(), math.sqrt(table.call.squares))
        if result != DONE:
            return result
        if not self.is_finished:
            self._finish()
        for run in table.runs:  # should an interrupt come before, the counters tell
            run[1] += 1
        if not is_measured:
            return unmeasured(table.call.isa)
        # By tuple's own constructor: a named tuple's is a call of Python's.
        return tuple.__new__(LastStep, (math.sqrt(table.call.squares), False, isa_of(table.call.isa)))

    def _in_turn(self, optimizer: Contract, is_measured: bool) -> LastStep | int:
        """Look at all gradients, prepare, step the rows without a compiled rule in NumPy, the others in one call."""
        table = self.table
        result = table.call.look()
        if result != DONE:
            return result
        if not table.counters_agree():
            return STALE
        gradients = table.gradients()
        if gradients is None:
            return OTHER
        norm, clip = None, 1.0
        if is_measured:
            squares, wrong = measured(table.active, gradients)
            norm, clip, is_made = decided(optimizer, squares, wrong is None)
            if not is_made:
                return refused(optimizer, wrong, norm)
        added = list(table.added)
        try:
            self._prepare(optimizer)
            isa = self._rows_in_turn(optimizer, gradients, clip)
        except BaseException:
            if self._prepares:
                _take_back(optimizer, [table.rows[number] for number in added])
            raise
        self._finish()
        for run in table.runs:
            run[1] += 1
        return LastStep(norm, False, isa_of(isa))

    def _finish(self) -> None:
        """Note that a step was made; should an interrupt come before, the table is made anew."""
        self.table.added = {}
        self.is_finished = True

    def _prepare(self, optimizer: Contract) -> None:
        table = self.table
        self._source.begin(table.active)
        if self._prepares:  # which may read the states
            carry_out(list(chain.from_iterable(table.added.values())))
            table.added = {}
            optimizer.prepare([row.parameter for row in table.active])
        table.ask(optimizer.scalars, self.hypers)

    def _rows_in_turn(self, optimizer: Contract, gradients: Mapping[int, Array], clip: float) -> int | None:
        """Step the rows, each whole or not at all; return what the compiled ones ran with."""
        table, averages = self.table, self._begin_average(optimizer)
        has_compiled = any(row.is_compiled for row in table.active)
        stepped: list[str] = []
        try:
            for row in table.interpreted:
                actions = self._updated(optimizer, row, gradients[row.number], clip)
                is_last = not has_compiled and row is table.interpreted[-1]
                if is_last:  # what is new in states of parameters that have no gradient
                    actions += chain.from_iterable(table.added.values())
                if averages is not None:
                    actions += [*averages.of_row(row), *(averages.of_the_rest() if is_last else ())]
                carry_out(actions)
                stepped.append(row.name)
            if not has_compiled:
                return None
            _expect_done(table.call.scaled(clip, self._actions(optimizer)))
        except BaseException as error:
            error.add_note("stepped were " + (", ".join(stepped) or "no parameters"))
            raise
        return table.call.isa

    def _updated(self, optimizer: Contract, row: Row, gradient: Array, clip: float) -> list[Action]:
        """Have `update` step a row's copies, and return what makes that its step."""
        self._settings.clear()
        try:
            made = updated(optimizer, row, gradient, clip)
        except Exception as error:
            error.add_note(f"raised by {type(optimizer).__name__}.update for {row.name}")
            raise
        if made.replaced:
            self._changed.is_set = True
        return [
            *self.table.added.pop(row.number, ()),
            *made.actions,
            *self._follow_ups(optimizer, [row]),
            *(action for group, values in self._settings for action in self._source.settled(group, values)),
            *self._source.updated(row, made.replaced),
        ]

    def _actions(self, optimizer: Contract) -> tuple[Action, ...]:
        """Return what is done with the call that steps the compiled rows."""
        table = self.table
        rows = [row for row in table.active if row.is_compiled]
        self._source.begin(rows)
        averages = self._begin_average(optimizer)
        return (
            *chain.from_iterable(table.added.values()),
            *self._follow_ups(optimizer, rows),
            *(() if averages is None else averages.of_the_rest()),
            *self._source.after(rows),
            *table.standing,
        )

    def _follow_ups(self, optimizer: Contract, rows: Sequence[Row]) -> list[Action]:
        if not self._follows_up:
            return []
        due = [optimizer.follow_up(self.hypers[group], t + 1) for group, t in self.table.runs]
        return [action for row in rows if (found := due[row.run]) for action in found(row.name, row.data, row.state)]

    def _begin_average(self, optimizer: Contract) -> Averages | None:
        """Have the call go on with the optimizer's average; return what is left."""
        average = optimizer.weight_average
        if average is None or average.is_stopped:
            if self._averages is not None:
                self._averages.end()
                self._averages = None
            return None
        if self._averages is None or self._averages.of is not average:
            self._averages = Averages(average, self.table, self._source, in_call=not self._follows_up)
        self._averages.begin()
        return self._averages


def _expect_done(result: int) -> None:
    if result != DONE:
        msg = "arrays of parameters were replaced, frozen or moved while other parameters were stepped"
        raise RuntimeError(msg)


def _take_back(optimizer: Contract, rows: Sequence[Row]) -> None:
    """Remove states that were made for a `prepare` whose step was not made."""
    for row in rows:
        if not row.state["step"]:
            optimizer.state.pop(row.parameter, None)
