"""What keeps a native optimizer and its torch side alike: groups and states are followed, results shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from trainstation.interop.torch.native import TensorSource, native_class
from trainstation.interop.torch.state_tensors import Shown, States, is_shown, native_state
from trainstation.interop.torch.views import View, check_tensor
from trainstation.kernels import find_rule
from trainstation.optimizers import Optimizer
from trainstation.optimizers.actions import carry_out
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.noted import Noted, NotedList
from trainstation.optimizers.stepping.watch import are_equal

__all__ = ["Sync", "name_of"]


class Sync:
    """The part of `Bridge` that knows its native optimizer.

    Users may write to `param_groups` and `state`; before a step that one is brought up to date, after it these are.
    """

    param_groups: list[Group]
    # The native class, its keywords, `master`, and what torch keeps in a group beside the native hyper-parameters.
    _given: tuple[type[Optimizer], dict[str, Any], str | None, dict[str, Any]]

    def _host(self) -> None:
        """Make the native optimizer, which has no parameters yet."""
        native, options, _, _ = self._given
        self._native: Any = native_class(native)(None, **{name: _plain(name, value) for name, value in options.items()})
        self._shown = Shown()
        self._native.step_engine.source = TensorSource(self._shown)
        self._views: dict[torch.Tensor, View] = {}
        self._known: list[Group] = []

    @property
    def state(self) -> dict[Any, dict[str, Any]]:
        """For each parameter that has been stepped, its step and its tensors."""
        return self._state

    @state.setter
    def state(self, value: Mapping[Any, dict[str, Any]]) -> None:
        self._shown.touched.is_set = True
        self._state = self._shown.state = States(self._shown.touched, value)

    def _settings(self, group: Group) -> Group:
        """Return the native hyper-parameters of a group, tensors as numbers."""
        native, _, _, extra = self._given
        name = "decoupled_weight_decay"
        if name not in self._native.defaults and group.get(name, extra.get(name)) != extra.get(name):
            msg = f"a group has {name}={group[name]!r}; {native.__name__} steps all groups with {extra.get(name)}"
            raise ValueError(msg)
        return {name: _plain(name, group[name]) for name in self._native.defaults}

    def _follow(self) -> None:
        """Take over what was changed in groups and states since the last step."""
        groups = self.param_groups
        if (
            self._shown.touched.is_set
            or len(groups) != len(self._known)
            or any(group["params"] is not known["params"] for group, known in zip(groups, self._known, strict=True))
        ):
            self._relink()
        else:
            for index, (group, known) in enumerate(zip(groups, self._known, strict=True)):
                if index in self._with_tensors or not are_equal(group, known):
                    self._follow_group(index, group)
        shown = self._shown
        if not shown.is_seen():
            for view, place in shown.places.items():
                if shown.steps[place] != shown.seen[place] and view in self._native.state:
                    self._native.state[view]["step"][...] = int(shown.steps[place])
            shown.show_steps(self._native.state)

    def _follow_group(self, index: int, group: Group) -> None:
        settings = self._settings(group)
        native = self._native.param_groups[index]
        if any(type(each) is torch.Tensor for value in group.values() for each in (value, *_items(value))):
            self._with_tensors.add(index)
        else:
            self._with_tensors.discard(index)
        native.update(settings)
        self._synced[index] = settings
        self._known[index] = known = dict(group)
        self._shown.groups[id(native)] = [group, known, settings]

    def _relink(self) -> None:
        """Make the native groups and states those of the tensors."""
        native, former = self._native, self._views
        views, made = {}, []
        for index, group in enumerate(self.param_groups):
            settings = self._settings(group)
            native.validate(settings)
            by_element = find_rule(native.variant(settings)[0]) is not None and not native.keeps_own_states()
            if not isinstance(group["params"], NotedList) or group["params"].changed is not self._shown.touched:
                group["params"] = NotedList(self._shown.touched, group["params"])
            for position, tensor in enumerate(group["params"]):
                if tensor not in former:
                    name = name_of(group, index, position)
                    check_tensor(tensor, name, native.state_dtype)
                    former[tensor] = View(tensor, name, by_element=by_element, master=self._given[2])
                views[tensor] = former[tensor]
            names = {"param_names": list(group["param_names"])} if "param_names" in group else {}
            made.append({**settings, **names, "params": [views[tensor] for tensor in group["params"]]})
        states = {
            view: self._native_state(view, group)
            for group in made
            for view in group["params"]
            if self._state.get(view.tensor)
        }
        for tensor, state in list(self._state.items()):
            if not isinstance(state, Noted):
                dict.__setitem__(self._state, tensor, Noted(self._shown.touched, state))
        self._views = views
        self._narrow = [view for view in views.values() if view.is_half]
        self._shown.count(views)
        self._shown.groups = {}
        native.param_groups = [native.note_parameters(group) for group in made]
        native.state = states
        native.forget_arrays()
        self._synced: list[Group] = [{} for _ in made]
        self._known = [{} for _ in made]
        self._with_tensors: set[int] = set()
        for index, group in enumerate(self.param_groups):
            self._follow_group(index, group)
        carry_out([act for view, state in states.items() for act in self._shown.added(view, state)])
        self._shown.show_steps(states)
        self._show_groups()
        self._shown.touched.is_set = False

    def _native_state(self, view: View, hyper: Group) -> dict[str, Any]:
        """Return a parameter's native state: the one there is, if its tensors are still its own."""
        given, known = self._state[view.tensor], self._native.state.get(view)
        if known is not None and is_shown(given, view):
            shown = self._shown
            place = shown.places[view]
            if given.get("step") is shown.step_tensors[place] and shown.steps[place] == shown.seen[place]:
                same: dict[str, Any] = known
                return same
        return native_state(self._native, view, given, hyper)

    def _show_groups(self) -> None:
        """Write to the groups what the native optimizer has written to its own."""
        for group, known, native, synced in zip(
            self.param_groups, self._known, self._native.param_groups, self._synced, strict=True
        ):
            for name in synced:
                if native[name] is not synced[name]:
                    group[name] = known[name] = synced[name] = native[name]


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()


def _plain(name: str, value: Any) -> Any:
    """Return a hyper-parameter as a number, or a tuple of numbers, if it is given in tensors."""
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            msg = f"Tensor {name} must be 1-element"
            raise ValueError(msg)
        return float(value)
    if isinstance(value, tuple) and any(isinstance(each, torch.Tensor) for each in value):
        return tuple(_plain(f"{name}[{index}]", each) for index, each in enumerate(value))
    return value


def name_of(group: Group, index: int, position: int) -> str:
    """Name a parameter for an error message."""
    names = group.get("param_names")
    return f"parameter {names[position]!r}" if names else f"parameter {position} of group {index}"
