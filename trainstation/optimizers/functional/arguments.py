"""The arguments of a functional step: arrays of one call, in lists, tuples and dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import MissingGradientError, ShapeError

__all__ = ["Arguments", "Array", "Arrays", "Path", "State", "SupportsDLPack", "name_at"]

Array = NDArray[Any]
State = dict[Any, Any]
Path = tuple[Any, ...]


class SupportsDLPack(Protocol):
    """An array of any library that `numpy.from_dlpack` can look at."""

    def __dlpack__(self) -> Any: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


Arrays: TypeAlias = "Array | SupportsDLPack | Sequence[Arrays] | Mapping[Any, Arrays]"


class Arguments:
    """The arguments of a call, an entry for each parameter.

    Attributes:
        paths: the keys that lead to it.
        ps: values.
        gs: gradients.
        states: its own part of the state.
        new_states: a dict, a key, and the state that is to be put there if all goes well.

    """

    __slots__ = ("gs", "new_states", "paths", "ps", "states")

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.ps: list[Array] = []
        self.gs: list[Array] = []
        self.states: list[State] = []
        self.new_states: list[tuple[State, Any, State]] = []

    def add(self, path: Path, p: Any, g: Any, state: Any) -> None:
        """Add an array and what belongs to it, or all that is in a list, a tuple or a mapping."""
        if not isinstance(state, dict):
            msg = f"{name_at('state', path)} must be a dict, empty at first, not {type(state).__name__}"
            raise TypeError(msg)
        if not isinstance(p, np.ndarray) and isinstance(p, list | tuple | Mapping):
            self._add_all(path, p, g, state)
            return
        if g is None:
            msg = f"{name_at('g', path)} is None; leave out of p and g what has no gradient"
            raise MissingGradientError(msg)
        self.paths.append(path)
        self.ps.append(p if isinstance(p, np.ndarray) else _borrowed("p", path, p))
        self.gs.append(g if isinstance(g, np.ndarray) else _borrowed("g", path, g))
        self.states.append(state)

    def _add_all(self, path: Path, p: Any, g: Any, state: State) -> None:
        if not isinstance(g, Mapping if isinstance(p, Mapping) else list | tuple):
            name = name_at("p", path)
            msg = f"{name_at('g', path)} must be a {type(p).__name__}, as {name} is, not {type(g).__name__}"
            raise TypeError(msg)
        keys, given = (each.keys() if isinstance(each, Mapping) else range(len(each)) for each in (p, g))
        if keys != given:
            msg = f"{name_at('g', path)} must have the entries of {name_at('p', path)}, {list(keys)}, not {list(given)}"
            raise ShapeError(msg)
        for key in keys:
            child = state.get(key)
            if child is None:
                child = {}
                self.new_states.append((state, key, child))
            self.add((*path, key), p[key], g[key], child)

    def check(self) -> None:
        """Raise an error that names the argument unless all values can be stepped along their gradients."""
        if not self.ps:
            msg = "p has no arrays"
            raise ValueError(msg)
        for path, p, g in zip(self.paths, self.ps, self.gs, strict=True):
            p_name, g_name = name_at("p", path), name_at("g", path)
            if p.dtype not in (np.float32, np.float64) or not p.dtype.isnative:
                msg = f"{p_name} must be float32 or float64, not {p.dtype}"
                raise TypeError(msg)
            if g.dtype != p.dtype:
                msg = f"{g_name} has dtype {g.dtype}, {p_name} {p.dtype}"
                raise TypeError(msg)
            if g.shape != p.shape:
                msg = f"{g_name} has shape {g.shape}, {p_name} {p.shape}"
                raise ShapeError(msg)
            if not p.flags.writeable:
                msg = f"{p_name} is read-only, as JAX's arrays are; copy it once, p = np.array(p), and step the copy"
                raise TypeError(msg)


def name_at(argument: str, path: Path) -> str:
    """Name an entry of an argument for an error message."""
    return argument + "".join(f"[{key!r}]" for key in path)


def _borrowed(argument: str, path: Path, given: Any) -> Array:
    """Return an array over another library's memory, or of a gradient that is a NumPy number."""
    if argument == "g" and isinstance(given, np.generic):
        return np.asarray(given)
    name, kind = name_at(argument, path), type(given).__name__
    if not hasattr(given, "__dlpack__"):
        msg = f"{name} must be a NumPy array or one that speaks DLPack, not {kind}"
        raise TypeError(msg)
    try:
        return np.from_dlpack(given)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        msg = f"{name}, a {kind}, cannot be seen as an array in a CPU's memory: {error}"
        raise TypeError(msg) from error
