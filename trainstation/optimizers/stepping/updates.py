"""One parameter stepped by `update`, in NumPy: on copies, which are written back in one go."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.optimizers.actions import Action, put
from trainstation.optimizers.contract import Contract
from trainstation.optimizers.stepping import codec
from trainstation.optimizers.stepping.row import Row

__all__ = ["updated"]

Array = NDArray[Any]


class Updated:
    """What `update` has made of a row, which is as it was until the actions are carried out.

    Attributes:
        actions: what writes values, states and the counter back.
        replaced: entries of the state that are other objects now, or new ones.

    """

    __slots__ = ("actions", "replaced")

    def __init__(self, actions: list[Action], replaced: dict[str, Any]) -> None:
        self.actions, self.replaced = actions, replaced


def updated(optimizer: Contract, row: Row, gradient: Array, clip: float) -> Updated:
    """Step one parameter's copies; what `update` raises says which it was."""
    factor = row.plan.sign * clip
    seen = np.asarray(gradient if factor == 1 else gradient * row.data.dtype.type(factor)).view()
    seen.flags.writeable = False
    values = _copy(row.data)
    narrower = codec.narrow(row.plan.kinds, row.fmt)
    # An author's own states go to update whole; of ours, those that the hyper-parameters ask for, as in C.
    names = row.state if row.own and not narrower else [name for name in row.plan.states if name not in narrower]
    state = {name: _copy(row.state[name]) for name in names}
    state |= {name: codec.decode(name, row.state, kind, row.fmt) for name, kind in narrower.items()}
    optimizer.update(values, seen, state, row.scalars)
    t = int(row.state["step"]) + 1
    codes = [
        codec.encode(name, state.pop(name), narrower[name], row.fmt, t, place)
        for place, name in enumerate(row.plan.states)
        if name in narrower
    ]
    state.pop("step", None)
    replaced = {name: value for name, value in state.items() if not _fits(row.state.get(name), value)}
    same = {name: value for name, value in state.items() if name not in replaced and row.state[name].flags.writeable}
    for each in codes:
        same |= each
    actions = [put(row.data, values), *(put(row.state[name], value) for name, value in same.items())]
    if replaced:
        actions += [partial(dict.update, each, replaced) for each in (row.state, row.known) if each is not None]
    actions.append(put(row.state["step"], t))
    return Updated(actions, replaced)


def _copy(value: Any) -> Any:
    """Copy arrays, also those in lists, tuples and dicts; their axes stay in the order of memory."""
    if isinstance(value, np.ndarray):
        return value.copy("K")
    if type(value) in (list, tuple):
        return type(value)(map(_copy, value))
    if type(value) is dict:
        return {key: _copy(each) for key, each in value.items()}
    return value


def _fits(held: Any, value: Any) -> bool:
    """Whether a value can be written into the array that a state holds."""
    return (
        isinstance(held, np.ndarray)
        and isinstance(value, np.ndarray)
        and held.shape == value.shape
        and held.dtype == value.dtype
    )
