"""Steps of arrays that are handed over for one call: what `trainstation.optimizers.functional` is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import MissingGradientError, ShapeError
from trainstation.optimizers.base import Optimizer
from trainstation.optimizers.groups import Group
from trainstation.optimizers.rows import Row
from trainstation.optimizers.table import Table
from trainstation.optimizers.watch import Watch

__all__ = ["Arrays", "State", "SupportsDLPack", "step"]

Array = NDArray[Any]
State = dict[Any, Any]
# Shape and dtype of values, and the named arrays of their state.
Room = tuple[tuple[int, ...], Any, list[tuple[str, Array]]]
# Where the bytes of an array begin and end, and whether they are written to.
Range = tuple[int, int, bool]


class SupportsDLPack(Protocol):
    """An array of any library that `numpy.from_dlpack` can look at."""

    def __dlpack__(self) -> Any: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


Arrays: TypeAlias = "Array | SupportsDLPack | Sequence[Arrays] | Mapping[Any, Arrays]"


class Leaf(NamedTuple):
    """One parameter of a call."""

    name: str  # p, p[0], p['w']
    p: Array
    g: Array
    state: State


class Count(int):
    """A step count that carries what the next step can go on with; copied or pickled it is a plain int."""

    kept: Kept | None = None

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)


def step(
    kind: type[Optimizer], p: Arrays, g: Arrays, state: State, hyper: Mapping[str, Any], state_dtype: str | None
) -> None:
    """Make one step of an optimizer of this class; `functional.adam_` says what of."""
    made: list[tuple[State, Any, State]] = []
    leaves = list(_leaves("", p, g, state, made))
    if not leaves:
        msg = "p has no arrays"
        raise ValueError(msg)
    kept = getattr(leaves[0].state.get("step"), "kept", None)
    if kept is None or not kept.fits(kind, leaves, state_dtype):
        kept = Kept(kind, leaves, hyper, state_dtype)
    kept.step(leaves, hyper)
    for parent, key, child in made:
        parent[key] = child


def _leaves(at: str, p: Any, g: Any, state: Any, made: list[tuple[State, Any, State]]) -> Iterator[Leaf]:
    """Walk arguments of one structure, of which `at` is a part; note the states that are yet to be put into theirs."""
    if not isinstance(state, dict):
        msg = f"state{at} must be a dict, empty at first, not {type(state).__name__}"
        raise TypeError(msg)
    if not isinstance(p, list | tuple | Mapping):
        yield _leaf(at, p, g, state)
        return
    if not isinstance(g, Mapping if isinstance(p, Mapping) else list | tuple):
        msg = f"g{at} must be a {type(p).__name__}, as p{at} is, not {type(g).__name__}"
        raise TypeError(msg)
    keys, given = (each.keys() if isinstance(each, Mapping) else range(len(each)) for each in (p, g))
    if keys != given:
        msg = f"g{at} must have the entries of p{at}, {list(keys)}, not {list(given)}"
        raise ShapeError(msg)
    for key in keys:
        child = state.get(key)
        if child is None:
            child = {}
            made.append((state, key, child))
        yield from _leaves(f"{at}[{key!r}]", p[key], g[key], child, made)


def _leaf(at: str, p: Any, g: Any, state: State) -> Leaf:
    if g is None:
        msg = f"g{at} is None; leave out of p and g what has no gradient"
        raise MissingGradientError(msg)
    values = p if isinstance(p, np.ndarray) else _borrowed(f"p{at}", p)
    gradient = (
        g if isinstance(g, np.ndarray) else np.asarray(g) if isinstance(g, np.generic) else _borrowed(f"g{at}", g)
    )
    if values.dtype.type not in (np.float32, np.float64) or not values.dtype.isnative:
        msg = f"p{at} must be float32 or float64, not {values.dtype}"
        raise TypeError(msg)
    if gradient.dtype != values.dtype:
        msg = f"g{at} has dtype {gradient.dtype}, p{at} {values.dtype}"
        raise TypeError(msg)
    if gradient.shape != values.shape:
        msg = f"g{at} has shape {gradient.shape}, p{at} {values.shape}"
        raise ShapeError(msg)
    if not values.flags.writeable:
        msg = f"p{at} is read-only, as JAX's arrays are; make it a NumPy array once, p = np.array(p), and step that"
        raise TypeError(msg)
    return Leaf(f"p{at}", values, gradient, state)


def _borrowed(name: str, given: Any) -> Array:
    """Return an array over another library's memory."""
    if not hasattr(given, "__dlpack__"):
        msg = f"{name} must be a NumPy array or one that speaks DLPack, not {type(given).__name__}"
        raise TypeError(msg)
    try:
        return np.from_dlpack(given)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        msg = f"{name}, a {type(given).__name__}, cannot be seen as an array in a CPU's memory: {error}"
        raise TypeError(msg) from error


class Cell:
    """A parameter, as an optimizer wants it; it holds arrays during a step only."""

    __slots__ = ("data", "grad")

    def __init__(self) -> None:
        self.data: Any = None
        self.grad: Any = None


class HandedWatch(Watch):
    """Of a table whose arrays were checked when they were handed over: only hyper-parameters may change behind it."""

    def is_current(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> bool:  # noqa: ARG002  # always all
        """Whether the hyper-parameters are those of the last step."""
        return self.changed_groups(groups) == []

    def moved_gradients(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> list[Row] | None:  # noqa: ARG002
        """Return no row for which anything is left to be done."""
        return []


class Kept:
    """A private optimizer of the parameters of a call, for the next one: it holds moments, but no `p` and no `g`."""

    def __init__(
        self, kind: type[Any], leaves: Sequence[Leaf], hyper: Mapping[str, Any], state_dtype: str | None
    ) -> None:
        self.kind = kind
        self.optimizer: Optimizer = kind(state_dtype=state_dtype, **hyper)
        self.cells = [Cell() for _ in leaves]
        self.table: Table | None = None
        self._rooms: list[Room] = []
        self._written: list[Range] = []
        self._places: list[int] = []
        self._fill(leaves)
        self.optimizer.add_param_group({"params": self.cells, "param_names": [leaf.name for leaf in leaves]})
        for cell, leaf in zip(self.cells, leaves, strict=True):
            if leaf.state:
                self.optimizer.state[cell] = dict(leaf.state)

    def fits(self, kind: type[Optimizer], leaves: Sequence[Leaf], state_dtype: str | None) -> bool:
        """Whether the states are as the last step left them; if so, take the arrays if the table has room for them."""
        return (
            self.kind is kind
            and self.optimizer.state_dtype == state_dtype
            and len(leaves) == len(self.cells)
            and all(map(self._is_known, leaves, self._rooms))
            and self._take(leaves)
        )

    def _is_known(self, leaf: Leaf, room: Room) -> bool:
        _, p, g, state = leaf
        shape, dtype, kept = room
        return (
            getattr(state.get("step"), "kept", None) is self
            and all(state.get(name) is value for name, value in kept)
            and p.shape == shape
            and p.dtype == dtype
            and p.flags.c_contiguous
            and g.flags.c_contiguous
        )

    def _take(self, leaves: Sequence[Leaf]) -> bool:
        """Point the table to these arrays; False if one that is written to overlaps with another one."""
        assert self.table is not None
        places = [kernels.address(array) for leaf in leaves for array in (leaf.p, leaf.g)]
        if places != self._places:
            if not _are_apart([*self._written, *_ranges(leaves, places)]):
                return False
            self._places = places
            self.table._slots["p"], self.table._slots["g"] = places[::2], places[1::2]
        return True

    def step(self, leaves: Sequence[Leaf], hyper: Mapping[str, Any]) -> None:
        """Step, and write to the states what is new in them."""
        self.optimizer.param_groups[0].update(hyper)
        self._fill(leaves)
        try:
            self.optimizer.step()
        except ShapeError as error:
            error.add_note("p and g fit together; an empty state starts anew")
            raise
        finally:
            for cell in self.cells:
                cell.data = cell.grad = None
        self._hand_back(leaves)

    def _fill(self, leaves: Sequence[Leaf]) -> None:
        for cell, leaf in zip(self.cells, leaves, strict=True):
            cell.data, cell.grad = leaf.p, leaf.g

    def _hand_back(self, leaves: Sequence[Leaf]) -> None:
        table, state = self.optimizer._stepper._table, self.optimizer.state
        is_new = table is not self.table
        if is_new:
            for cell, leaf in zip(self.cells, leaves, strict=True):
                leaf.state.update({name: value for name, value in state[cell].items() if name != "step"})
        counts: dict[int, Count] = {}
        kept = None if table.interpreted else self
        for cell, leaf in zip(self.cells, leaves, strict=True):
            former, t = leaf.state.get("step"), int(state[cell]["step"])
            if isinstance(former, Count):
                former.kept = None  # whoever has noted it shall not hold moments
            if t not in counts:
                counts[t] = Count(t)
                counts[t].kept = kept
            leaf.state["step"] = counts[t]
        if is_new and kept:
            self._keep(table, leaves)

    def _keep(self, table: Table, leaves: Sequence[Leaf]) -> None:
        """Let go of the arrays that were handed over, and note what the next ones must be."""
        moments = [[(name, row.state[name]) for name in _names(row)] for row in table.rows]
        self._rooms = [(leaf.p.shape, leaf.p.dtype, each) for leaf, each in zip(leaves, moments, strict=True)]
        arrays = [array for each in moments for _, array in each]
        self._written = [(place, place + a.nbytes, True) for a in arrays if a.nbytes and (place := kernels.address(a))]
        self._places = []
        table.rows, table.compiled, table._guards = [], [], []
        table.watch = HandedWatch(self.optimizer.param_groups, (), None)
        table.call = kernels.Call(table._slots, arrays)
        self.table = table


def _names(row: Row) -> list[str]:
    """Return what a state calls the arrays that its rule writes to."""
    return [each for name in row.plan.states for each in (name, f"{name}_scale") if each in row.state]


def _ranges(leaves: Sequence[Leaf], places: Sequence[int]) -> Iterator[Range]:
    """Return for each array that has bytes where they begin and end, and whether they are written to."""
    for leaf, p, g in zip(leaves, places[::2], places[1::2], strict=True):
        if leaf.p.nbytes:
            yield p, p + leaf.p.nbytes, True
            yield g, g + leaf.g.nbytes, False


def _are_apart(ranges: list[Range]) -> bool:
    """Whether no range that is written to overlaps with another one."""
    end = written_end = 0
    for low, high, is_written in sorted(ranges):
        if low < (end if is_written else written_end):
            return False
        end = max(end, high)
        written_end = max(written_end, high) if is_written else written_end
    return True
