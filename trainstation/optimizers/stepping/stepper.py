"""What `Optimizer.step` does: follow what has changed, check what is new, run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainstation.kernels import DEFAULT_FP_MODE, REGROUP, STALE, default_fp_mode, restore_fp_mode
from trainstation.optimizers.contract import Contract, LastStep
from trainstation.optimizers.groups import Parameter, check_linked
from trainstation.optimizers.hyper import Group, check_policies, scaled
from trainstation.optimizers.stepping.noted import Flag
from trainstation.optimizers.stepping.rows import plan_of, rows_of
from trainstation.optimizers.stepping.run import Run
from trainstation.optimizers.stepping.source import Source
from trainstation.optimizers.stepping.table import Table

__all__ = ["Stepper"]

TRIES = 4  # of a step that finds something changed whenever it looks


class Stepper:
    """The table of an optimizer, as long as it is true. It does not hold the optimizer: they would be a cycle.

    A table is unfinished until a step of it was made, which makes its states the optimizer's, and while it is changed.
    An unfinished one is not kept: whatever interrupts, the next step begins with what it finds.

    Attributes:
        changed: whether something else than a step has written to a state, or to a group's list of parameters.
        source: of the parameters.
        builds: how many tables were made.

    """

    __slots__ = ("_is_measured", "_kept", "_max_grad_norm", "_on_nonfinite", "_settings", "builds", "changed", "source")

    def __init__(self, source: Source) -> None:
        self.changed = Flag(True)
        self.source = source
        self.builds = 0
        self._max_grad_norm: float | None = None  # the policies that were checked
        self._on_nonfinite = "ignore"
        self._is_measured = False  # whether these look at all gradients first
        self._settings: list[tuple[Group, Mapping[str, Any]]] = []  # of the parameter that `update` steps
        self._kept: Run | None = None  # of a finished table

    def forget(self) -> None:
        """Look at all arrays anew at the next step."""
        self.changed.is_set = True
        self._kept = None

    @property
    def table(self) -> Table | None:
        """The table of the last step; None if the next one makes its own."""
        return None if self.changed.is_set or self._kept is None else self._kept.table

    @property
    def asks_author(self) -> bool:
        """Whether steps run code that may write to groups by itself."""
        return self._kept is None or self._kept.asks_author

    def note_settings(self, group: Group, values: Mapping[str, Any]) -> None:
        """Write hyper-parameters into a group when the parameter is stepped whose `update` says so."""
        self._settings.append((group, values))

    def step(self, optimizer: Contract, parameters: Sequence[Parameter] | None) -> LastStep:
        """Step all that has a gradient, or exactly these."""
        if optimizer.max_grad_norm is not self._max_grad_norm or optimizer.on_nonfinite != self._on_nonfinite:
            check_policies(optimizer.max_grad_norm, optimizer.on_nonfinite)
            self._is_measured = optimizer.max_grad_norm is not None or optimizer.on_nonfinite != "ignore"
            self._max_grad_norm, self._on_nonfinite = optimizer.max_grad_norm, optimizer.on_nonfinite
        mode = default_fp_mode()  # scalars are computed in Python
        try:
            run = self._followed(optimizer, parameters) or self._built(optimizer, parameters)
            result = run.step(optimizer, self._is_measured)
            if type(result) is int:
                run, result = self._run_again(optimizer, parameters, run, result)
            if run.is_finished:
                self._kept = run
            return result  # type: ignore[return-value]  # what is no int is a LastStep
        finally:
            if mode != DEFAULT_FP_MODE:
                restore_fp_mode(mode)

    def _run_again(
        self, optimizer: Contract, parameters: Sequence[Parameter] | None, run: Run, result: LastStep | int
    ) -> tuple[Run, LastStep]:
        """Bring a run up to date of which nothing was done, or make another one, until it steps."""
        for _ in range(TRIES):
            was_kept = self._kept is run
            if (result == STALE and run.table.has_counts()) or (result == REGROUP and was_kept):
                self._kept = None
                run.regroup()
                self._kept = run if was_kept else None
            else:
                run = self._built(optimizer, parameters)
            result = run.step(optimizer, self._is_measured)
            if not isinstance(result, int):
                return run, result
        msg = "the arrays of a parameter are others whenever a step looks at them"
        raise RuntimeError(msg)

    def _followed(self, optimizer: Contract, parameters: Sequence[Parameter] | None) -> Run | None:
        """Return what the last step ran over, with changed hyper-parameters; None if it no longer fits."""
        run, groups = self._kept, optimizer.param_groups
        if run is None or self.changed.is_set or not self.source.is_current():
            return None
        table = run.table
        if parameters is None and table.wanted is None and table.watch.is_current(groups):
            return run
        if not table.watch.has_parameters(groups):
            return None
        if parameters is not None or table.wanted is not None:
            wanted = None if parameters is None else set(map(id, check_linked(groups, parameters)))
            if wanted != table.wanted:
                self._kept = None
                table.want(wanted)
                self._kept = run
        for index in table.watch.changed_groups(groups):
            hyper = _hyper(optimizer, index, groups[index])
            if plan_of(optimizer, hyper) != table.plans[index]:
                return None
            run.hypers[index] = hyper
            table.watch.note_group(index, groups[index])
        return run

    def _built(self, optimizer: Contract, parameters: Sequence[Parameter] | None) -> Run:
        """Check everything anew, and make a table, which is unfinished."""
        self.forget()
        self.changed.is_set = False  # before anything is read: what is written from here on, the next step looks at
        wanted = None if parameters is None else set(map(id, check_linked(optimizer.param_groups, parameters)))
        self.source.look(optimizer)
        hypers = [_hyper(optimizer, index, group) for index, group in enumerate(optimizer.param_groups)]
        plans = [plan_of(optimizer, hyper) for hyper in hypers]
        found = rows_of(optimizer, self.source, plans, hypers, wanted)
        table = Table(self.source, optimizer.param_groups, plans, found, wanted)
        table.share_states(optimizer.state, self.changed)
        self.builds += 1
        return Run(optimizer, self.source, table, hypers, self.changed, self._settings)


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
