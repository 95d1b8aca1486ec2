"""The only door to compiled code: what this machine can run, what is in use, and one call for a whole step.

The instruction set is chosen when it is first needed: the widest that this machine can run, or the one that the
environment variable TRAINSTATION_ISA names (scalar, avx2, avx512, neon).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np

from trainstation.errors import KernelError

try:
    from trainstation._kernels import ffi, lib
except ModuleNotFoundError as error:
    if error.name != "trainstation._kernels":
        raise
    msg = "trainstation's compiled kernels are missing; build them with `pip install -e .` in the folder of its source."
    raise ImportError(msg) from None

__all__ = [
    "MAX_SCALARS",
    "MAX_STATES",
    "SLOT",
    "address",
    "cpu",
    "default_fp_mode",
    "get_include",
    "get_num_threads",
    "isa",
    "isas",
    "power",
    "restore_fp_mode",
    "rule_index",
    "rule_scalars",
    "rule_states",
    "rules",
    "run",
    "set_num_threads",
    "use",
]

MAX_STATES: int = lib.TS_MAX_STATES
MAX_SCALARS: int = lib.TS_MAX_SCALARS

# beta ** t with an absolute error below 1e-15, the same on every machine: power(base, exponent).
power: Callable[[float, int], float] = lib.ts_power


def _slot_dtype() -> np.dtype[Any]:
    """Describe `ts_slot` to NumPy, so that a table of slots is an array whose columns are written at once."""
    formats: dict[str, Any] = {"gscale": np.float64, "rule": np.int32, "dtype": np.int32, "n": np.int64}
    formats["state"] = (np.uintp, MAX_STATES)
    fields = ffi.typeof("ts_slot").fields
    return np.dtype(
        {
            "names": [name for name, _ in fields],
            "formats": [formats.get(name, np.uintp) for name, _ in fields],
            "offsets": [field.offset for _, field in fields],
            "itemsize": ffi.sizeof("ts_slot"),
        }
    )


SLOT = _slot_dtype()


def _listed(name: Callable[[int], Any]) -> tuple[str, ...]:
    """Read names from C until there is no further one."""
    found: list[str] = []
    while (text := name(len(found))) != ffi.NULL:
        found.append(ffi.string(text).decode())
    return tuple(found)


_ISAS = _listed(lib.ts_isa_name)
_RULES = {name: index for index, name in enumerate(_listed(lib.ts_rule_name))}
_forced: ContextVar[int | None] = ContextVar("trainstation_isa", default=None)


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


@cache
def _default() -> int:
    named = os.environ.get("TRAINSTATION_ISA")
    try:
        return _index(named or isas()[-1])
    except KernelError as error:
        msg = f"TRAINSTATION_ISA: {error}"
        raise KernelError(msg) from None


def isa() -> str:
    """Return the name of the instruction set in use; KernelError if TRAINSTATION_ISA names one that is not here."""
    return _ISAS[_active()]


def _active() -> int:
    forced = _forced.get()
    return _default() if forced is None else forced


@contextmanager
def use(name: str) -> Iterator[None]:
    """Use one instruction set inside this context, in this thread; KernelError if it is unknown or not here."""
    token = _forced.set(_index(name))
    try:
        yield
    finally:
        _forced.reset(token)


def rule_states(index: int) -> int:
    """Return how many states a compiled rule takes."""
    count: int = lib.ts_rule_states(index)
    return count


def rule_scalars(index: int) -> int:
    """Return how many scalars a compiled rule takes."""
    count: int = lib.ts_rule_scalars(index)
    return count


def rules() -> dict[str, tuple[int, int]]:
    """Return the compiled rules: name -> (number of states, number of scalars)."""
    return {name: (rule_states(index), rule_scalars(index)) for name, index in _RULES.items()}


def rule_index(name: str | None) -> int | None:
    """Return the index of a compiled rule in the table; None if there is none of that name."""
    return None if name is None else _RULES.get(name)


def address(array: np.ndarray[Any, Any]) -> int:
    """Return where the first element of a contiguous array lies."""
    return int(ffi.cast("uintptr_t", ffi.from_buffer(array)))


def run(table: np.ndarray[Any, Any]) -> None:
    """Run one step over a table of slots (dtype `SLOT`). The caller has checked every slot, and keeps its arrays."""
    lib.ts_step(_active(), ffi.cast("ts_slot *", ffi.from_buffer(table)), len(table))


def default_fp_mode() -> int:
    """Put this thread into the default floating-point mode; return the former one for `restore_fp_mode`."""
    former: int = lib.ts_fp_mode(lib.ts_fp_default)
    return former


def restore_fp_mode(mode: int) -> None:
    """Put this thread into a floating-point mode that `default_fp_mode` returned."""
    lib.ts_fp_mode(mode)


_threads = 1


def set_num_threads(n: int) -> None:
    """Say how many threads a step may use, n >= 1. One thread works until the thread pool is there."""
    global _threads  # noqa: PLW0603  # one setting for the process
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        msg = f"the number of threads is an integer >= 1, not {n!r}"
        raise ValueError(msg)
    _threads = n


def get_num_threads() -> int:
    """Return how many threads a step may use."""
    return _threads


def get_include() -> str:
    """Return the folder to give to a C compiler for `#include "trainstation/trainstation.h"`."""
    from importlib import resources

    return str(resources.files("trainstation") / "include")


def cpu() -> dict[str, Any]:
    """Say what was detected, what is in use, and which rules are compiled."""
    import platform

    features = _listed(lib.ts_feature_name)
    return {
        "arch": platform.machine(),
        "features": [name for index, name in enumerate(features) if lib.ts_feature_present(index)],
        "isa": isa(),
        "isas": list(isas()),
        "rules": sorted(_RULES),
        "threads": get_num_threads(),
    }
