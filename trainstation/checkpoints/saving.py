"""`save`: what a run needs to go on, in one file."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainstation import random
from trainstation.checkpoints.files import Path, write
from trainstation.checkpoints.layout import FORMAT
from trainstation.checkpoints.naming import class_of, described, names_of
from trainstation.checkpoints.trees import pack
from trainstation.errors import CheckpointError
from trainstation.optimizers import Optimizer
from trainstation.optimizers.state_dicts import settings_of
from trainstation.version import __version__

if TYPE_CHECKING:
    from trainstation.nn import Module

__all__ = ["save"]

Array = NDArray[Any]


def save(
    path: Path,
    *,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    scheduler: Any = None,
    average: Any = None,
    extra: Any = None,
    by: str = "name",
) -> None:
    """Save what a run needs to go on, and where the shared random stream stands, in one file of safetensors.

    On disk is always the old file or the new one, whenever the process dies. No step of the optimizer runs meanwhile.

    Args:
        path: of the file; what is there is replaced, with its permissions.
        model: its parameters and saved buffers.
        optimizer: its states, counters and groups. Parameters are named by the model, or as they were linked.
        scheduler: whatever has a `state_dict()` of what `extra` may hold.
        average: likewise, as `trainstation.EMA`.
        extra: nested lists, tuples, dicts, None, numbers, strings, arrays and tensors, which `load` returns.
        by: "order" numbers the optimizer's parameters instead of naming them.

    Raises:
        CheckpointError: something cannot be named, held or written; what was there is as it was.

    """
    arrays: dict[str, Array] = {}
    document: dict[str, Any] = {"format": FORMAT, "version": __version__}
    with nullcontext() if optimizer is None else optimizer.hold_steps():
        try:
            if model is not None:
                held = {name: tensor.data for name, tensor in model.state_dict().items()}
                document["model"] = list(held)
                arrays.update({f"model/{name}": data for name, data in held.items()})
            bfloat16: frozenset[str] = frozenset()
            if optimizer is not None:
                document["optimizer"], bfloat16 = _optimizer(optimizer, names_of(optimizer, model, by), arrays)
            for name, part in (("scheduler", scheduler), ("average", average)):
                if part is not None:
                    document[name] = pack(part.state_dict(), name, arrays)
            document["random"] = random.get_state()
            document["extra"] = pack(extra, "extra", arrays)
        except RecursionError as error:
            msg = "what is to be saved holds itself, or is nested too deeply"
            raise CheckpointError(msg) from error
        write(path, document, arrays, bfloat16)


def _optimizer(
    optimizer: Optimizer, names: list[list[str]], arrays: dict[str, Array]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return what the document says of an optimizer, and which arrays are of bfloat16."""
    groups, states, parameters = [], {}, {}
    for index, (row, group) in enumerate(zip(names, optimizer.param_groups, strict=True)):
        groups.append({"params": row, "settings": pack(settings_of(group), f"groups.{index}", arrays)})
        for name, parameter in zip(row, group["params"], strict=True):
            parameters[name] = {"shape": list(parameter.data.shape), "dtype": str(parameter.data.dtype)}
            if parameter in optimizer.state:
                state = {key: _counted(value) for key, value in optimizer.state[parameter].items()}
                states[name] = pack(state, f"optimizer/{name}", arrays)
    bfloat16 = (
        name
        for name, array in arrays.items()
        if optimizer.state_dtype == "bfloat16" and name.startswith("optimizer/") and array.dtype == np.uint16
    )
    document = {
        **described(optimizer),
        "class": class_of(optimizer),
        "state_dtype": optimizer.state_dtype,
        "groups": groups,
        "parameters": parameters,
        "state": states,
    }
    return document, frozenset(bfloat16)


def _counted(value: Any) -> Any:
    """Return a counter as an int, as `state_dict` does."""
    return int(value) if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype == np.int64 else value
