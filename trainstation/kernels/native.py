"""The compiled module itself; `trainstation.kernels` alone imports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from trainstation._kernels import ffi, lib
except ModuleNotFoundError as error:
    if error.name != "trainstation._kernels":
        raise
    msg = "trainstation's compiled kernels are missing; build them with `pip install -e .` in the folder of its source."
    raise ImportError(msg) from None

__all__ = ["ffi", "lib", "listed"]


def listed(name: Callable[[int], Any]) -> tuple[str, ...]:
    """Read names from C until there is no further one."""
    found: list[str] = []
    while (text := name(len(found))) != ffi.NULL:
        found.append(ffi.string(text).decode())
    return tuple(found)
