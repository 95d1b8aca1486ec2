"""Parameter groups: how parameters are given to an optimizer, and what their hyper-parameters may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Group",
    "Parameter",
    "check_hyper",
    "describe",
    "entries_of",
    "gradient_of",
    "make_group",
    "require",
    "scaled",
]

Array = NDArray[Any]
Group = dict[str, Any]

# A scalar is rounded to float32 for float32 parameters; it must be finite there, and eps must not become 0.
FLOAT32_MAX = float(np.finfo(np.float32).max)
FLOAT32_ZERO = 2.0**-150
# What a group may hold beside its parameters and its optimizer's hyper-parameters.
EXTRAS = frozenset({"params", "param_names", "name", "lr_scale", "initial_lr"})


class Parameter(Protocol):
    """What an optimizer needs of a parameter; `trainstation.Tensor` is one.

    It may have more: `_version` (a list of one counter) or `_bump_version()`, told of a change in place; `_grad` (what
    `grad` gives) with `_hold`, in which an optimizer notes the gradient that it holds, for whoever counts references.
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


def _finite(value: float) -> bool:
    return -FLOAT32_MAX <= value <= FLOAT32_MAX


def _fraction(value: float) -> bool:
    return 0 <= value < 1


def _not_negative(value: float) -> bool:
    return 0 <= value <= FLOAT32_MAX


def _positive(value: float) -> bool:
    return FLOAT32_ZERO < value <= FLOAT32_MAX


# Hyper-parameters that many optimizers share: torch's words, and what is allowed. NaN fails every comparison.
CHECKS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "lr": ("learning rate", _not_negative),
    "lr_scale": ("lr_scale value", _not_negative),
    "eps": ("epsilon value", _positive),
    "weight_decay": ("weight_decay value", _not_negative),
    "momentum": ("momentum value", _not_negative),
    "dampening": ("dampening value", _finite),
    "alpha": ("alpha value", _not_negative),
}


def _number(name: str, value: object) -> float:
    if type(value) is float or type(value) is int:
        return value
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    msg = f"{name} must be a number, not {type(value).__name__}"
    raise TypeError(msg)


def require(is_valid: bool, what: str, *values: object) -> None:
    """Raise a ValueError in torch's words unless a hyper-parameter is valid; for `validate`.

    >>> require(0 <= 1.5 < 1, "momentum value", 1.5)
    Traceback (most recent call last):
    ValueError: Invalid momentum value: 1.5

    """
    if not is_valid:
        msg = f"Invalid {what}: {', '.join(map(str, values))}"
        raise ValueError(msg)


def check_hyper(hyper: Mapping[str, Any]) -> None:
    """Check every hyper-parameter of a group whose meaning is common to all optimizers.

    Raises:
        TypeError: one is not a number.
        ValueError: one is NaN, infinite or out of its range; torch's wording.

    """
    for name, (words, allowed) in CHECKS.items():
        if name in hyper:
            require(allowed(_number(name, hyper[name])), words, hyper[name])
    if "betas" in hyper:
        betas = hyper["betas"]
        if not isinstance(betas, Iterable) or isinstance(betas, str):
            msg = f"betas must be numbers in a tuple, not {betas!r}"
            raise TypeError(msg)
        for index, beta in enumerate(betas):
            require(_fraction(_number(f"betas[{index}]", beta)), f"beta parameter at index {index}", beta)


def scaled(group: Group) -> Group:
    """Return the hyper-parameters of one step: its rate multiplied by `lr_scale` (layer decay), all in double."""
    changed: dict[str, Any] = {}
    for name in CHECKS.keys() & group.keys():
        if type(group[name]) is not float and isinstance(group[name], Real):  # Adafactor's eps is a pair
            changed[name] = float(group[name])  # NumPy's float32 would drag its precision along
    if "betas" in group:
        changed["betas"] = tuple(map(float, group["betas"]))
    if "lr_scale" in group:
        changed["lr"] = float(group["lr"]) * float(group["lr_scale"])
        if not _not_negative(changed["lr"]):
            msg = f"Invalid learning rate: {group['lr']} times lr_scale {group['lr_scale']}"
            raise ValueError(msg)
    return {**group, **changed}


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
