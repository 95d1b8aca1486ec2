"""Instruction sets: which are here, and which one is in use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from trainstation.errors import KernelError
from trainstation.kernels.native import lib, listed
from trainstation.kernels.threads import get_num_threads

__all__ = ["active", "cpu", "get_include", "isa", "isa_name", "isas", "use"]

_ISAS = listed(lib.ts_isa_name)
_chosen: int | None = None
_forced: ContextVar[int | None] = ContextVar("trainstation_isa", default=None)


@cache
def isas() -> tuple[str, ...]:
    """Return the instruction sets that can be used here, from the plainest to the widest."""
    return tuple(name for index, name in enumerate(_ISAS) if lib.ts_isa_usable(index))


def _index(name: str) -> int:
    if name not in _ISAS:
        msg = f"unknown instruction set {name!r}; known are {', '.join(_ISAS)}"
        raise KernelError(msg)
    if name not in isas():
        msg = f"this machine cannot run {name}; it can run {', '.join(isas())}"
        raise KernelError(msg)
    return _ISAS.index(name)


def _default() -> int:
    """Choose the instruction set that is used where none is forced."""
    global _chosen  # noqa: PLW0603  # once for the process; every step asks
    named = os.environ.get("TRAINSTATION_ISA")
    try:
        _chosen = _index(named or isas()[-1])
    except KernelError as error:
        msg = f"TRAINSTATION_ISA: {error}"
        raise KernelError(msg) from None
    return _chosen


def active() -> int:
    """Return the index of the instruction set in use; KernelError if TRAINSTATION_ISA names one that is not here."""
    forced = _forced.get()
    if forced is not None:
        return forced
    return _default() if _chosen is None else _chosen


def isa_name(index: int) -> str:
    """Return the name of an instruction set."""
    return _ISAS[index]


def isa() -> str:
    """Return the name of the instruction set in use; KernelError if TRAINSTATION_ISA names one that is not here."""
    return _ISAS[active()]


@contextmanager
def use(name: str) -> Iterator[None]:
    """Use one instruction set inside this context, in this thread; KernelError if it is unknown or not here."""
    token = _forced.set(_index(name))
    try:
        yield
    finally:
        _forced.reset(token)


def get_include() -> str:
    """Return the folder to give to a C compiler for `#include "trainstation/trainstation.h"`."""
    from importlib import resources

    return str(resources.files("trainstation") / "include")


def cpu() -> dict[str, Any]:
    """Say what was detected, what is in use, and which rules are compiled."""
    import platform

    from trainstation.kernels.rules import rules

    features = listed(lib.ts_feature_name)
    return {
        "arch": platform.machine(),
        "features": [name for index, name in enumerate(features) if lib.ts_feature_present(index)],
        "isa": isa(),
        "isas": list(isas()),
        "rules": sorted(rules()),
        "threads": get_num_threads(),
    }
