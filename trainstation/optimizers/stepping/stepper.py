"""What `Optimizer.step` does: follow what has changed, check what is new, run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from trainstation import kernels
from trainstation.errors import NoGradientWarning, NonFiniteGradientError
from trainstation.kernels import DONE, NONFINITE, OTHER
from trainstation.optimizers.contract import Contract, LastStep
from trainstation.optimizers.groups import Parameter, check_linked
from trainstation.optimizers.hyper import Group, scaled
from trainstation.optimizers.stepping.noted import Flag, Noted
from trainstation.optimizers.stepping.rows import Row, plan_of, rows_of, update_row
from trainstation.optimizers.stepping.table import Table

__all__ = ["Stepper", "isa_of"]

# A parameter, its counter, and the names of states that it did not have.
Added = tuple[Any, int, list[str]]


class Stepper:
    """The table of an optimizer, and what else its steps keep. It does not hold the optimizer: they would be a cycle.

    Attributes:
        busy: whether a step is reading gradients.
        changed: whether something else than a step has written to a state, or to a group's list of parameters.
        table: the rows of the last step.

    """

    __slots__ = ("_hypers", "busy", "changed", "table")

    def __init__(self) -> None:
        self.busy = Flag()
        self.changed = Flag(True)
        self.table = Table()
        self._hypers: list[Group] = []

    def forget(self) -> None:
        """Look at all arrays anew at the next step."""
        self.table.watch.drop()
        self.table = Table()
        self.changed.is_set = True

    def step(self, optimizer: Contract, parameters: Sequence[Parameter] | None) -> LastStep:
        """Step all that has a gradient, or exactly these."""
        mode = kernels.default_fp_mode()  # scalars are computed in Python
        try:
            table = self.table
            if not self.changed.is_set and (
                table.watch.is_current(optimizer.param_groups, parameters) or self._follow(optimizer, table, parameters)
            ):
                return self.run(optimizer, table)
            return self.build(optimizer, parameters)
        finally:
            if mode != kernels.DEFAULT_FP_MODE:
                kernels.restore_fp_mode(mode)

    def _follow(self, optimizer: Contract, table: Table, parameters: Sequence[Parameter] | None) -> bool:
        """Take changed hyper-parameters and other gradients; False if the table no longer fits."""
        changed = table.watch.changed_groups(optimizer.param_groups)
        if changed is None:
            return False
        for index in changed:
            group = optimizer.param_groups[index]
            hyper = _hyper(optimizer, index, group)
            if plan_of(optimizer, hyper) != table.plans[index]:
                return False
            self._hypers[index] = hyper
            table.watch.note_group(index, group)
        return table.follow(optimizer.param_groups, parameters)

    def build(self, optimizer: Contract, parameters: Sequence[Parameter] | None) -> LastStep:
        """Check everything anew, make the table, and step as `run`; what is raised leaves no new state behind."""
        wanted = None if parameters is None else check_linked(optimizer.param_groups, parameters)
        hypers = [_hyper(optimizer, index, group) for index, group in enumerate(optimizer.param_groups)]
        plans = [plan_of(optimizer, hyper) for hyper in hypers]
        rows = rows_of(optimizer, plans, hypers, wanted, self.busy)
        table = Table(optimizer.param_groups, plans, rows, wanted, prepares=optimizer.overrides_prepare())
        self.changed.is_set = True  # should an interrupt come before the states are the table's
        self.table.watch.drop()
        self.table, self._hypers = table, hypers
        added = self._take_over(optimizer, table)
        last = None
        try:
            last = self.run(optimizer, table) if table.rows else _without_rows(optimizer, wanted)
        finally:
            if last is None or last.skipped:
                _take_back(optimizer, added)
        return last

    def _take_over(self, optimizer: Contract, table: Table) -> list[Added]:
        """Make the checked states ours; return what was added to them."""
        added = []
        for row in table.rows:
            known = optimizer.state.get(row.parameter)
            names = [name for name in row.state if known is None or name not in known]
            if names:
                added.append((row.parameter, int(row.state["step"]), names))
            if isinstance(known, Noted):
                known.update(row.state)
            else:
                known = optimizer.state[row.parameter] = Noted(self.changed, row.state)
            row.state = known
        self.changed.is_set = False
        return added

    def run(self, optimizer: Contract, table: Table) -> LastStep:
        """Step the rows of a table, all of which have been checked."""
        self.busy.is_set = True
        try:
            if table.interpreted or table.prepares:
                return self._run_in_turn(optimizer, table)
            table.ask(optimizer.scalars, self._hypers)
            if optimizer.weight_average is not None:
                optimizer.weight_average.begin(table)
            is_measured = optimizer.max_grad_norm is not None or optimizer.on_nonfinite != "ignore"
            try:
                if is_measured:
                    result = table.call.measured(optimizer.max_grad_norm, optimizer.on_nonfinite != "ignore")
                else:
                    result = table.call()
                if result == DONE:
                    if optimizer.weight_average is not None:
                        optimizer.weight_average.finish(table)
                    table.advance()
            except BaseException:
                table.bump()  # an interrupt may come between the call and what follows it
                raise
        finally:
            self.busy.is_set = False
        if result == DONE:
            isa = table.call.isa
            # By tuple's own constructor: a named tuple's is a call of Python's.
            return tuple.__new__(LastStep, (table.call.norm, False, isa_of(isa))) if is_measured else _unmeasured(isa)
        if result == NONFINITE:
            return _refuse(optimizer, table.compiled[table.call.wrong_slot], table.call.norm)
        if result == OTHER and self._follow(optimizer, table, table.watch.wanted):
            return self.run(optimizer, table)
        return self.build(optimizer, table.watch.wanted)  # a counter was written to, or an array frozen or moved

    def _run_in_turn(self, optimizer: Contract, table: Table) -> LastStep:
        """Look at all gradients, prepare, step the rows without a compiled rule in NumPy, the others in one call."""
        with np.errstate(all="ignore"):
            if not (table.is_writable() and table.counters_agree()):
                return self.build(optimizer, table.watch.wanted)
            norm, clip = None, 1.0
            if optimizer.max_grad_norm is not None or optimizer.on_nonfinite != "ignore":
                norm, clip, wrong = table.measure(optimizer.max_grad_norm)
                if wrong is not None and optimizer.on_nonfinite != "ignore":
                    return _refuse(optimizer, wrong, norm)
            if optimizer.weight_average is not None:
                optimizer.weight_average.begin(table)
            optimizer.prepare(table.parameters)
            table.ask(optimizer.scalars, self._hypers)
            try:
                for row in table.interpreted:
                    update_row(optimizer, row, clip)
            except BaseException:
                table.bump()
                raise
        if table.compiled:
            table.call.scaled(clip)
        if optimizer.weight_average is not None:
            optimizer.weight_average.finish(table)
        table.advance()
        return LastStep(norm, False, isa_of(table.call.isa if table.compiled else None))


def _without_rows(optimizer: Contract, wanted: Sequence[Parameter] | None) -> LastStep:
    if wanted is None and not optimizer.has_warned:
        optimizer.has_warned = True
        msg = "step() found no parameter with a gradient and did nothing; was backward() run?"
        warnings.warn(msg, NoGradientWarning, stacklevel=6)
    return _unmeasured(None)


def _take_back(optimizer: Contract, added: Sequence[Added]) -> None:
    """Remove what a step that was not made has added to states."""
    for parameter, step, names in added:
        state = optimizer.state[parameter]
        if state["step"] == step:  # an `update` that raised may have come after it
            for name in names:
                del state[name]
        if not state:
            del optimizer.state[parameter]


@cache
def isa_of(index: int | None) -> str:
    """Return the name of the instruction set that compiled rows ran with; "numpy" if there were none."""
    return "numpy" if index is None else kernels.isa_name(index)


@cache
def _unmeasured(isa: int | None) -> LastStep:
    """Return what came of a step of which nothing was asked: the same object each time."""
    return LastStep(None, False, isa_of(isa))


def _refuse(optimizer: Contract, row: Row, norm: float) -> LastStep:
    if optimizer.on_nonfinite == "raise":
        msg = f"{row.name}: its gradient has a NaN or an infinity; nothing was changed"
        raise NonFiniteGradientError(msg)
    return LastStep(norm, True, isa_of(None))


def _hyper(optimizer: Contract, index: int, group: Group) -> Group:
    """Check the hyper-parameters of a group, and return them as the step needs them."""
    if not optimizer.defaults.keys() <= group.keys():
        missing = ", ".join(sorted(optimizer.defaults.keys() - group.keys()))
        msg = f"parameter group {index} lacks {missing}; add_param_group() fills in the defaults"
        raise ValueError(msg)
    try:
        optimizer.validate(group)
        return scaled(group)
    except (TypeError, ValueError) as error:
        error.add_note(f"in parameter group {index}")
        raise
