"""One call for a whole step, and what it is made of."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import KernelError
from trainstation.kernels.arrays import address
from trainstation.kernels.isa import active
from trainstation.kernels.native import ffi, lib
from trainstation.kernels.objects import OFFSETS, REFERENCE, watch
from trainstation.kernels.rules import find_rule
from trainstation.kernels.threads import get_num_threads

__all__ = [
    "BFLOAT16_STATE",
    "BLOCK",
    "DEFAULT_FP_MODE",
    "DONE",
    "EIGHT_BIT_STATE",
    "FLOAT32",
    "FLOAT64",
    "NONFINITE",
    "OTHER",
    "SLOT",
    "Call",
    "Scalars",
    "default_fp_mode",
    "power",
    "restore_fp_mode",
    "run_rule",
    "squares",
]

Array = NDArray[Any]

MAX_STATES: int = lib.TS_MAX_STATES
MAX_SCALARS: int = lib.TS_MAX_SCALARS
BLOCK: int = lib.TS_BLOCK  # elements that share a scale in 8-bit state
FLOAT32, FLOAT64, BFLOAT16_STATE, EIGHT_BIT_STATE = range(4)  # enum ts_format

# What comes of a call.
DONE, STALE, OTHER, MOVED, NONFINITE = 0, lib.TS_STALE, lib.TS_OTHER, lib.TS_MOVED, lib.TS_NONFINITE

# beta ** t with an absolute error below 1e-15, the same on every machine: power(base, exponent).
power: Callable[[float, int], float] = lib.ts_power

_step = lib.ts_step


def _slot_dtype() -> np.dtype[Any]:
    """Describe `ts_slot` to NumPy, so that a table of slots is an array whose columns are written at once."""
    formats: dict[str, Any] = {"gscale": np.float64, "rule": np.int32, "format": np.int32}
    formats |= {"n": np.int64, "first": np.int64}
    formats["state"] = formats["scale"] = (np.uintp, MAX_STATES)
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


class Scalars:
    """Room for the scalars of several runs of slots; each run has one group and one t."""

    SIZE: int = ffi.sizeof("ts_scalars")

    def __init__(self, runs: int) -> None:
        self._buffer = bytearray(runs * self.SIZE)
        self.start = address(self._buffer)

    def writer(self, run: int, count: int) -> Callable[..., None]:
        """Return a function that takes t and the `count` scalars of a run; struct.error if they are not so many."""
        return partial(struct.Struct(f"=q{count}d").pack_into, self._buffer, run * self.SIZE)


class Call:
    """One step over a table of slots (dtype `SLOT`), which may be made again and again."""

    __slots__ = ("_arrays", "_averages", "_call", "_partial", "_references", "_slots", "isa")

    def __init__(self, slots: Array, written: Sequence[Array] = (), references: Array | None = None) -> None:
        """Take the slots, the arrays that they write to, and references (dtype `REFERENCE`) that must stay as they are.

        Who made them has checked them, and keeps all objects.
        """
        references = np.zeros(0, REFERENCE) if references is None else references
        room = (int(slots[-1]["first"] + slots[-1]["n"]) // lib.TS_CHUNK if len(slots) else 0) + len(slots) + 1
        self._slots, self._partial, self._arrays, self._references = slots, np.empty(room), watch(written), references
        self._call = ffi.new("ts_call *")
        self._call.slots = ffi.cast("ts_slot *", ffi.from_buffer(slots))
        self._call.n_slots = len(slots)
        self._call.partial = ffi.cast("double *", ffi.from_buffer(self._partial))
        self._call.clip = 1.0
        self._call.references = ffi.cast("ts_reference *", ffi.from_buffer(references))
        self._call.n_references = len(references)
        if OFFSETS is not None:
            self._call.arrays = ffi.cast("ts_array *", ffi.from_buffer(self._arrays))
            self._call.n_arrays = len(self._arrays)
            self._call.data_offset, self._call.flags_offset = OFFSETS

    def __call__(self) -> int:
        """Step, in the instruction set and on the threads of the moment: DONE, or else nothing was done.

        STALE: a counter is not t - 1. OTHER: a reference is to something else. MOVED: an array that is written to is
        read-only now, or elsewhere.
        """
        self.isa = isa = active()  # of the last step
        result: int = _step(self._call, isa, get_num_threads())
        return result

    def measured(self, max_norm: float | None, stop: bool) -> int:
        """Step after a look at all gradients: scaled to a norm; NONFINITE if told to stop where one is not finite."""
        self._call.max_norm = max_norm or 0.0
        self._call.check = lib.TS_NORM | (lib.TS_FINITE if stop else 0)
        try:
            return self()
        finally:
            self._call.check, self._call.clip = 0, 1.0

    def scaled(self, clip: float) -> int:
        """Step with all gradients multiplied by a factor that is known already."""
        self._call.clip = clip
        try:
            return self()
        finally:
            self._call.clip = 1.0

    def take_averages(self, arrays: Sequence[Array] | None) -> None:
        """Have each step move these towards the new values, one for each slot, contiguous; None: no more."""
        self._averages = None if arrays is None else np.array([address(array) for array in arrays], np.uintp)
        of = ffi.NULL if self._averages is None else ffi.from_buffer(self._averages)
        self._call.averages = ffi.cast("void *const *", of)

    def weigh(self, weight: float) -> None:
        """Set the weight of the new values in the averages of the next step; with 1 they are copied."""
        self._call.weight = weight

    @property
    def wrong_slot(self) -> int:
        """The first slot whose gradient is not finite, after NONFINITE."""
        slot: int = self._call.slot
        return slot

    @property
    def norm(self) -> float:
        """The norm of all gradients in the last measured step."""
        norm: float = self._call.norm
        return norm


def squares(array: Array) -> float:
    """Return the sum of the squares of a contiguous float array, in the order that every step adds them."""
    total: float = lib.ts_squares(active(), ffi.from_buffer(array), array.dtype == np.float64, array.size)
    return total


def run_rule(
    rule: str,
    p: Array,
    g: Array,
    states: Sequence[Array],
    scalars: Sequence[float] = (),
    *,
    t: int = 1,
    gscale: float = 1.0,
    scales: Sequence[Array | None] | None = None,
) -> None:
    """Run one rule over contiguous arrays, in place.

    The states are arrays of the dtype of `p`; with `scales` they are 8-bit codes (one array of scales each, None for
    an exact one), and of uint16 they are bfloat16. KernelError if there is no such rule.
    """
    found = find_rule(rule)
    if found is None:
        msg = f"there is no compiled rule {rule!r}"
        raise KernelError(msg)
    step = np.array([t - 1], np.int64)
    room = Scalars(1)
    room.writer(0, found.n_scalars)(t, *scalars)
    slots = np.zeros(1, SLOT)
    slot = slots[0]
    slot["p"], slot["g"], slot["step"], slot["scalars"] = address(p), address(g), address(step), room.start
    slot["state"][: len(states)] = [address(state) for state in states]
    slot["n"], slot["gscale"], slot["rule"] = p.size, gscale, found.index
    slot["format"] = FLOAT64 if p.dtype == np.float64 else FLOAT32
    if scales is not None:
        slot["scale"][: len(scales)] = [0 if scale is None else address(scale) for scale in scales]
        slot["format"] = EIGHT_BIT_STATE
    elif any(state.dtype == np.uint16 for state in states):
        slot["format"] = BFLOAT16_STATE
    Call(slots)()


DEFAULT_FP_MODE: int = lib.ts_fp_default


# Puts this thread into the default floating-point mode; returns the former one, for `restore_fp_mode`.
default_fp_mode: Callable[[], int] = partial(lib.ts_fp_mode, lib.ts_fp_default)
restore_fp_mode: Callable[[int], int] = lib.ts_fp_mode
