"""Nested values as JSON beside arrays, and back: what states, schedulers and `extra` hold. Runs no stranger's code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import CheckpointError
from trainstation.tensor import Tensor

__all__ = ["pack", "unpack"]

Array = NDArray[Any]


def pack(value: Any, place: str, arrays: dict[str, Array]) -> Any:
    """Return what JSON can hold of a value; its arrays are put into `arrays`, under names that begin with `place`.

    Lists, tuples, dicts, None, numbers, strings, arrays and tensors (as arrays) come back as they were.

    Raises:
        CheckpointError: the value holds something else; the message says where.

    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, Tensor | np.ndarray | np.generic):
        while place in arrays:  # "a.b" of one dict, and "b" of the dict "a"
            place += "'"
        arrays[place] = np.asarray(value.data if isinstance(value, Tensor) else value)
        return {"$scalar" if isinstance(value, np.generic) else "$array": place}
    if type(value) in (list, tuple) or isinstance(value, list):
        items = [pack(each, f"{place}.{index}", arrays) for index, each in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, Mapping):
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: pack(each, f"{place}.{key}", arrays) for key, each in value.items()}
        # Keys that JSON has not, in pairs; numbered, as the texts of two keys may be equal.
        pairs = enumerate(value.items())
        return {"$dict": [[pack(k, f"{place}.{i}k", arrays), pack(v, f"{place}.{i}", arrays)] for i, (k, v) in pairs]}
    msg = f"{place}: a checkpoint holds numbers, strings, lists, dicts and arrays, not {type(value).__name__}"
    raise CheckpointError(msg)


def unpack(value: Any, take: Callable[[str], Any]) -> Any:
    """Return what `pack` was given; `take` gives the array of a name."""
    if isinstance(value, list):
        return [unpack(each, take) for each in value]
    if not isinstance(value, dict):
        return value
    if not any(key.startswith("$") for key in value):
        return {key: unpack(each, take) for key, each in value.items()}
    tag, content = next(iter(value.items()))
    if len(value) == 1:
        if tag == "$float" and content in ("inf", "-inf", "nan"):
            return float(content)
        if tag == "$array" and isinstance(content, str):
            return take(content)
        if tag == "$scalar" and isinstance(content, str):
            return take(content)[()]
        if tag == "$tuple" and isinstance(content, list):
            return tuple(unpack(each, take) for each in content)
        if tag == "$dict" and isinstance(content, list):
            return {unpack(key, take): unpack(each, take) for key, each in content}
    msg = f"a value is tagged {sorted(value)}, which means nothing"
    raise CheckpointError(msg)
