"""States as tensors: what torch's users see of a native optimizer's arrays, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainstation.errors import ShapeError
from trainstation.interop.torch.views import View
from trainstation.optimizers import Optimizer
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.noted import Noted
from trainstation.optimizers.stepping.rows import first_state, layout_of

__all__ = ["States", "as_plain", "is_shown", "native_state", "show"]

Array = NDArray[Any]


class States(Noted):
    """The dict of all states: like torch's, it makes an empty one of what is asked for and not there."""

    __slots__ = ()

    def __missing__(self, key: Any) -> dict[str, Any]:
        made = Noted(self.changed)
        dict.__setitem__(self, key, made)
        return made


def show(known: dict[str, Any], view: View, state: Mapping[str, Any], step: torch.Tensor) -> None:
    """Bring a parameter's tensors up to date with its native state; those that are still right stay.

    Args:
        known: the tensors of the parameter, changed without a note of it.
        view: the parameter.
        state: its native state.
        step: what shows its t.

    """
    dict.__setitem__(known, "step", step)
    master = {"master": view.data} if view.keeps_master else {}
    for name, value in {**state, **master}.items():
        if name != "step":
            array, shown = view.shown.get(name, (None, None))
            if array is not value or isinstance(value, list):
                shown = _shown(view, value)
                view.shown[name] = value, shown
            if known.get(name) is not shown:
                dict.__setitem__(known, name, shown)


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
