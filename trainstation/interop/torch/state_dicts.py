"""State dicts between native optimizers and torch's own: a run begun in one goes on in the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from trainstation import optimizers
from trainstation.optimizers import Optimizer
from trainstation.optimizers.groups import EXTRAS

__all__ = ["load_torch_state_dict", "torch_state_dict"]

PAIRS: dict[type[Optimizer], type[torch.optim.Optimizer]] = {
    optimizers.Adam: torch.optim.Adam,
    optimizers.AdamW: torch.optim.AdamW,
    optimizers.SGD: torch.optim.SGD,
    optimizers.RMSprop: torch.optim.RMSprop,
}


def torch_state_dict(optimizer: Optimizer) -> dict[str, Any]:
    """Return a copy of a native optimizer's state that torch's class of the same name loads, to the bit.

    Raises:
        TypeError: the optimizer is not exactly a native Adam, AdamW, SGD or RMSprop.
        ValueError: its states are kept in bfloat16 or 8 bit, which torch's class does not know.

    """
    defaults = _defaults_of(optimizer)
    if optimizer.state_dtype not in (None, "float32"):
        msg = f"states kept in {optimizer.state_dtype} are nothing for torch's {type(optimizer).__name__}"
        raise ValueError(msg)
    given = optimizer.state_dict()
    state: dict[int, Any] = {}
    for number, values in given["state"].items():
        tensors = {name: torch.from_numpy(value) for name, value in values.items() if name != "step"}
        if not isinstance(optimizer, optimizers.SGD):  # torch's counts no steps
            tensors = {"step": torch.tensor(float(values["step"])), **tensors}
        state[number] = tensors
    return {"state": state, "param_groups": [{**defaults, **group} for group in given["param_groups"]]}


def load_torch_state_dict(optimizer: Optimizer, state_dict: Mapping[str, Any]) -> None:
    """Have a native optimizer go on where torch's class of the same name stood, to the bit.

    torch's SGD counts no steps: what has a momentum goes on at its second one.

    Raises:
        TypeError: the optimizer is not exactly a native Adam, AdamW, SGD or RMSprop.
        ValueError: the state is of another class, of other groups, or has a value that is out of range.
        ShapeError: a tensor does not fit its parameter. Whatever is raised, nothing has changed.

    """
    defaults = _defaults_of(optimizer)
    groups = []
    for group in state_dict["param_groups"]:
        strange = sorted(set(optimizer.defaults) - set(group)) or sorted(set(group) - set(defaults) - EXTRAS)
        if strange:
            msg = f"the state is of another class than torch's {type(optimizer).__name__}: {strange[0]!r} tells"
            raise ValueError(msg)
        decoupled = "decoupled_weight_decay"
        if group.get(decoupled, defaults.get(decoupled)) != defaults.get(decoupled):
            msg = f"the state is of {'AdamW' if group[decoupled] else 'Adam'}, not of {type(optimizer).__name__}"
            raise ValueError(msg)
        kept = {name: value for name, value in group.items() if name in optimizer.defaults or name in EXTRAS}
        groups.append({name: _number(value) for name, value in kept.items()})
    state = {}
    for number, tensors in state_dict["state"].items():
        arrays = {
            name: value.detach().numpy()
            for name, value in tensors.items()
            if name != "step" and isinstance(value, torch.Tensor)
        }
        step = tensors.get("step", 1 if arrays else 0)
        state[number] = {"step": int(step), **arrays}
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _defaults_of(optimizer: Optimizer) -> dict[str, Any]:
    """Return the hyper-parameters of torch's class, with its defaults."""
    kind: Any = PAIRS.get(type(optimizer))
    if kind is None:
        msg = f"torch has no {type(optimizer).__name__}; {', '.join(each.__name__ for each in PAIRS)} have a twin there"
        raise TypeError(msg)
    defaults: dict[str, Any] = kind([torch.zeros(1)]).defaults
    return defaults


def _number(value: Any) -> Any:
    """Return a number for a rate, say, that torch holds as a tensor."""
    return value.item() if isinstance(value, torch.Tensor) else value
