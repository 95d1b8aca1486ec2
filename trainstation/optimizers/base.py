"""Optimizer: links parameters, checks everything, counts, and runs the compiled rule or the author's `update`."""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import KernelError, MissingGradientError, NoGradientWarning
from trainstation.gradtrack import enable_grad
from trainstation.optimizers import groups
from trainstation.optimizers.groups import Group, Parameter
from trainstation.optimizers.links import Links
from trainstation.optimizers.table import Active, Plan, Row, Table, as_array, check_data, check_state

__all__ = ["Optimizer"]

Array = NDArray[Any]
Closure = Callable[[], Any]

_all: weakref.WeakSet[Optimizer] = weakref.WeakSet()


class Optimizer(Links, ABC):
    """The base of all optimizers.

    An author writes `scalars` and `update`, names the `states`, and passes the hyper-parameters to `__init__`:

        class Lion(Optimizer):
            states = ("exp_avg",)

            def __init__(self, params=None, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
                super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

            def scalars(self, hyper, t): ...
            def update(self, p, g, state, scalars): ...

    Attributes:
        states: names of the zero-initialised arrays of a parameter's shape and dtype, in the C rule's order.
        optional_states: names of those that only some hyper-parameters ask for, through `variant`.
        rule: the compiled rule that equals `update` bit for bit, if there is one.
        param_groups: dicts with "params" and their hyper-parameters; a change takes effect at the next step.
        state: for each parameter that has been stepped, its "step" (t, a 0-d int64 array) and its arrays.
        defaults: the hyper-parameters of a group that does not name its own.

    One optimizer may be shared by threads: steps wait for one another. Different optimizers step in parallel; that
    they share no parameter is the caller's duty.
    """

    states: ClassVar[tuple[str, ...]] = ()
    optional_states: ClassVar[tuple[str, ...]] = ()
    rule: ClassVar[str | None] = None

    def __init__(self, params: Iterable[Any] | None, defaults: dict[str, Any]) -> None:
        """Link `params` (None: link later).

        Raises:
            TypeError: something is not a parameter, or a group has an unknown key.
            ValueError: a hyper-parameter is out of range, a parameter appears twice, or the list is empty.

        """
        self.defaults = {"maximize": False, **defaults}
        self.validate(self.defaults)
        self.param_groups: list[Group] = []
        self.state: dict[Any, dict[str, Any]] = {}
        self._warned = False
        self._renew()
        if params is not None:
            for group in groups.as_groups(params):
                self.add_param_group(group)

    def _renew(self) -> None:
        """Make what belongs to this process alone."""
        self._lock = threading.RLock()
        self._table = Table()
        _all.add(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_lock", "_table")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._renew()

    # What an author writes

    @abstractmethod
    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return what the rule needs beside arrays, from a group's hyper-parameters and the step t >= 1."""

    @abstractmethod
    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter in place, in NumPy: the meaning of the optimizer.

        Args:
            p: the values, written in place.
            g: the gradient, read-only, of the same shape and dtype.
            state: the arrays of this parameter, written in place.
            scalars: what `scalars` returned, each rounded once to the dtype of `p`.

        """

    def variant(self, hyper: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:  # noqa: ARG002  # for overrides
        """Return the compiled rule and the states for these hyper-parameters; override where they depend on them."""
        return self.rule, self.states

    def init_state(self, p: Parameter) -> dict[str, Any]:
        """Return the first state of a parameter; override for arrays of another shape or kind."""
        return {name: np.zeros(p.data.shape, p.data.dtype) for name in self.states}

    def prepare(self, active: Sequence[Parameter]) -> None:
        """Override for what is known only over all parameters of a step; called once before the updates."""

    def train(self) -> None:
        """Switch to the weights to train; for optimizers that evaluate at other ones."""

    def eval(self) -> None:
        """Switch to the weights to evaluate; for optimizers that train at other ones."""

    # Stepping

    def step(self, parameters: Sequence[Parameter] | Closure | None = None) -> Any:
        """Update parameters from their gradients.

        Args:
            parameters: None for all linked parameters that have a gradient; a list for exactly these; or a function
                that computes the loss anew, runs with gradients on, and whose result is returned.

        Raises:
            UnlinkedParameterError, MissingGradientError: for a parameter of the list.
            ShapeError: a gradient or a state has another shape than its parameter.
            TypeError: a gradient has another dtype than its parameter.
            ValueError: a hyper-parameter is out of range, an array is read-only, or two lie in the same bytes.
            KernelError: an author's class and its compiled rule do not fit together.

        Whatever is raised is raised before anything moves, but for an error out of an author's `update`.

        """
        with self._lock:
            loss = None
            if callable(parameters):
                with enable_grad():
                    loss = parameters()
                parameters = None
            mode = kernels.default_fp_mode()
            try:
                self._step(parameters)
            finally:
                kernels.restore_fp_mode(mode)
            return loss

    def _step(self, parameters: Sequence[Parameter] | None) -> None:
        wanted = None if parameters is None else set(map(id, self._check_linked(parameters)))
        hypers = [self._hyper(index, group) for index, group in enumerate(self.param_groups)]
        plans = [self._plan(hyper) for hyper in hypers]
        table, created = self._table, []
        try:
            if not table.hold(plans, self.param_groups, self.state, wanted):
                self._table = table = Table(plans, self._rows(plans, self._active(wanted)))
                created = self._take_over(table)
            if not table.rows:
                self._warn_once(wanted)
                return
            try:
                self.prepare(table.parameters)
                table.ask(lambda group, t: self.scalars(hypers[group], t))
            except BaseException:
                for parameter in created:
                    self.state.pop(parameter, None)
                self._forget_arrays()
                raise
            with np.errstate(all="ignore"):
                for row in table.interpreted:
                    self._update(row)
                    _bump(row.parameter)
            table.run()
            for row in table.compiled:
                _bump(row.parameter)
        finally:
            table.release()

    def _take_over(self, table: Table) -> list[Parameter]:
        """Make the checked states ours; return the parameters that had none."""
        created = [row.parameter for row in table.rows if row.parameter not in self.state]
        for row in table.rows:
            known = self.state.setdefault(row.parameter, row.state)
            known.update(row.state)
            row.state = known
        return created

    def _active(self, wanted: set[int] | None) -> list[Active]:
        """Return what is to be stepped: all that has a gradient, or what is wanted."""
        active = []
        for index, group in enumerate(self.param_groups):
            for position, parameter in enumerate(group["params"]):
                if wanted is not None and id(parameter) not in wanted:
                    continue
                gradient = parameter.grad
                if gradient is not None:
                    active.append(Active(index, position, parameter, parameter.data, as_array(gradient)))
                elif wanted is not None:
                    msg = f"{groups.describe(group, index, position)} has no gradient; run backward() first"
                    raise MissingGradientError(msg)
        return active

    def _hyper(self, index: int, group: Group) -> Group:
        """Check the hyper-parameters of a group, and return them as the step needs them."""
        if not self.defaults.keys() <= group.keys():
            missing = ", ".join(sorted(self.defaults.keys() - group.keys()))
            msg = f"parameter group {index} lacks {missing}; add_param_group() fills in the defaults"
            raise ValueError(msg)
        try:
            self.validate(group)
            return groups.scaled(group)
        except (TypeError, ValueError) as error:
            error.add_note(f"in parameter group {index}")
            raise

    def _warn_once(self, wanted: set[int] | None) -> None:
        if wanted is None and not self._warned:
            self._warned = True
            msg = "step() found no parameter with a gradient and did nothing; was backward() run?"
            warnings.warn(msg, NoGradientWarning, stacklevel=4)

    def _plan(self, hyper: Group) -> Plan:
        rule, states = self.variant(hyper)
        index = kernels.rule_index(rule)
        if index is not None and kernels.rule_states(index) != len(states):
            msg = f"{type(self).__name__} has the states {states}; its rule {rule!r} takes {kernels.rule_states(index)}"
            raise KernelError(msg)
        return index, states, -1.0 if hyper.get("maximize") else 1.0

    def _rows(self, plans: Sequence[Plan], active: Sequence[Active]) -> list[Row]:
        """Check all arrays, and those of the state that is still missing; nothing is changed yet."""
        rows = []
        for each in active:
            name = groups.describe(self.param_groups[each.group], each.group, each.position)
            plan = plans[each.group]
            check_data(name, each.data, each.gradient)
            state = dict(self.state.get(each.parameter) or {"step": 0, **self.init_state(each.parameter)})
            for state_name in plan[1]:
                if state_name not in state:
                    state[state_name] = np.zeros(each.data.shape, each.data.dtype)
            check_state(name, each.data, state, plan[1])
            rows.append(Row(name, each.group, each.parameter, each.data, each.gradient, state, plan))
        return rows

    def _update(self, row: Row) -> None:
        """Step one parameter in NumPy."""
        assert row.gradient is not None
        seen = np.asarray(row.gradient if row.plan[2] == 1 else -row.gradient).view()
        seen.flags.writeable = False
        # An author's own states go to update whole; of ours, those that the hyper-parameters ask for, as in C.
        own = type(self).init_state is not Optimizer.init_state
        state = row.state if own else {name: row.state[name] for name in row.plan[1]}
        try:
            self.update(np.asarray(row.data), seen, state, row.scalars)
        except Exception as error:
            error.add_note(f"raised by {type(self).__name__}.update for {row.name}; parameters before it are updated")
            raise
        row.state.update(state)  # an author may have put another array in the place of one
        np.add(row.state["step"], 1, out=row.state["step"])

    def zero_grad(self, parameters: Sequence[Parameter] | None = None, *, set_to_none: bool = True) -> None:
        """Clear the gradients of all linked parameters, or of a list of them.

        With `set_to_none` `.grad` reads None (its memory is kept for the next backward); else it is filled with zeros.
        """
        if isinstance(parameters, bool):
            msg = f"zero_grad takes a list of parameters; did you mean zero_grad(set_to_none={parameters})?"
            raise TypeError(msg)
        for parameter in self._linked() if parameters is None else self._check_linked(parameters):
            gradient = parameter.grad
            if gradient is None:
                continue
            if set_to_none:
                parameter.grad = None  # type: ignore[misc]  # a parameter's grad can be cleared
            else:
                as_array(gradient)[...] = 0

    def __repr__(self) -> str:
        lines = [type(self).__name__ + " ("]
        for index, group in enumerate(self.param_groups):
            values = ", ".join(f"{name}={group[name]!r}" for name in sorted(set(group) - {"params", "param_names"}))
            lines.append(f"  group {index}: {len(group['params'])} parameters, {values}")
        return "\n".join([*lines, ")"])


def _bump(parameter: Parameter) -> None:
    """Tell a parameter that counts its versions that it was changed in place."""
    bump = getattr(parameter, "_bump_version", None)
    if bump is not None:
        bump()


def _renew_after_fork() -> None:
    """Give every optimizer of a forked child a lock that no vanished thread holds."""
    for optimizer in list(_all):
        optimizer._lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # POSIX
    os.register_at_fork(after_in_child=_renew_after_fork)
