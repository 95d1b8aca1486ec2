"""What an optimizer is told and can be asked: its parameters, their groups, rates and states."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from trainstation.errors import ShapeError
from trainstation.optimizers import groups
from trainstation.optimizers.actions import Action, carry_out
from trainstation.optimizers.contract import Contract
from trainstation.optimizers.groups import Parameter
from trainstation.optimizers.hyper import Group, check_hyper
from trainstation.optimizers.stepping.noted import Noted, NotedList
from trainstation.optimizers.stepping.stepper import Stepper

__all__ = ["Links"]


class Links(Contract):
    """The part of `Optimizer` that knows parameters, but does not step them."""

    _state: dict[Any, dict[str, Any]]
    _lock: threading.RLock
    step_engine: Stepper

    @property
    def state(self) -> dict[Any, dict[str, Any]]:
        """For each parameter that has been stepped: its step, a 0-d int64 array, and its arrays."""
        return self._state

    @state.setter
    def state(self, value: Mapping[Any, dict[str, Any]]) -> None:
        self.step_engine.changed.is_set = True
        self._state = Noted(self.step_engine.changed, value)

    def hold_steps(self) -> AbstractContextManager[object]:
        """Return a context during which no other thread steps or changes the optimizer."""
        return self._lock

    def note_settings(self, group: Group, values: Mapping[str, Any]) -> None:
        """From within `update`: have hyper-parameters of a group written with this parameter's step, or not at all."""
        self.step_engine.note_settings(group, values)

    def commit(
        self,
        actions: Iterable[Action],
        written: Iterable[Parameter] = (),
        settings: Iterable[tuple[Group, Mapping[str, Any]]] = (),
    ) -> None:
        """Carry out what belongs together: an interrupt comes before all of it, or after.

        Args:
            actions: see `trainstation.optimizers.actions`.
            written: the parameters whose values these change.
            settings: groups (or `defaults`), and hyper-parameters to be written to them.

        """
        source = self.step_engine.source
        after = [action for parameter in written for action in source.written(parameter)]
        carry_out([*actions, *(act for group, values in settings for act in source.settled(group, values)), *after])

    def forget_arrays(self) -> None:
        """Make the next step look at all arrays anew."""
        self.step_engine.forget()

    def _group(self, group: int | str) -> Group:
        if isinstance(group, str):
            for candidate in self.param_groups:
                if candidate.get("name") == group:
                    return candidate
            msg = f"no parameter group is named {group!r}"
            raise ValueError(msg)
        try:
            return self.param_groups[group]
        except IndexError:
            msg = f"there is no parameter group {group}; there are {len(self.param_groups)}"
            raise IndexError(msg) from None

    def learning_rate(self, group: int | str | None = None) -> float:
        """Return the rate of a group, by index or name; by default the first one's, or the one to come."""
        if group is None and not self.param_groups:
            return float(self.defaults["lr"])
        return float(self._group(0 if group is None else group)["lr"])

    def set_learning_rate(self, lr: float, group: int | str | None = None) -> None:
        """Set the rate of all groups and of those to come, or of one; ValueError unless finite and >= 0."""
        check_hyper({"lr": lr})
        if group is not None:
            self._group(group)["lr"] = lr
            return
        self.commit((), (), [(each, {"lr": lr}) for each in (self.defaults, *self.param_groups)])

    def _linked(self) -> list[Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def add_param_group(self, group: Group) -> None:
        """Link a group: "params", and any hyper-parameters that differ from the defaults."""
        with self._lock:
            made = groups.make_group(group, self.defaults, self._linked(), len(self.param_groups))
            self.validate(made)
            self._check_dtypes(made)
            self.param_groups.append(self.note_parameters(made))

    def note_parameters(self, group: Group) -> Group:
        """Mark the optimizer changed when the list of a group's parameters is written to."""
        group["params"] = NotedList(self.step_engine.changed, group["params"])
        return group

    def _check_dtypes(self, group: Group) -> None:
        for position, parameter in enumerate(group["params"]):
            if self.state_dtype is not None and parameter.data.dtype != np.float32:
                name = groups.describe(group, len(self.param_groups), position)
                msg = f"{name}: state_dtype={self.state_dtype!r} is for float32 parameters"
                raise ValueError(msg)

    def add_parameter(self, p: Parameter) -> None:
        """Link one parameter, in the first group."""
        self.add_parameters([p])

    def add_parameters(self, ps: Iterable[Parameter]) -> None:
        """Link parameters, in the first group."""
        with self._lock:
            made = groups.make_group({"params": ps}, self.defaults, self._linked())
            self._check_dtypes(made)
            if not self.param_groups:
                self.param_groups.append(self.note_parameters(made))
                return
            self.forget_arrays()
            actions = [partial(list.extend, self.param_groups[0]["params"], made["params"])]
            first = self.param_groups[0]
            if "param_names" in first or "param_names" in made:
                count = len(first["params"])
                names = first.get("param_names", [f"parameter {i}" for i in range(count)])
                more = made.get("param_names", [f"parameter {count + i}" for i in range(len(made["params"]))])
                actions.append(partial(dict.__setitem__, first, "param_names", [*names, *more]))
            carry_out(actions)

    def unlink_parameter(self, p: Parameter) -> bool:
        """Forget a parameter and its state; False if it was not linked."""
        with self._lock:
            for group in self.param_groups:
                for position, parameter in enumerate(group["params"]):
                    if parameter is p:
                        self.forget_arrays()
                        names = group.get("param_names", ())
                        lists = [group["params"], *([names] if position < len(names) else [])]
                        carry_out(
                            [
                                *(partial(list.__delitem__, each, position) for each in lists),
                                partial(dict.pop, self.state, p, None),
                            ]
                        )
                        return True
            return False

    def relink_parameters(self, ps: Iterable[Parameter]) -> None:
        """Put other parameters in the place of the linked ones, in their order; they take over the state.

        Raises:
            ValueError: another number of parameters, or one appears twice.
            ShapeError: a parameter has another shape or dtype than the one it replaces.

        """
        with self._lock:
            former, new = self._linked(), list(ps)
            if len(former) != len(new):
                msg = f"{len(former)} parameters are linked, {len(new)} were given"
                raise ValueError(msg)
            groups.make_group({"params": new}, self.defaults, ())
            for position, (old, other) in enumerate(zip(former, new, strict=True)):
                if old.data.shape != other.data.shape or old.data.dtype != other.data.dtype:
                    msg = (
                        f"parameter {position} has shape {other.data.shape} and dtype {other.data.dtype}; "
                        f"the one it replaces has {old.data.shape} and {old.data.dtype}"
                    )
                    raise ShapeError(msg)
            state = {other: self.state[old] for old, other in zip(former, new, strict=True) if old in self.state}
            remaining = iter(new)
            lists = [(group["params"], [next(remaining) for _ in group["params"]]) for group in self.param_groups]
            self.forget_arrays()
            carry_out(
                [
                    *(partial(list.__setitem__, each, slice(None), others) for each, others in lists),
                    partial(setattr, self, "_state", Noted(self.step_engine.changed, state)),
                ]
            )

    def is_parameter_linked(self, p: Parameter) -> bool:
        """Whether this very parameter is linked."""
        return any(parameter is p for parameter in self._linked())

    def parameter_count(self) -> int:
        """Return how many parameters are linked."""
        return sum(len(group["params"]) for group in self.param_groups)

    def clear_states(self) -> None:
        """Forget all state: the next step of every parameter is its first."""
        with self._lock:
            self.forget_arrays()
            self.state.clear()
