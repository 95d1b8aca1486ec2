"""Parameter groups: how parameters are given to an optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import UnlinkedParameterError
from trainstation.optimizers.hyper import Group, require

# Plugins take `require` and `Group` from here.
__all__ = [
    "EXTRAS",
    "Group",
    "Parameter",
    "check_linked",
    "describe",
    "entries_of",
    "gradient_of",
    "make_group",
    "require",
]

Array = NDArray[Any]

# What a group may hold beside its parameters and its optimizer's hyper-parameters.
EXTRAS = frozenset({"params", "param_names", "name", "lr_scale", "initial_lr"})


class Parameter(Protocol):
    """What an optimizer needs of a parameter; `trainstation.Tensor` is one.

    It may have more: `_version` (a list of one counter) or `_bump_version()`, told of a change in place. An optimizer
    holds a gradient while it steps, and only then.
    """

    data: Array

    @property
    def grad(self) -> Any:
        """A gradient of the shape and dtype of `data` (an array, or an object with `.data`), or None."""


def gradient_of(parameter: Any) -> Any:
    """Return the array of a parameter's gradient, or None."""
    gradient = parameter.grad
    if gradient is None or isinstance(gradient, np.ndarray):
        return gradient
    return np.asarray(gradient) if isinstance(gradient, np.generic) else getattr(gradient, "data", gradient)


def describe(group: Group, index: int, position: int) -> str:
    """Name a parameter for an error message."""
    names = group.get("param_names")
    name = f" {names[position]!r}" if names and position < len(names) else ""
    data = getattr(group["params"][position], "data", None)
    kind = f" (shape {data.shape}, {data.dtype})" if isinstance(data, np.ndarray) else ""
    return f"parameter{name or f' {position}'} of group {index}{kind}"


def check_parameter(parameter: Any) -> None:
    """Refuse what is not a parameter: TypeError, or ValueError for the result of a computation."""
    kind = type(parameter)
    if isinstance(parameter, np.ndarray):
        msg = "a NumPy array has no gradient; wrap it: ts.Tensor.from_numpy(array).requires_grad_()"
        raise TypeError(msg)
    if kind.__module__.split(".")[0] == "torch":
        msg = (
            "a torch tensor is no parameter of a native optimizer; take ts.create_optimizer(name, params) or a class "
            "of trainstation.interop.torch, or share memory with a parameter: "
            "ts.Tensor.from_numpy(tensor.detach().numpy()).requires_grad_()"
        )
        raise TypeError(msg)
    data = getattr(parameter, "data", None)
    if not isinstance(data, np.ndarray) or not hasattr(parameter, "grad"):
        msg = f"a parameter needs `.data` (a NumPy array) and `.grad`; {kind.__name__} is not one"
        raise TypeError(msg)
    if kind.__hash__ is not object.__hash__:  # type: ignore[comparison-overlap]  # mypy sees two signatures
        msg = (
            f"parameters are told apart by identity; {kind.__name__} must keep object's __hash__ (dataclass: eq=False)"
        )
        raise TypeError(msg)
    if data.dtype not in (np.float32, np.float64) or not data.dtype.isnative:
        msg = f"a parameter is float32 or float64, not {data.dtype}"
        raise TypeError(msg)
    if not getattr(parameter, "is_leaf", True):
        msg = "can't optimize a non-leaf Tensor: this one is the result of a computation; link what it was made from"
        raise ValueError(msg)


def as_groups(params: Iterable[Any]) -> list[Group]:
    """Read an optimizer's first argument: a module, parameters, (name, parameter) pairs, or dicts with "params"."""
    if _is_module(params):
        return [{"params": params}]
    if isinstance(params, np.ndarray | str | Mapping) or hasattr(params, "grad"):
        msg = (
            "params argument given to the optimizer should be an iterable of Tensors or dicts, "
            f"but got {type(params).__name__}"
        )
        raise TypeError(msg)
    _check_ordered(params)
    entries = list(params)
    if not entries:
        msg = "optimizer got an empty parameter list"
        raise ValueError(msg)
    return entries if isinstance(entries[0], dict) else [{"params": entries}]


def _is_module(params: Any) -> bool:
    return callable(getattr(params, "named_parameters", None))


def entries_of(params: Any) -> list[tuple[str | None, Any]]:
    """Return names (None: it has none) and parameters of a module, of one parameter, or of several, or pairs."""
    if _is_module(params):
        return list(params.named_parameters())
    if hasattr(params, "grad"):
        return [(None, params)]
    return [entry if isinstance(entry, tuple) else (None, entry) for entry in params]


def _check_ordered(params: Iterable[Any]) -> None:
    if isinstance(params, set | frozenset):
        msg = "optimizer parameters need to be organized in ordered collections, not in a set"
        raise TypeError(msg)


def make_group(given: Group, defaults: Mapping[str, Any], linked: Sequence[Any], index: int = 0) -> Group:
    """Complete one group with the defaults.

    Args:
        given: "params" (one parameter, a module, or an iterable of parameters or (name, parameter) pairs) and its own
            hyper-parameters.
        defaults: the optimizer's hyper-parameters.
        linked: the parameters that the optimizer has already.
        index: which group it will be.

    Raises:
        TypeError: an unknown key, or something that is not a parameter.
        ValueError: a parameter that is linked already.

    """
    if not isinstance(given, dict):
        msg = f"param_group must be a dict, but got {type(given).__name__}"
        raise TypeError(msg)
    if "params" not in given:
        msg = 'a parameter group needs the key "params"'
        raise ValueError(msg)
    unknown = sorted(set(given) - set(defaults) - EXTRAS)
    if unknown:
        msg = f"unknown key {unknown[0]!r} in a parameter group; known are {', '.join(defaults)}"
        raise TypeError(msg)
    params = given["params"]
    _check_ordered(params)
    pairs = entries_of(params)
    if _is_module(params) and not pairs:
        msg = f"{type(params).__name__} has no parameters"
        raise ValueError(msg)
    named = [name for name, _ in pairs if name is not None]
    if named and len(named) != len(pairs):
        msg = "either all parameters of a group have names or none"
        raise ValueError(msg)
    group = {**defaults, **given, "params": [parameter for _, parameter in pairs]}
    if named:
        group["param_names"] = named
    if len(group.get("param_names", pairs)) != len(pairs):
        msg = f"{len(pairs)} parameters were given, and {len(group['param_names'])} param_names"
        raise ValueError(msg)
    known = set(map(id, linked))
    for position, parameter in enumerate(group["params"]):
        check_parameter(parameter)
        if id(parameter) in known:
            name = describe(group, index, position)
            msg = f"some parameters appear in more than one parameter group, or twice in one: {name}"
            raise ValueError(msg)
        known.add(id(parameter))
    return group


def check_linked(groups: Sequence[Group], parameters: Any) -> list[Parameter]:
    """Return a list of parameters, all of which are in these groups.

    Raises:
        TypeError: it is no list of parameters.
        UnlinkedParameterError: one is in no group.

    """
    if hasattr(parameters, "grad") or not isinstance(parameters, Iterable):
        msg = f"a list of parameters is needed, as in step([p]), not {type(parameters).__name__}"
        raise TypeError(msg)
    given = list(parameters)
    linked = {id(parameter) for group in groups for parameter in group["params"]}
    for position, parameter in enumerate(given):
        if id(parameter) not in linked:
            check_parameter(parameter)
            shape = parameter.data.shape
            msg = f"parameter {position} of the list (shape {shape}) is not linked; add_parameter() links it"
            raise UnlinkedParameterError(msg)
    return given
