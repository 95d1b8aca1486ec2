"""What of a checkpoint belongs to what of a model and an optimizer; all that does not fit is listed at once."""

from __future__ import annotations

import copy
from inspect import signature
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from trainstation.checkpoints.files import Contents
from trainstation.checkpoints.trees import unpack
from trainstation.errors import CheckpointError
from trainstation.optimizers import Optimizer
from trainstation.optimizers.state_dicts import plain_state, settings_of

if TYPE_CHECKING:
    from trainstation.nn import Module

__all__ = ["Matching"]

Array = NDArray[Any]


class Matching:
    """Collects what is wrong, until `finish` raises it."""

    def __init__(self, contents: Contents, *, strict: bool, rename: dict[str, str]) -> None:
        self.contents = contents
        self.strict = strict
        self.rename = rename
        self.wrong: list[str] = []
        self.saved: dict[str, str] = {}  # names of parameters in the file, by those of today
        known = set(contents.document.get("model") or ())
        known |= set((contents.document.get("optimizer") or {}).get("parameters", ()))
        self.wrong += [f"rename: the file has no {name!r}" for name in rename if name not in known]

    def finish(self) -> None:
        """Raise a CheckpointError that lists everything, if anything was wrong."""
        if self.wrong:
            raise CheckpointError("; ".join(self.wrong))

    def _today(self, what: str, names: Any) -> dict[str, str]:
        """Return names of the file by those of today."""
        found: dict[str, str] = {}
        for name in names:
            today = self.rename.get(name, name)
            if today in found:
                self.wrong.append(f"{what}: both {found[today]} and {name} would be {today}")
            found[today] = name
        return found

    def _names(self, what: str, today: Any, saved: Any) -> None:
        """Note what is missing and what is left over."""
        if self.strict:
            self.wrong += [f"{what}: {name} is missing in the file" for name in today if name not in saved]
            self.wrong += [f"{what}: {name} of the file is unexpected" for name in saved if name not in today]

    def model(self, model: Module) -> dict[str, Array]:
        """Return the values of a model's parameters and buffers, as views of the file."""
        saved = self._today("model", self.contents.document["model"])
        places = model.state_dict()
        self._names("model", places, saved)
        values = {}
        for name, tensor in places.items():
            if name in saved:
                value = self.contents.array(f"model/{saved[name]}")
                self._fits(f"model: {name}", value.shape, str(value.dtype), tensor.data)
                values[name] = value
                if not tensor.data.flags.writeable:
                    self.wrong.append(f"model: {name} is read-only")
        return values

    def _fits(self, what: str, shape: tuple[int, ...], dtype: str, data: Array) -> None:
        if shape != data.shape or dtype != str(data.dtype):
            self.wrong.append(f"{what} has shape {shape} and dtype {dtype} in the file, not {data.shape}, {data.dtype}")

    def optimizer(self, optimizer: Optimizer, names: list[list[str]], hypers: str) -> None:
        """Match an optimizer's parameters, and their groups where those of the file are to be restored."""
        document = self.contents.document["optimizer"]
        self.saved = self._today("optimizer", document["parameters"])
        today = [name for row in names for name in row]
        self._names("optimizer", today, self.saved)
        if document["state_dtype"] != optimizer.state_dtype:
            kept = document["state_dtype"]
            self.wrong.append(f"optimizer: state_dtype is {kept!r} in the file, not {optimizer.state_dtype!r}")
        for row, group in zip(names, optimizer.param_groups, strict=True):
            for name, parameter in zip(row, group["params"], strict=True):
                if name in self.saved:
                    said = document["parameters"][self.saved[name]]
                    self._fits(f"optimizer: {name}", tuple(said["shape"]), said["dtype"], parameter.data)
        if hypers == "keep" and not _written(optimizer):
            return
        groups = [{self.rename.get(name, name) for name in group["params"]} for group in document["groups"]]
        common = set(today) & set(self.saved)
        if [group & common for group in groups] != [set(row) & common for row in names]:
            self.wrong.append("optimizer: its parameters are grouped otherwise in the file")

    def state_dict(self, optimizer: Optimizer, names: list[list[str]], hypers: str) -> dict[str, Any]:
        """Return what the optimizer's `load_state_dict` takes; arrays are views of the file."""
        document = self.contents.document["optimizer"]
        written = _written(optimizer)
        groups: list[dict[str, Any]] = []
        state: dict[int, Any] = {}
        number = 0
        for index, (row, group) in enumerate(zip(names, optimizer.param_groups, strict=True)):
            settings = copy.deepcopy(settings_of(group))
            if hypers == "restore" or written:
                saved = unpack(document["groups"][index]["settings"], self.contents.array)
                settings |= saved if hypers == "restore" else {key: saved[key] for key in written}
            groups.append({**settings, "params": list(range(number, number + len(row)))})
            for name, parameter in zip(row, group["params"], strict=True):
                if name not in self.saved:  # it is missing, and may be: it keeps what it has
                    if parameter in optimizer.state:
                        held = optimizer.state[parameter]
                        state[number] = {key: plain_state(value) for key, value in held.items()}
                elif self.saved[name] in document["state"]:
                    state[number] = unpack(document["state"][self.saved[name]], self.contents.array)
                number += 1
        return {"state": state, "param_groups": groups}


def _written(optimizer: Optimizer) -> set[str]:
    """Return what an optimizer itself writes into its groups: what no argument of its class sets."""
    if isinstance(optimizer.base, Optimizer):  # a wrapper's other settings are arguments of its base
        return set()
    return set(optimizer.defaults) - set(signature(type(optimizer)).parameters)
