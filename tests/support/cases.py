"""Cases for the compiled rules, what NumPy makes of them, and tables of slots to run them in."""

import itertools
import os
import platform
import resource
import signal
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from trainstation import kernels
from trainstation.kernels import BFLOAT16_STATE, EIGHT_BIT_STATE, FLOAT32, FLOAT64
from trainstation.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from trainstation.optimizers.stepping import codec

FORMATS = {"float32": FLOAT32, "float64": FLOAT64, "bfloat16": BFLOAT16_STATE, "8bit": EIGHT_BIT_STATE}
THREADS = (1, 2, 3, 7)
# Whether a test runs its whole grid: minutes; asked for with `pytest -m exhaustive`.
grid = pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.exhaustive)], ids=["", "whole"])
# What the floating-point control register says: all by default, subnormals flushed to zero, rounding toward zero.
MODES = {
    "x86_64": (0x1F80, 0x1F80 | 0x8040, 0x1F80 | 0x6000),
    "aarch64": (0, 1 << 24, 3 << 22),
    "arm64": (0, 1 << 24, 3 << 22),
}
DEFAULT, FLUSH, TOWARD_ZERO = MODES[platform.machine()]


class Bandwidth(Optimizer):
    """The meaning of the rule that the benchmark measures memory with."""

    states = ("first", "second")

    def __init__(self):
        super().__init__(None, {})

    def scalars(self, hyper, t):
        return ()

    def update(self, p, g, state, scalars):
        for array in (state["first"], state["second"], p):
            np.add(array, g, out=array)


@dataclass(frozen=True)
class Case:
    """A compiled rule, and the optimizer that it must equal under some hyper-parameters."""

    rule: str
    optimizer: Optimizer

    @property
    def states(self):
        return self.optimizer.variant(self.optimizer.defaults)[1]

    @property
    def kinds(self):
        return self.optimizer.state_kinds(self.optimizer.defaults)

    def scalars(self, t):
        return self.optimizer.scalars(self.optimizer.defaults, t)

    def narrower(self, fmt):
        """Return the states that a format keeps narrower, with their kinds."""
        kinds = codec.narrow(self.kinds, fmt)
        return {name: kinds[name] for name in self.states if name in kinds}

    def update(self, arrays, fmt, t=3, gscale=1.0):
        """Return what a step makes of {"p", "g", states and scales}: decode, update, encode."""
        made = {name: array.copy() for name, array in arrays.items()}
        element = made["p"].dtype.type
        narrower = self.narrower(fmt)
        with np.errstate(all="ignore"):
            state = {name: made[name] for name in self.states}
            state |= {name: codec.decode(name, made, kind, fmt) for name, kind in narrower.items()}
            self.optimizer.update(made["p"], made["g"] * element(gscale), state, tuple(map(element, self.scalars(t))))
            for place, name in enumerate(self.states):
                if name in narrower:
                    made |= codec.encode(name, state[name], narrower[name], fmt, t, place)
        return made

    def keep(self, values, fmt, t=2):
        """Return {"p", "g", states} as a format keeps them after step t."""
        made = dict(values)
        with np.errstate(all="ignore"):
            for place, name in enumerate(self.states):
                if name in self.narrower(fmt):
                    made |= codec.encode(name, made[name], self.kinds[name], fmt, t, place)
        return made

    def drawn(self, fmt, n, seed=0):
        """Return random arrays; the states of any magnitude, some of them zero, averages of squares positive."""
        rng = np.random.default_rng(seed)
        dtype = np.float64 if fmt == FLOAT64 else np.float32
        made = {name: rng.standard_normal(n).astype(dtype) for name in ("p", "g", *self.states)}
        for name in self.states:
            made[name] *= (10.0 ** rng.integers(-9, 3, n) * (rng.random(n) < 0.9)).astype(dtype)
            if "sq" in name:
                np.abs(made[name], out=made[name])
        return self.keep(made, fmt)

    def special(self, fmt):
        """Return every combination of special values; fewer of them where there are more arrays."""
        dtype = np.float64 if fmt == FLOAT64 else np.float32
        info = np.finfo(dtype)
        few = [0.0, -2.0, info.max, np.inf, np.nan]
        many = [0.0, -0.0, 1.0, -3.0, 1e20, 1e-20, info.max, -info.max, info.tiny, info.smallest_subnormal]
        many += [-5 * info.smallest_subnormal, np.inf, -np.inf, np.nan]
        axes = [few, few, few, many, many] if len(self.states) > 2 else [many] * (2 + len(self.states))
        columns = (np.array(column, dtype) for column in zip(*itertools.product(*axes), strict=True))
        made = dict(zip(("p", "g", *self.states), columns, strict=True))
        for name, kind in self.narrower(fmt).items():
            if kind == "positive":
                made[name] = np.abs(made[name])
        return self.keep(made, fmt)

    def agree(self, found, expected, fmt):
        """Whether the arrays are equal to the bit; of a NaN only the position counts."""
        narrower = self.narrower(fmt)
        for name, array in expected.items():
            if name in narrower:
                kind = narrower[name]
                pair = codec.decode(name, found, kind, fmt), codec.decode(name, expected, kind, fmt)
            else:
                pair = found[name], array
            if not same_bits(*pair):
                return False
        return True


CASES = {
    "adam": Case("adam", Adam(weight_decay=0.1)),
    "adam without decay": Case("adam", Adam()),
    "adam_amsgrad": Case("adam_amsgrad", Adam(weight_decay=0.1, amsgrad=True)),
    "adamw": Case("adamw", AdamW(weight_decay=0.1)),
    "adamw_amsgrad": Case("adamw_amsgrad", AdamW(amsgrad=True)),
    "sgd": Case("sgd", SGD(lr=0.1, weight_decay=0.1)),
    "sgd without decay": Case("sgd", SGD(lr=0.1)),
    "sgd_momentum": Case("sgd_momentum", SGD(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1)),
    "sgd_momentum with nesterov": Case("sgd_momentum", SGD(lr=0.1, momentum=0.9, nesterov=True)),
    "rmsprop": Case("rmsprop", RMSprop(weight_decay=0.1)),
    "rmsprop without decay": Case("rmsprop", RMSprop()),
    "rmsprop_centered": Case("rmsprop_centered", RMSprop(weight_decay=0.1, centered=True)),
    "rmsprop_momentum": Case("rmsprop_momentum", RMSprop(weight_decay=0.1, momentum=0.9)),
    "rmsprop_centered_momentum": Case("rmsprop_centered_momentum", RMSprop(momentum=0.9, centered=True)),
    "bandwidth": Case("bandwidth", Bandwidth()),
}


cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
formats = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)


def same_bits(a, b):
    """Equal bytes; of a NaN only the position counts."""
    if a.dtype.kind != "f":
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    nan = np.isnan(a)
    return np.array_equal(nan, np.isnan(b)) and a[~nan].tobytes() == b[~nan].tobytes()


@dataclass
class Job:
    """One slot of a table."""

    case: Case
    fmt: int
    arrays: dict
    t: int = 3
    gscale: float = 1.0


@dataclass
class Table:
    """Slots in a call, and the counters that it advances."""

    jobs: list
    steps: np.ndarray = field(init=False)

    def __post_init__(self):
        self.steps = np.array([job.t - 1 for job in self.jobs], np.int64)
        self._room = kernels.Scalars(len(self.jobs))
        slots = np.zeros(len(self.jobs), kernels.SLOT)
        first = 0
        for place, (slot, job) in enumerate(zip(slots, self.jobs, strict=True)):
            rule, arrays = kernels.find_rule(job.case.rule), job.arrays
            self._room.writer(place, rule.n_scalars)(job.t, *job.case.scalars(job.t))
            slot["p"], slot["g"] = kernels.address(arrays["p"]), kernels.address(arrays["g"])
            slot["state"][: len(job.case.states)] = [kernels.address(arrays[name]) for name in job.case.states]
            for k, name in enumerate(job.case.states):
                if f"{name}_scale" in arrays:
                    slot["scale"][k] = kernels.address(arrays[f"{name}_scale"])
            slot["scalars"] = self._room.start + place * self._room.SIZE
            slot["step"] = kernels.address(self.steps) + place * 8
            slot["n"], slot["first"], slot["gscale"] = arrays["p"].size, first, job.gscale
            slot["rule"], slot["format"] = rule.index, job.fmt
            first += arrays["p"].size
        self.call = kernels.Call(slots)

    def step(self):
        """Make one step of all jobs; every counter is one further afterwards."""
        assert self.call() == kernels.DONE
        assert self.steps.tolist() == [job.t for job in self.jobs]


def each_isa():
    """Use each instruction set of this machine in turn."""
    for name in kernels.isas():
        with kernels.use(name):
            yield name


def kernel_step(case, fmt, arrays, t=3, gscale=1.0):
    """Return what the compiled rule makes of copies of the arrays."""
    copies = {name: array.copy() for name, array in arrays.items()}
    Table([Job(case, fmt, copies, t, gscale)]).step()
    return copies


def threads_of_this_process():
    """Return how many threads there are, or 0 where the system does not say."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else 0


def forked(function, seconds=60):
    """Run a function in a forked child; return the exit code (0, 1 if it raised), negative if a signal ended it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: to fork beside threads is what is tested
        child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        signal.alarm(seconds)  # ends a child that hangs; the other one, a child that uses the timer itself
        resource.setrlimit(resource.RLIMIT_CPU, (2 * seconds, 2 * seconds))
        function()
    except BaseException:  # noqa: BLE001  # nothing may leave the child
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


# Hyper-parameters that torch and we refuse, in the same words.
REFUSED = [
    ("Adam", {"lr": -1.0}),
    ("Adam", {"betas": (1.0, 0.9)}),
    ("Adam", {"betas": (0.9, -1.0)}),
    ("AdamW", {"eps": -1.0}),
    ("AdamW", {"weight_decay": -1.0}),
    ("SGD", {"lr": -1.0}),
    ("SGD", {"momentum": -1.0}),
    ("SGD", {"weight_decay": -1.0}),
    ("SGD", {"nesterov": True}),
    ("RMSprop", {"lr": -1.0}),
    ("RMSprop", {"eps": -1.0}),
    ("RMSprop", {"momentum": -1.0}),
    ("RMSprop", {"alpha": -1.0}),
    ("RMSprop", {"weight_decay": -1.0}),
]
