"""State dicts of an optimizer, in torch's form: out of it, and checked before they are let in."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from trainstation import kernels
from trainstation.errors import ShapeError
from trainstation.optimizers import groups
from trainstation.optimizers.groups import Group, Parameter
from trainstation.optimizers.hyper import COMMON
from trainstation.optimizers.links import Links
from trainstation.optimizers.stepping.noted import Noted
from trainstation.optimizers.stepping.rows import first_state, layout_of

__all__ = ["StateDicts", "plain_state", "settings_of"]


class StateDicts(Links):
    """The part of `Optimizer` that gives all it has learnt, and takes it back."""

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all state and hyper-parameters, in torch's form: parameters are numbered in order."""
        with self._lock:
            number = {id(parameter): index for index, parameter in enumerate(self._linked())}
            return {
                "state": {
                    number[id(parameter)]: {name: plain_state(value) for name, value in state.items()}
                    for parameter, state in self.state.items()
                    if state and id(parameter) in number  # states and groups may have been changed by hand
                },
                "param_groups": [
                    {**copy.deepcopy(settings_of(group)), "params": [number[id(p)] for p in group["params"]]}
                    for group in self.param_groups
                ],
            }

    def load_state_dict(self, sd: Mapping[str, Any]) -> None:
        """Take over a copy of what `state_dict` returned; everything is checked before anything changes.

        What a user has noted in a group comes along; hyper-parameters of another optimizer do not.

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
                strange = unknown if set(self.defaults) - set(setting) else [n for n in unknown if n in COMMON]
                if strange:
                    msg = f"loaded state dict has the hyper-parameter {strange[0]!r}, which {type(self).__name__} lacks"
                    raise ValueError(msg)
                self.validate({**current, **setting})
            state = {}
            for group, current, setting in zip(given, self.param_groups, settings, strict=True):
                for number, parameter in zip(group["params"], current["params"], strict=True):
                    if number in sd["state"]:
                        hyper = {**current, **setting}
                        state[parameter] = self.fitting_state(
                            f"parameter {number}", parameter, sd["state"][number], hyper
                        )
            self.forget_arrays()
            noted = Noted(self.step_engine.changed, state)
            self.commit([partial(setattr, self, "_state", noted)], (), zip(self.param_groups, settings, strict=True))

    def fitting_state(self, label: str, parameter: Parameter, given: Mapping[str, Any], hyper: Group) -> dict[str, Any]:
        """Return a copy of one parameter's state, or raise. The optional states are there or not; a step makes them."""
        expected = first_state(self, parameter, hyper)
        optional = layout_of(self, parameter, hyper, [name for name in self.optional_states if name in given])
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


def settings_of(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a group holds beside its parameters and their names."""
    return {name: value for name, value in group.items() if name not in ("params", "param_names")}


def plain_state(value: Any) -> Any:
    """Return a copy of a state's value: of a counter an int, of an array an array."""
    if isinstance(value, np.ndarray):
        return int(value) if value.ndim == 0 and value.dtype == np.int64 else value.copy()
    return copy.deepcopy(value)
