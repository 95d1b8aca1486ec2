"""States as tensors: what torch's users see of a native optimizer's arrays, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from operator import setitem
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainstation.errors import ShapeError
from trainstation.interop.torch.views import View
from trainstation.optimizers import Optimizer
from trainstation.optimizers.actions import Action
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.noted import Flag, Noted
from trainstation.optimizers.stepping.rows import first_state, layout_of

__all__ = ["Shown", "States", "as_plain", "is_shown", "native_state"]

Array = NDArray[Any]


class States(Noted):
    """The dict of all states: like torch's, it makes an empty one of what is asked for and not there."""

    __slots__ = ()

    def __missing__(self, key: Any) -> dict[str, Any]:
        made = Noted(self.changed)
        dict.__setitem__(self, key, made)
        return made


class Shown:
    """What torch's users see of a native optimizer, and what a step changes of it together with the native side.

    Attributes:
        state: for each tensor its state.
        touched: whether a user has written to that.
        places: for each view its place among the counters.
        steps: the counters, float32; `step_tensors` are views of them, one each.
        seen: what they were after the last step.
        groups: for each native group, by its id, the dicts that follow it.

    """

    def __init__(self) -> None:
        self.touched = Flag(True)
        self.state = States(self.touched)
        self.groups: dict[int, list[Group]] = {}
        self.count({})

    def count(self, views: Mapping[Any, View]) -> None:
        """Make the counters of these views."""
        self.places = {view: place for place, view in enumerate(views.values())}
        flat = torch.zeros(len(views))
        self.steps: Array = flat.numpy()
        self.seen = self.steps.copy()
        self.step_tensors = flat.unbind()

    def is_seen(self) -> bool:
        """Whether no user has written to a counter."""
        return bool(self.steps.tobytes() == self.seen.tobytes())

    def show_steps(self, states: Mapping[View, Mapping[str, Any]]) -> None:
        """Bring the counters up to date with native ones."""
        for view, state in states.items():
            self.steps[self.places[view]] = state["step"]
        self.seen[...] = self.steps

    def added(self, view: View, state: Mapping[str, Any]) -> list[Action]:
        """Return what shows a native state that is new, or has new entries."""
        known = dict.get(self.state, view.tensor)
        made = view.tensors = Noted(self.touched) if known is None else known
        return [
            partial(dict.__setitem__, made, "step", self.step_tensors[self.places[view]]),
            *self.replaced(view, {**state, "master": view.data} if view.keeps_master else state),
            *([partial(dict.__setitem__, self.state, view.tensor, made)] if known is None else []),
        ]

    def replaced(self, view: View, entries: Mapping[str, Any]) -> list[Action]:
        """Return what shows other entries of a native state."""
        shown = {name: (value, _shown(view, value)) for name, value in entries.items() if name != "step"}
        tensors = {name: tensor for name, (_, tensor) in shown.items()}
        known = dict.get(self.state, view.tensor)
        into = view.tensors if known is None else known
        return [partial(dict.update, view.shown, shown), partial(dict.update, into, tensors)]

    def counted(self, views: Sequence[View], steps: Array) -> list[Action]:
        """Return what shows the counters of these views."""
        places = [self.places[view] for view in views]
        is_all = places == list(range(len(self.steps)))
        where: Any = slice(None) if is_all else np.array(places, np.intp)
        return [partial(setitem, each, where, steps) for each in (self.steps, self.seen)]

    def settled(self, group: Group, values: Mapping[str, Any]) -> list[Action]:
        """Return what writes hyper-parameters of a native group where they are shown."""
        return [partial(dict.update, each, values) for each in self.groups.get(id(group), ())]


def is_shown(known: Mapping[str, Any], view: View) -> bool:
    """Whether a parameter's tensors are those that were shown, but for the counter."""
    return all(known.get(name) is shown for name, (_, shown) in view.shown.items())


def _shown(view: View, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        tensor = torch.from_numpy(value)
        if value.dtype == np.uint16:  # codes of bfloat16
            tensor = tensor.view(torch.bfloat16)
        return view.restored(tensor) if value.shape == view.data.shape else tensor
    if isinstance(value, list | tuple):
        return type(value)(_shown(view, each) for each in value)
    return value


def as_plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state for a state dict: its counter is a tensor of its own."""
    return {name: value.clone() if name == "step" else value for name, value in state.items()}


def native_state(optimizer: Optimizer, view: View, given: Mapping[str, Any], hyper: Group) -> dict[str, Any]:
    """Return a native state, a copy of all that is given in tensors; a master copy is put into the view.

    What torch's own class does not keep (SGD's counter) is filled in; what the native one does not know is left out.

    Raises:
        ValueError: something is missing, or the counter is no count.
        ShapeError: a tensor does not fit its parameter.

    """
    expected = first_state(optimizer, view, hyper)
    optional = layout_of(optimizer, view, hyper, [name for name in optimizer.optional_states if name in given])
    names = {*expected, *optional}
    dtypes = {name: np.dtype(dtype) for name, (_, dtype) in optional.items()}
    dtypes |= {name: first.dtype for name, first in expected.items() if isinstance(first, np.ndarray)}
    made = {
        name: _native(view, value, dtypes.get(name, view.data.dtype))
        for name, value in given.items()
        if name in names and value is not None
    }
    step = float(given["step"]) if "step" in given else 1.0
    if not step.is_integer():
        msg = f"state of {view.name}: step is {step}, not a count"
        raise ValueError(msg)
    made["step"] = int(step)
    fitting = optimizer.fitting_state(view.name, view, made, hyper)
    if view.keeps_master and "master" in given:
        master = _native(view, given["master"], view.data.dtype)
        if master.shape != view.data.shape:
            msg = f"state of {view.name}: master has shape {tuple(given['master'].shape)}, not {view.data.shape}"
            raise ShapeError(msg)
        view.data[...] = master
    return fitting


def _native(view: View, value: Any, expected: Any) -> Any:
    if isinstance(value, torch.Tensor):
        tensor = value.detach()
        if tensor.shape == view.tensor.shape:
            tensor = view.ordered(tensor)
        if tensor.dtype == torch.bfloat16 and expected == np.uint16:
            return tensor.contiguous().view(torch.uint16).numpy()
        if tensor.is_floating_point() and expected.kind == "f":
            return tensor.double().numpy().astype(expected)
        return tensor.numpy()
    if isinstance(value, list | tuple):
        return type(value)(_native(view, each, expected) for each in value)
    return value
