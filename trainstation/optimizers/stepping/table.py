"""The table of slots that one C call walks: made when an array is new, kept while all of them stay the same."""

from __future__ import annotations

import itertools
import math
import struct
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import KernelError
from trainstation.optimizers.contract import Averaging
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.checks import check_overlap
from trainstation.optimizers.stepping.rows import Plan, Row
from trainstation.optimizers.stepping.watch import Watch

__all__ = ["Measure", "Table"]

Array = NDArray[Any]

# Version counters are set to numbers that no counting by one comes near.
_stamps = itertools.count(1 << 30, 1 << 30)


class Measure(NamedTuple):
    """What is known of all gradients before anything moves."""

    norm: float
    clip: float
    wrong: Row | None  # has a gradient that is not finite


class Table:
    """The rows of a step, and the slots of those that run compiled.

    It holds every array of the step, so that none is freed while C works on it, and weak references too, for which
    NumPy refuses to resize one.
    """

    def __init__(
        self,
        groups: Sequence[Group] = (),
        plans: Sequence[Plan] = (),
        rows: Sequence[Row] = (),
        wanted: Sequence[Any] | None = None,
        *,
        prepares: bool = False,
    ) -> None:
        """Make the table of checked rows.

        Args:
            groups: of the optimizer.
            plans: for each group, what its hyper-parameters ask for.
            rows: of the step.
            wanted: the list of parameters that was asked for.
            prepares: whether the optimizer prepares a step, and must know before that nothing has changed.

        Raises:
            ValueError: bytes that are written lie within the range of another array; both are named.

        """
        self.rows = rows
        self.plans = plans
        self.parameters = tuple(row.parameter for row in rows)
        self.compiled = [row for row in rows if row.runs_compiled()]
        self.interpreted = [row for row in rows if not row.runs_compiled()]
        # The counters of one call are one array; the states' own are views of it.
        self.steps = np.array([row.state["step"] for row in self.compiled], np.int64)
        for place, row in enumerate(self.compiled):
            row.state["step"] = self.steps[place : place + 1].reshape(())
        arrays = {id(row): row.arrays() for row in rows}
        check_overlap(itertools.chain.from_iterable(arrays.values()))
        written = {key: [array for array, _, is_written in found if is_written] for key, found in arrays.items()}
        if self.compiled:
            kernels.isa()  # an instruction set that is not here is an error before anything else
        self.prepares = prepares
        every = list(itertools.chain.from_iterable(written.values()))
        self.watch = Watch(groups, rows, wanted, every, in_c=not (prepares or self.interpreted))
        self._places = {id(row): place for place, row in enumerate(self.compiled)}
        self.guards = [weakref.ref(array) for array in every]
        self.slots = self._describe()
        in_call = list(itertools.chain.from_iterable(written[id(row)] for row in self.compiled))
        self.call = kernels.Call(self.slots, in_call, self.watch.references)
        # Which the call averages; `others` are the parameters that are left to it.
        self.average: Averaging | None = None
        self.others: list[Any] = []
        self.renew_runs()
        self._versions = [row.parameter._version for row in rows if hasattr(row.parameter, "_version")]
        self.bumps = [
            row.parameter._bump_version
            for row in rows
            if not hasattr(row.parameter, "_version") and hasattr(row.parameter, "_bump_version")
        ]

    def _describe(self) -> Array:
        slots = np.zeros(len(self.compiled), kernels.SLOT)
        first = 0
        for slot, row in zip(slots, self.compiled, strict=True):
            assert row.plan.rule is not None
            slot["p"], slot["g"] = kernels.address(row.data), kernels.address(row.gradient)
            for place, name in enumerate(row.plan.states):
                slot["state"][place] = kernels.address(row.state[name])
                if f"{name}_scale" in row.state:
                    slot["scale"][place] = kernels.address(row.state[f"{name}_scale"])
            slot["n"], slot["first"], slot["format"] = row.data.size, first, row.fmt
            slot["rule"], slot["gscale"] = row.plan.rule.index, row.plan.sign
            first += row.data.size
        if self.compiled:
            slots["step"] = kernels.address(self.steps) + np.arange(len(slots)) * self.steps.itemsize
        return slots

    def follow(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> bool:
        """Take other gradients where that is all that has changed."""
        moved = self.watch.moved_gradients(groups, wanted)
        if moved is None or not all(id(row) in self._places for row in moved):
            return False
        for row in moved:
            self.slots[self._places[id(row)]]["g"] = kernels.address(row.gradient)
        return True

    def renew_runs(self) -> None:
        """Read all counters: rows of one group and one t are a run, for which scalars are asked once a step.

        They stay equal, for they step together, unless a counter is written to.
        """
        places: dict[tuple[int, int], int] = {}
        for row in self.rows:
            row.run = places.setdefault((row.group, int(row.state["step"])), len(places))
        self.runs = [[group, t] for group, t in places]
        self._scalars = kernels.Scalars(len(places))
        self._writers: list[Callable[..., None]] = []
        for run, (group, _) in enumerate(places):
            rule = self.plans[group].rule
            self._writers.append(self._scalars.writer(run, rule.n_scalars) if rule else _ignore)
        if self.compiled:
            runs = np.array([row.run for row in self.compiled])
            self.slots["scalars"] = self._scalars.start + runs * self._scalars.SIZE

    def is_writable(self) -> bool:
        """Whether every array that a step writes to still may be; C looks by itself where all rows are compiled."""
        return all(array.flags.writeable for row in self.rows for array, _, is_written in row.arrays() if is_written)

    def counters_agree(self) -> bool:
        """Whether each row's counter is still that of its run."""
        return all(row.state["step"] == self.runs[row.run][1] for row in self.rows)

    def ask(self, scalars: Callable[[Any, int], Sequence[float]], hypers: Sequence[Group]) -> None:
        """Take the scalars of all rows: `scalars(hyper, t)` is called once for each distinct pair of group and t."""
        if self.interpreted:
            self._round(scalars, hypers)
        for (group, done), write in zip(self.runs, self._writers):  # noqa: B905  # as many; every step comes here
            values = scalars(hypers[group], done + 1)
            try:
                write(done + 1, *values)
            except struct.error:
                count = self.plans[group].rule.n_scalars  # type: ignore[union-attr]  # only a rule has a writer
                msg = f"scalars() returned {len(values)} numbers; its rule takes {count}"
                raise KernelError(msg) from None

    def _round(self, scalars: Callable[[Any, int], Sequence[float]], hypers: Sequence[Group]) -> None:
        """Give each interpreted row its scalars, rounded once to the dtype of its values."""
        rounded: dict[tuple[int, type], Sequence[Any]] = {}
        for row in self.interpreted:
            key = row.run, row.data.dtype.type
            if key not in rounded:
                group, done = self.runs[row.run]
                with np.errstate(all="ignore"):
                    rounded[key] = tuple(map(key[1], scalars(hypers[group], done + 1)))
            row.scalars = rounded[key]

    def measure(self, max_norm: float | None) -> Measure:
        """Look at all gradients before anything moves; what C does by itself where all rows are compiled."""
        total, wrong = 0.0, None
        for row in self.rows:
            gradient = np.ascontiguousarray(row.gradient)
            sum_of_row = kernels.squares(gradient)
            total += sum_of_row
            if wrong is None and not math.isfinite(sum_of_row) and not np.isfinite(gradient).all():
                wrong = row
        norm = math.sqrt(total)
        factor = max_norm / (norm + 1e-6) if max_norm else 1.0
        return Measure(norm, 1.0 if factor >= 1 else factor, wrong)

    def advance(self) -> None:
        """Note that a step was made: every run is one further, every parameter was changed in place."""
        for run in self.runs:
            run[1] += 1
        self.bump()

    def bump(self) -> None:
        """Tell all parameters that they were changed in place."""
        stamp = next(_stamps)
        for version in self._versions:
            version[0] = stamp
        if self.bumps:
            for bump in self.bumps:
                bump()


def _ignore(t: int, *values: float) -> None:
    """Write nothing: `update` takes its scalars from Python."""
