"""One call for a whole step, and what it is made of."""

from __future__ import annotations

import itertools
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
from trainstation.kernels.objects import ARRAY, ENTRY, RANGE, step, watch
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
    "REGROUP",
    "SLOT",
    "STALE",
    "Call",
    "Scalars",
    "default_fp_mode",
    "power",
    "restore_fp_mode",
    "run_rule",
    "squares",
    "stamps",
]

Array = NDArray[Any]
Action = Callable[[], object]

# Version counters are set to numbers that no counting by one comes near.
stamps = itertools.count(1 << 30, 1 << 30)

MAX_STATES: int = lib.TS_MAX_STATES
MAX_SCALARS: int = lib.TS_MAX_SCALARS
BLOCK: int = lib.TS_BLOCK  # elements that share a scale in 8-bit state
FLOAT32, FLOAT64, BFLOAT16_STATE, EIGHT_BIT_STATE = range(4)  # enum ts_format

# What comes of a call. There are more: what was checked is no more as it was.
DONE = 0
STALE: int = lib.TS_STALE
OTHER: int = lib.TS_OTHER
NONFINITE: int = lib.TS_NONFINITE
REGROUP: int = lib.TS_REGROUP

# beta ** t with an absolute error below 1e-15, the same on every machine: power(base, exponent).
power: Callable[[float, int], float] = lib.ts_power


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
    """One step over a table of slots (dtype `SLOT`), which may be made again and again.

    Each call returns DONE, or else nothing was done. STALE: a counter is not t - 1. NONFINITE: a gradient is not
    finite, and that was to stop it. REGROUP: a parameter has begun or ended to take part, see `is_active` of the
    entries. Any other: something is not as it was checked, or it cannot be followed from C.
    """

    __slots__ = ("_address", "_averages", "_call", "_count", "_kept", "isa")

    def __init__(
        self,
        slots: Array,
        entries: Array | None = None,
        written: Sequence[Array] = (),
        ranges: Array | None = None,
        exchange: int = 0,
    ) -> None:
        """Take what a step needs; who made it has checked it, and keeps all objects.

        Args:
            slots: dtype `SLOT`; those with scalars 0 and n 0 are left out.
            entries: dtype `ENTRY`, of all parameters.
            written: all arrays that the step writes to.
            ranges: dtype `RANGE`, where these lie, sorted.
            exchange: of entries that are tensors, see `exchange_of`.

        """
        entries = np.zeros(0, ENTRY) if entries is None else entries
        ranges = np.zeros(0, RANGE) if ranges is None else ranges
        arrays = watch(written) if written else np.zeros(0, ARRAY)
        room = (int(slots[-1]["first"] + slots[-1]["n"]) // lib.TS_CHUNK if len(slots) else 0) + len(slots) + 1
        partial_sums = np.empty(room)
        self._kept = slots, entries, arrays, list(written), ranges, partial_sums
        self._averages: tuple[list[Array], Array] | None = None
        self._count: Array | None = None
        self._call = call = ffi.new("ts_call *")
        self._address = int(ffi.cast("uintptr_t", call))
        for name, kind, table in (
            ("slots", "ts_slot *", slots),
            ("entries", "ts_entry *", entries),
            ("arrays", "ts_array *", arrays),
            ("ranges", "ts_range *", ranges),
        ):
            setattr(call, name, ffi.cast(kind, ffi.from_buffer(table)))
            setattr(call, f"n_{name}", len(table))
        call.to_point = ffi.cast("ts_slot *", ffi.from_buffer(slots))
        call.partial = ffi.cast("double *", ffi.from_buffer(partial_sums))
        call.exchange = ffi.cast("int (*)(void *, void *)", exchange)
        call.clip = 1.0

    def __call__(self, actions: tuple[Action, ...] = ()) -> int:
        """Step, in the instruction set and on the threads of the moment.

        The actions are functions of C, which are called with the step: no line of Python runs in between.
        """
        self.isa = isa = active()  # of the last step
        return step(self._address, isa, get_num_threads(), next(stamps), actions)

    def look(self) -> int:
        """Look at everything, and do nothing."""
        return self._checked(lib.TS_LOOK)

    def measure(self) -> int:
        """Add up the squares of all gradients, and do nothing else."""
        return self._checked(lib.TS_NORM | lib.TS_MEASURE)

    def measured(self, max_norm: float | None, stop: bool, actions: tuple[Action, ...]) -> int:
        """Step after a look at all gradients: scaled to a norm; NONFINITE if told to stop where one is not finite."""
        self._call.max_norm = max_norm or 0.0
        return self._checked(lib.TS_NORM | (lib.TS_FINITE if stop else 0), actions)

    def scaled(self, clip: float, actions: tuple[Action, ...]) -> int:
        """Step with all gradients multiplied by a factor that is known already."""
        self._call.clip = clip
        return self._checked(0, actions)

    def _checked(self, check: int, actions: tuple[Action, ...] = ()) -> int:
        self._call.check = check
        try:
            return self(actions)
        finally:
            self._call.check, self._call.clip = 0, 1.0

    def wants_all(self, is_exact: bool) -> None:
        """Say whether every wanted parameter must have a gradient."""
        self._call.is_exact = is_exact

    def take_averages(self, arrays: Sequence[Array] | None, count: Array | None) -> None:
        """Have each step move these towards the new values, one for each slot, contiguous; None: no more.

        Args:
            arrays: the averages, which are held.
            count: int64, what counts them.

        """
        self._call.averages, self._call.n_averaged = ffi.NULL, ffi.NULL
        self._averages = None if arrays is None else (list(arrays), np.array([address(a) for a in arrays], np.uintp))
        self._count = count
        if self._averages is not None:
            self._call.averages = ffi.cast("void *const *", ffi.from_buffer(self._averages[1]))
        if count is not None:
            self._call.n_averaged = ffi.cast("int64_t *", ffi.from_buffer(count))

    def weigh(self, weight: float) -> None:
        """Set the weight of the new values in the averages of the next step; with 1 they are copied."""
        self._call.weight = weight

    @property
    def wrong_slot(self) -> int:
        """The first slot whose gradient is not finite, of those that were measured; or -1."""
        slot: int = self._call.slot
        return slot

    @property
    def squares(self) -> float:
        """The sum of the squares of all gradients in the last measured step."""
        total: float = self._call.squares
        return total


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
