"""`load`: everything is checked before anything is touched."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from trainstation import random
from trainstation.checkpoints.files import Contents, Path, read
from trainstation.checkpoints.matching import Matching
from trainstation.checkpoints.naming import class_of, names_of
from trainstation.checkpoints.trees import unpack
from trainstation.errors import CheckpointError
from trainstation.optimizers import Optimizer
from trainstation.optimizers.state_dicts import settings_of

if TYPE_CHECKING:
    from trainstation.nn import Module

__all__ = ["load"]

# What a file that is whole, but says what no `save` says, makes of the code that reads it.
FORGED = (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


def load(
    path: Path,
    *,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    scheduler: Any = None,
    average: Any = None,
    strict: bool = True,
    rename: Mapping[str, str] | None = None,
    hypers: str = "restore",
    by: str = "name",
    restore_random: bool | None = None,
) -> Any:
    """Fill a model, an optimizer, a scheduler and an average with what `save` wrote; what is not given is passed over.

    Parameters are matched by name; shapes and dtypes must be equal: nothing is cast. No code of the file is run, and
    nothing is imported for it. A failed load leaves everything as it was.

    Args:
        path: of the file.
        model: its parameters and saved buffers are written in place.
        optimizer: of the class that was saved, over the same parameters.
        scheduler: its `load_state_dict` gets what its `state_dict` gave.
        average: likewise.
        strict: whether names may be neither missing nor left over.
        rename: the names of today by those of the file, of model and optimizer.
        hypers: "restore" the groups' hyper-parameters, or "keep" those of today, but for what the optimizer itself
            writes into its groups.
        by: "order" matches the optimizer's parameters by their order.
        restore_random: whether the shared random stream goes on from where it was; by default if an optimizer is given.

    Returns:
        `extra`, as it was saved; tensors come as arrays.

    Raises:
        CheckpointError: the file is damaged or no checkpoint, or does not fit; the message lists all that does not.

    """
    if hypers not in ("restore", "keep"):
        msg = f"hypers is 'restore' or 'keep', not {hypers!r}"
        raise ValueError(msg)
    contents = read(path)
    with nullcontext() if optimizer is None else optimizer.hold_steps():
        names = [] if optimizer is None else names_of(optimizer, model, by)
        try:
            _require(contents.document, model=model, optimizer=optimizer, scheduler=scheduler, average=average)
            matching = Matching(contents, strict=strict, rename=dict(rename or {}))
            values = {} if model is None else matching.model(model)
            if optimizer is not None:
                matching.optimizer(optimizer, names, hypers)
            matching.finish()
            extra = unpack(contents.document["extra"], _copies(contents))
            stream = contents.document["random"]
            random.generator(0).set_state(stream)  # it is a state, or an error
            parts = [
                (part, unpack(contents.document[name], _copies(contents)))
                for name, part in (("scheduler", scheduler), ("average", average))
                if part is not None
            ]
            _apply(matching, optimizer, names, hypers, parts)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error  # noqa: EM102, TRY003  # the message is the other's
        except (*FORGED, np.exceptions.DTypePromotionError) as error:
            msg = f"{path}: {type(error).__name__}: {error}"
            raise CheckpointError(msg) from error
        if model is not None:
            model.load_state_dict(values, strict=False)  # all was checked
        if restore_random or (restore_random is None and optimizer is not None):
            random.set_state(stream)
    return extra


def _require(document: Mapping[str, Any], **given: Any) -> None:
    for what, value in given.items():
        if value is not None and what not in document:
            msg = f"no {what} was saved in it"
            raise CheckpointError(msg)
    if given["optimizer"] is not None and document["optimizer"]["class"] != class_of(given["optimizer"]):
        saved = document["optimizer"]
        msg = f"it holds the state of {saved['class']} ({saved['name']}), not of {class_of(given['optimizer'])}"
        raise CheckpointError(msg)


def _copies(contents: Contents) -> Any:
    return lambda name: contents.array(name).copy()


def _apply(
    matching: Matching, optimizer: Optimizer | None, names: list[list[str]], hypers: str, parts: list[tuple[Any, Any]]
) -> None:
    """Fill all or none; the optimizer comes last, for the rates that a scheduler writes are its own."""
    groups = [group for part, _ in parts for group in getattr(getattr(part, "optimizer", None), "param_groups", ())]
    former = [copy.deepcopy(part.state_dict()) for part, _ in parts]
    settings = [copy.deepcopy(settings_of(group)) for group in groups]
    try:
        for part, state in parts:
            part.load_state_dict(state)
        if optimizer is not None:
            optimizer.load_state_dict(matching.state_dict(optimizer, names, hypers))
    except BaseException:
        for (part, _), state in zip(parts, former, strict=True):
            part.load_state_dict(state)
        for group, setting in zip(groups, settings, strict=True):
            for name in set(settings_of(group)) - set(setting):
                del group[name]
            group.update(setting)
        raise
