"""Which name a parameter of an optimizer has in a checkpoint, and which class an optimizer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainstation.errors import CheckpointError
from trainstation.optimizers.groups import describe
from trainstation.registry.lookup import entry_of
from trainstation.registry.names import current

if TYPE_CHECKING:
    from trainstation.nn import Module
    from trainstation.optimizers import Optimizer

__all__ = ["class_of", "described", "names_of"]


def names_of(optimizer: Optimizer, model: Module | None, by: str) -> list[list[str]]:
    """Return the name of each parameter of each group: the model's, that it was linked under, or (by order) its number.

    Raises:
        CheckpointError: a parameter has no name, or two have the same.

    """
    if by not in ("name", "order"):
        msg = f"by is 'name' or 'order', not {by!r}"
        raise ValueError(msg)
    known = {} if model is None else {id(parameter): name for name, parameter in model.named_parameters()}
    names: list[list[str]] = []
    count = 0
    for index, group in enumerate(optimizer.param_groups):
        linked = group.get("param_names") or [None] * len(group["params"])
        row: list[str] = []
        for position, parameter in enumerate(group["params"]):
            name = str(count) if by == "order" else known.get(id(parameter), linked[position])
            if name is None:
                which = describe(group, index, position)
                why = "is not the model's" if known else "has no name; pass model="
                msg = f"{which} {why}, or match by order: by='order'"
                raise CheckpointError(msg)
            row.append(name)
            count += 1
        names.append(row)
    every = [name for row in names for name in row]
    if len(set(every)) != len(every):
        twice = next(name for name in every if every.count(name) > 1)
        msg = f"two parameters of the optimizer are named {twice!r}"
        raise CheckpointError(msg)
    return names


def class_of(optimizer: Optimizer) -> str:
    """Return what tells an optimizer's class from others: its top package, for it may move there, and its name."""
    kind = type(optimizer)
    return f"{kind.__module__.partition('.')[0]}:{kind.__qualname__}"


def described(optimizer: Optimizer) -> dict[str, Any]:
    """Return name and distribution of an optimizer, from what is registered already; nothing is imported."""
    kind = type(optimizer)
    entry = entry_of(kind)
    if entry is not None:
        return {"name": entry.spec.name, "distribution": entry.distribution}
    package = kind.__module__.partition(".")[0]
    return {"name": kind.__qualname__.lower(), "distribution": current(package.replace("_", "-"))}
