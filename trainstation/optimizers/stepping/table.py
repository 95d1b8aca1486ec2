"""The table of a step: made when an array is new, kept while all of them stay the same."""

from __future__ import annotations

import struct
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import KernelError
from trainstation.optimizers.actions import Action
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.checks import check_gradient
from trainstation.optimizers.stepping.noted import Flag, Noted
from trainstation.optimizers.stepping.overlap import extent_of, may_overlap, ranges_of
from trainstation.optimizers.stepping.row import Plan, Row
from trainstation.optimizers.stepping.source import Source
from trainstation.optimizers.stepping.watch import Watch

__all__ = ["Table"]

Array = NDArray[Any]


class Table:
    """The rows of a step, the slots of those that run compiled, and the entries by which C follows all parameters.

    It holds every object of which C has an address, but for gradients.

    Attributes:
        rows: of all parameters that have been checked; in the order in which gradients are added up.
        active: those that have a gradient now, and are asked for.
        compiled: the rows of the slots, in their order.
        interpreted: those active rows that `update` steps.
        steps: the counters of all rows.
        runs: group and t of each run: the rows that have them, for which scalars are asked once a step. Who steps
            the table counts here, too.
        added: by the number of a row, what makes its first state the optimizer's.
        standing: what is done with each step, for the active rows.

    """

    def __init__(
        self,
        source: Source,
        groups: Sequence[Group],
        plans: Sequence[Plan],
        found: Sequence[tuple[Row, Array | None]],
        wanted: set[int] | None,
    ) -> None:
        """Make the table of checked rows; nothing outside of it is changed.

        Args:
            source: of the parameters.
            groups: of the optimizer.
            plans: for each group, what its hyper-parameters ask for.
            found: rows with their gradients of the moment.
            wanted: the ids of the parameters that were asked for, or None.

        """
        self.watch = Watch(groups)
        self.wanted = wanted
        self.plans = plans
        self.rows = [row for row, _ in found]
        self.active: list[Row] = []
        self.interpreted: list[Row] = []
        self.runs: list[list[int]] = []
        self.added: dict[int, list[Action]] = {}
        self._linked = [parameter for group in groups for parameter in group["params"]]
        self._source = source
        self.steps = np.array([row.state["step"] for row in self.rows], np.int64)
        for number, row in enumerate(self.rows):
            row.number = number
            row.state["step"] = self.steps[number : number + 1].reshape(())
        gradients = {id(row.parameter): gradient for row, gradient in found}
        for row, gradient in found:
            row.is_compiled = row.can_compile(gradient) and (
                gradient is None or source.can_follow(row.parameter, gradient)
            )
        self.compiled = [row for row in self.rows if row.is_compiled]
        if self.compiled:
            kernels.isa()  # an instruction set that is not here is an error before anything else
        self.slots = self._describe()
        self._sizes = self.slots["n"].copy()
        self.entries = self._follow(gradients)
        self.slots["g"] = [self.entries["g"][row.number] for row in self.compiled]
        written = [array for row in self.rows for _, array in row.written() if not (source.lends and array is row.data)]
        self._ranges = ranges_of(extent for row in self.rows for extent in row.extents(None))
        self._seen = {  # of gradients that were checked for overlap, and that C does not follow
            row.number: (kernels.place_of(gradient), gradient.strides)
            for row, gradient in found
            if gradient is not None
        }
        self._guards = [weakref.ref(array) for array in written]  # for which NumPy refuses to resize them
        self.call = kernels.Call(
            self.slots,
            self.entries,
            [*written, *(row.state["step"] for row in self.rows)],
            self._ranges,
            source.exchange,
        )
        self.call.wants_all(wanted is not None)
        self.regroup()

    def _describe(self) -> Array:
        """Make the slots of the compiled rows."""
        slots = np.zeros(len(self.compiled), kernels.SLOT)
        first = 0
        for slot, row in zip(slots, self.compiled, strict=True):
            assert row.plan.rule is not None
            slot["p"] = kernels.address(row.data)
            for place, name in enumerate(row.plan.states):
                slot["state"][place] = kernels.address(row.state[name])
                if f"{name}_scale" in row.state:
                    slot["scale"][place] = kernels.address(row.state[f"{name}_scale"])
            slot["n"], slot["first"], slot["format"] = row.data.size, first, row.fmt
            slot["rule"], slot["gscale"] = row.plan.rule.index, row.plan.sign
            first += row.data.size
        if self.compiled:
            numbers = np.array([row.number for row in self.compiled])
            slots["step"] = kernels.address(self.steps) + numbers * self.steps.itemsize
        return slots

    def _follow(self, gradients: dict[int, Array | None]) -> Array:
        """Make the entries of all linked parameters: those of rows first, in their order."""
        entries = np.zeros(len(self._linked), kernels.ENTRY)
        known = {id(row.parameter) for row in self.rows}
        idle = [parameter for parameter in self._linked if id(parameter) not in known]
        places = {id(row): place for place, row in enumerate(self.compiled)}
        self._dtypes = [row.data.dtype for row in self.rows]  # which entries refer to, as to these
        self._shapes = np.array([length for row in self.rows for length in row.data.shape], np.intp)
        shape = self._shapes.ctypes.data
        for entry, row in zip(entries[: len(self.rows)], self.rows, strict=True):
            gradient = gradients[id(row.parameter)]
            version = getattr(row.parameter, "_version", None)
            fields = {
                "p": kernels.place_of(row.data),
                "g": 0 if gradient is None else kernels.place_of(gradient),
                "version": id(version) if isinstance(version, list) else 0,
                "slot": places.get(id(row), kernels.NO_SLOT),
                "n": row.data.size,
                "nd": row.data.ndim,
                "shape": shape,
                "descr": id(row.data.dtype),
                "is_double": row.data.dtype == np.float64,
                "is_active": gradient is not None,
                "is_wanted": self.wanted is None or id(row.parameter) in self.wanted,
                **self._source.entry(row, gradient),
            }
            shape += row.data.ndim * self._shapes.itemsize
            for name, value in fields.items():
                entry[name] = value
        for entry, parameter in zip(entries[len(self.rows) :], idle, strict=True):
            fields = {
                "array": kernels.NO_ARRAY,
                "slot": kernels.NO_ROW,
                "is_wanted": self.wanted is None or id(parameter) in self.wanted,
                **self._source.attributes(parameter),
            }
            for name, value in fields.items():
                entry[name] = value
        self._versions = [getattr(row.parameter, "_version", None) for row in self.rows]  # likewise
        followed = zip(self.rows, entries["owner_kind"][: len(self.rows)].tolist(), strict=True)
        self._kinds = [type(row.parameter.grad) for row, owner_kind in followed if owner_kind]  # likewise
        return entries

    def want(self, wanted: set[int] | None) -> None:
        """Ask for other parameters than before."""
        self.wanted = wanted
        of_rows = [row.parameter for row in self.rows]
        known = set(map(id, of_rows))
        parameters = [*of_rows, *(each for each in self._linked if id(each) not in known)]
        self.entries["is_wanted"] = [wanted is None or id(parameter) in wanted for parameter in parameters]
        self.call.wants_all(wanted is not None)

    def regroup(self) -> None:
        """Read who takes part, and all counters: rows of one group and one t are a run.

        They stay equal, for they step together, unless a counter is written to.
        """
        is_active = self.entries["is_active"][: len(self.rows)].tolist()
        self.active = [row for row in self.rows if is_active[row.number]]
        self.interpreted = [row for row in self.active if not row.is_compiled]
        places: dict[tuple[int, int], int] = {}
        steps = self.steps.tolist()
        for row in self.active:
            row.run = places.setdefault((row.group, steps[row.number]), len(places))
        self.runs = [[group, t] for group, t in places]
        self._scalars = kernels.Scalars(len(places))
        self._writers: list[Callable[..., None]] = []
        for run, (group, _) in enumerate(places):
            rule = self.plans[group].rule
            self._writers.append(self._scalars.writer(run, rule.n_scalars) if rule else _ignore)
        if self.compiled:
            start, size = self._scalars.start, self._scalars.SIZE
            at = [start + row.run * size if is_active[row.number] else 0 for row in self.compiled]
            self.slots["scalars"] = at
            self.slots["n"] = np.where(self.slots["scalars"], self._sizes, 0)
            self.slots["first"] = np.cumsum(self.slots["n"]) - self.slots["n"]
        self.standing = tuple(self._source.standing(self.rows, self.active, self.steps))
        self.entries["is_grouped"][: len(self.rows)] = is_active  # until here, C says each time who has changed

    def share_states(self, state: dict[Any, dict[str, Any]], changed: Flag) -> None:
        """Give states the counters of this table, which are equal; what is new is added with the step itself."""
        for row in self.rows:
            if isinstance(row.known, Noted):
                shared = row.known
            else:
                shared = Noted(changed, row.known or row.state)
                if row.known:
                    dict.__setitem__(state, row.parameter, shared)
                else:
                    self.added[row.number] = [partial(dict.__setitem__, state, row.parameter, shared)]
            if row.known:
                dict.__setitem__(shared, "step", row.state["step"])
            if missing := {name: value for name, value in row.state.items() if name not in shared}:
                self.added[row.number] = [partial(dict.update, shared, missing)]  # all, where a user has emptied it
            row.known = shared
            if row.number in self.added:
                self.added[row.number] += self._source.added(row)

    def has_counts(self) -> bool:
        """Whether all counters are counts."""
        return not (self.steps < 0).any()

    def counters_agree(self) -> bool:
        """Whether each active row's counter is still that of its run."""
        steps = self.steps.tolist()
        return all(steps[row.number] == self.runs[row.run][1] for row in self.active)

    def wrong_row(self) -> Row:
        """Return the first row whose gradient is not finite, of those that were measured."""
        return self.compiled[self.call.wrong_slot]

    def gradients(self) -> dict[int, Array] | None:
        """Return the gradients of the active rows; None if a table must be made anew.

        Raises:
            ShapeError, TypeError: one does not fit its parameter.

        """
        found = {}
        for row in self.active:
            gradient = self._source.gradient(row.parameter)
            if gradient is None:
                return None
            if not row.is_compiled:
                check_gradient(row.name, row.data, gradient)
                place = kernels.place_of(gradient), gradient.strides
                if self._seen.get(row.number) != place:
                    if may_overlap(self._ranges, extent_of(gradient, "", is_written=False)):
                        return None
                    self._seen[row.number] = place
            found[row.number] = gradient
        return found

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


def _ignore(t: int, *values: float) -> None:
    """Write nothing: `update` takes its scalars from Python."""
