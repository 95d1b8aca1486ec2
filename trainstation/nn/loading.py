"""Filling tensors from saved values by name: everything is checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from trainstation.errors import ShapeError
from trainstation.gradtrack import mark_written
from trainstation.tensor import Tensor

__all__ = ["IncompatibleKeys", "fill"]


class IncompatibleKeys(NamedTuple):
    """What a loading that was not strict has passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def fill(owner: str, places: Mapping[str, Tensor], given: Mapping[str, Any], *, strict: bool) -> IncompatibleKeys:
    """Copy the given values into the tensors of the same names; see `Module.load_state_dict`."""
    values = {name: value.data if isinstance(value, Tensor) else np.asarray(value) for name, value in given.items()}
    keys = IncompatibleKeys([n for n in places if n not in values], [n for n in values if n not in places])
    known = [(name, place.data, values[name]) for name, place in places.items() if name in values]
    shapes = [f"{n} has shape {v.shape}, not {p.shape}" for n, p, v in known if v.shape != p.shape]
    dtypes = [f"{n} has dtype {v.dtype}, not {p.dtype}" for n, p, v in known if not _fits(v, p)]
    wrong = shapes + dtypes
    if strict:
        wrong += [f"{name} is missing" for name in keys.missing_keys]
        wrong += [f"{name} is unexpected" for name in keys.unexpected_keys]
    if wrong:
        msg = f"the state does not fit {owner}: " + "; ".join(wrong)
        raise (ShapeError if shapes else ValueError)(msg)
    for name, place, value in known:
        np.copyto(place, value, casting="same_kind")
        mark_written(places[name])
    return keys


def _fits(value: np.ndarray[Any, Any], place: np.ndarray[Any, Any]) -> bool:
    return np.can_cast(value.dtype, place.dtype, "same_kind")
