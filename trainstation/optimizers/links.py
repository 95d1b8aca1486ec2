"""What an optimizer is told and can be asked: its parameters, their groups, rates and states."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Mapping
from functools import cache
from inspect import signature
from typing import Any, ClassVar

import numpy as np

from trainstation import kernels
from trainstation.errors import ShapeError, UnlinkedParameterError
from trainstation.optimizers import groups
from trainstation.optimizers.groups import Parameter
from trainstation.optimizers.hyper import Group, check_hyper
from trainstation.optimizers.stepping import codec
from trainstation.optimizers.stepping.noted import Noted, NotedList
from trainstation.optimizers.stepping.rows import first_state
from trainstation.optimizers.stepping.stepper import Stepper

__all__ = ["Links", "plain_state", "settings_of"]


class Links:
    """The part of `Optimizer` that knows parameters, but does not step them."""

    defaults: dict[str, Any]
    optional_states: ClassVar[tuple[str, ...]]
    param_groups: list[Group]
    _state: dict[Any, dict[str, Any]]
    state_dtype: str | None
    _lock: threading.RLock
    _stepper: Stepper

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters of a group, before each step; override to check more."""
        check_hyper(hyper)
        kind: Any = type(self)
        count = _betas_of(kind) if "betas" in hyper else 0
        if count and len(hyper["betas"]) != count:
            msg = f"betas are {count} numbers, not {hyper['betas']!r}"
            raise ValueError(msg)

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:
        """Return how `state_dtype` may keep a state."""
        raise NotImplementedError

    @property
    def state(self) -> dict[Any, dict[str, Any]]:
        """For each parameter that has been stepped: its step, a 0-d int64 array, and its arrays."""
        return self._state

    @state.setter
    def state(self, value: Mapping[Any, dict[str, Any]]) -> None:
        self._stepper.changed[0] = True
        self._state = Noted(self._stepper.changed, value)

    def _forget_arrays(self) -> None:
        """Make the next step look at all arrays anew."""
        self._stepper.forget()

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
        self.defaults["lr"] = lr
        for each in self.param_groups:
            each["lr"] = lr

    def _linked(self) -> list[Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def _check_linked(self, parameters: Iterable[Parameter]) -> list[Parameter]:
        """Return a list of parameters, all of which are linked."""
        if hasattr(parameters, "grad") or not isinstance(parameters, Iterable):
            msg = f"a list of parameters is needed, as in step([p]), not {type(parameters).__name__}"
            raise TypeError(msg)
        given = list(parameters)
        linked = set(map(id, self._linked()))
        for position, parameter in enumerate(given):
            if id(parameter) not in linked:
                groups.check_parameter(parameter)
                shape = parameter.data.shape
                msg = f"parameter {position} of the list (shape {shape}) is not linked; add_parameter() links it"
                raise UnlinkedParameterError(msg)
        return given

    def add_param_group(self, group: Group) -> None:
        """Link a group: "params", and any hyper-parameters that differ from the defaults."""
        with self._lock:
            made = groups.make_group(group, self.defaults, self._linked(), len(self.param_groups))
            self.validate(made)
            self._check_dtypes(made)
            self.param_groups.append(self._note(made))

    def _note(self, group: Group) -> Group:
        """Be told when the list of a group's parameters is written to."""
        group["params"] = NotedList(self._stepper.changed, group["params"])
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
                self.param_groups.append(self._note(made))
                return
            first = self.param_groups[0]
            if "param_names" in first or "param_names" in made:
                count = len(first["params"])
                names = first.get("param_names", [f"parameter {i}" for i in range(count)])
                more = made.get("param_names", [f"parameter {count + i}" for i in range(len(made["params"]))])
                first["param_names"] = [*names, *more]
            first["params"].extend(made["params"])

    def unlink_parameter(self, p: Parameter) -> bool:
        """Forget a parameter and its state; False if it was not linked."""
        with self._lock:
            for group in self.param_groups:
                for position, parameter in enumerate(group["params"]):
                    if parameter is p:
                        del group["params"][position]
                        if position < len(group.get("param_names", ())):
                            del group["param_names"][position]
                        self.state.pop(p, None)
                        self._forget_arrays()
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
            for group in self.param_groups:
                group["params"][:] = [next(remaining) for _ in group["params"]]
            self.state = state
            self._forget_arrays()

    def is_parameter_linked(self, p: Parameter) -> bool:
        """Whether this very parameter is linked."""
        return any(parameter is p for parameter in self._linked())

    def parameter_count(self) -> int:
        """Return how many parameters are linked."""
        return sum(len(group["params"]) for group in self.param_groups)

    def clear_states(self) -> None:
        """Forget all state: the next step of every parameter is its first."""
        with self._lock:
            self.state.clear()
            self._forget_arrays()

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all state and hyper-parameters, in torch's form: parameters are numbered in order."""
        with self._lock:
            number = {id(parameter): index for index, parameter in enumerate(self._linked())}
            return {
                "state": {
                    number[id(parameter)]: {name: plain_state(value) for name, value in state.items()}
                    for parameter, state in self.state.items()
                    if id(parameter) in number  # a group may have been changed by hand
                },
                "param_groups": [
                    {**copy.deepcopy(settings_of(group)), "params": [number[id(p)] for p in group["params"]]}
                    for group in self.param_groups
                ],
            }

    def load_state_dict(self, sd: Mapping[str, Any]) -> None:
        """Take over a copy of what `state_dict` returned; everything is checked before anything changes.

        Raises:
            ValueError: groups or parameters in another number, a key or state that this optimizer does not have or
                lacks, or a hyper-parameter out of range.
            ShapeError: an array that does not fit its parameter.

        """
        with self._lock:
            if not {"state", "param_groups"} <= set(sd):
                msg = f"a state dict has the keys state and param_groups; this one has {sorted(sd)}"
                raise ValueError(msg)
            given = sd["param_groups"]
            if [len(group["params"]) for group in given] != [len(group["params"]) for group in self.param_groups]:
                msg = "loaded state dict has a different number of parameter groups, or of parameters in one"
                raise ValueError(msg)
            strangers = set(sd["state"]) - {number for group in given for number in group["params"]}
            if strangers:
                named = ", ".join(sorted(map(repr, strangers)))
                msg = f"loaded state dict has state of {named}, which no group names"
                raise ValueError(msg)
            settings = [copy.deepcopy(settings_of(group)) for group in given]
            for current, setting in zip(self.param_groups, settings, strict=True):
                unknown = sorted(set(setting) - set(self.defaults) - groups.EXTRAS)
                if unknown:
                    msg = f"loaded state dict has the hyper-parameter {unknown[0]!r}, which {type(self).__name__} lacks"
                    raise ValueError(msg)
                self.validate({**current, **setting})
            state = {}
            for group, current, setting in zip(given, self.param_groups, settings, strict=True):
                for number, parameter in zip(group["params"], current["params"], strict=True):
                    if number in sd["state"]:
                        hyper = {**current, **setting}
                        state[parameter] = self._fitting(f"parameter {number}", parameter, sd["state"][number], hyper)
            for current, setting in zip(self.param_groups, settings, strict=True):
                current.update(setting)
            self.state = state
            self._forget_arrays()

    def _fitting(self, label: str, parameter: Parameter, given: Mapping[str, Any], hyper: Group) -> dict[str, Any]:
        """Return a copy of one parameter's state, or raise. The optional states are there or not; a step makes them."""
        expected = first_state(self, parameter, hyper)  # type: ignore[arg-type]  # every Links is an Optimizer
        kinds = self.state_kinds(hyper)
        fmt = codec.format_of(self.state_dtype, parameter.data, kinds.values())
        optional = codec.layout((name for name in self.optional_states if name in given), kinds, fmt, parameter.data)
        if not set(expected) <= set(given) <= {*expected, *optional}:
            msg = f"state of {label}: {sorted(given)} was given, {sorted({*expected, *optional})} is needed"
            if any(name.endswith("_scale") for name in {*given} ^ {*expected, *optional}):
                msg += "; was it saved with another state_dtype?"
            raise ValueError(msg)
        for name, (shape, dtype) in optional.items():
            expected[name] = np.broadcast_to(np.zeros((), dtype), shape)
        step = int(given["step"])
        if step < 0 or step != given["step"]:
            msg = f"state of {label}: step is {given['step']}, not a count"
            raise ValueError(msg)
        made: dict[str, Any] = {}
        for name, first in expected.items():
            value = given[name]
            if name == "step":
                made[name] = np.array(step, np.int64)
            elif not isinstance(first, np.ndarray):
                made[name] = copy.deepcopy(value)
            elif np.shape(value) != first.shape or np.asarray(value).dtype != first.dtype:
                msg = (
                    f"state of {label}: {name} has shape {np.shape(value)} and dtype {np.asarray(value).dtype}, "
                    f"not {first.shape} and {first.dtype} (state_dtype is {self.state_dtype!r})"
                )
                raise ShapeError(msg)
            else:
                made[name] = kernels.copy_beside(parameter.data, value)
        return made


@cache
def _betas_of(kind: type) -> int:
    """Return how many betas an optimizer has by default; 0 if it has no default."""
    betas = signature(kind).parameters.get("betas")
    return len(betas.default) if betas and isinstance(betas.default, tuple) else 0


def settings_of(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a group holds beside its parameters and their names."""
    return {name: value for name, value in group.items() if name not in ("params", "param_names")}


def plain_state(value: Any) -> Any:
    """Return a copy of a state's value: of a counter an int, of an array an array."""
    if isinstance(value, np.ndarray):
        return int(value) if value.ndim == 0 and value.dtype == np.int64 else value.copy()
    return copy.deepcopy(value)
