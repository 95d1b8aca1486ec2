"""From an optimizer and its parameters to the checked rows of a step, and what `update` makes of one."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import KernelError, MissingGradientError
from trainstation.optimizers import groups
from trainstation.optimizers.contract import Contract
from trainstation.optimizers.groups import Parameter, gradient_of
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping import codec
from trainstation.optimizers.stepping.checks import Range, check_data, check_state
from trainstation.optimizers.stepping.noted import Flag

__all__ = ["Hold", "Plan", "Row", "first_state", "layout_of", "plan_of", "rows_of", "update_row"]

Array = NDArray[Any]
Layout = dict[str, tuple[tuple[int, ...], Any]]


class Hold:
    """A gradient that a table holds; its parameter may keep this in `_hold`, for code that counts references.

    Attributes:
        gradient: the array, or None for a parameter that had none.
        owner: the parameter's `grad`: the array, or the object whose `data` it is.
        busy: whether a step is reading it.
        guard: a weak reference to it, for which NumPy refuses to resize it.

    """

    __slots__ = ("busy", "gradient", "guard", "owner")

    def __init__(self, gradient: Array | None, busy: Flag, owner: Any) -> None:
        self.gradient, self.busy, self.owner = gradient, busy, owner
        self.guard = None if gradient is None else weakref.ref(gradient)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # a copy of a parameter has no holder


class Plan(NamedTuple):
    """What a group's hyper-parameters ask for."""

    rule: kernels.Rule | None  # None: `update`
    states: tuple[str, ...]
    kinds: Mapping[str, str]
    sign: float  # of the gradient: maximize


@dataclass(slots=True)
class Row:
    """One parameter of a step, checked."""

    name: str  # for error messages
    group: int
    parameter: Any
    data: Array
    hold: Hold
    state: dict[str, Any]
    plan: Plan
    fmt: int  # how its states are kept
    own: bool  # an author's own states, of which all may be written to
    run: int = 0
    scalars: Sequence[Any] = ()  # for update: rounded once to the dtype of the values

    @property
    def gradient(self) -> Array:
        """The gradient of this step."""
        gradient = self.hold.gradient
        assert gradient is not None
        return gradient

    def arrays(self) -> list[Range]:
        """Return the arrays of a step, each with its name and whether it is written to."""
        names = (each for name in self.plan.states for each in (name, f"{name}_scale"))
        return [
            (self.data, f"values of {self.name}", True),
            (self.gradient, f"gradient of {self.name}", False),
            *(
                (self.state[name], f"{name} of {self.name}", True)
                for name in (self.state if self.own else names)
                if isinstance(self.state.get(name), np.ndarray)
            ),
        ]

    def runs_compiled(self) -> bool:
        """Whether the C rule can take this row: a compiled rule, and arrays that are contiguous."""
        rule, states = self.plan.rule, self.plan.states
        scales = [self.state[f"{name}_scale"] for name in states if f"{name}_scale" in self.state]
        arrays = (self.data, self.gradient, *(self.state[name] for name in states), *scales)
        return rule is not None and rule.supports(self.fmt) and all(array.flags.c_contiguous for array in arrays)


def _kinds_of(optimizer: Contract, hyper: Group, names: Iterable[str]) -> dict[str, str]:
    """Return how these states may be kept; from it `codec.format_of` says how they are."""
    kinds = optimizer.state_kinds(hyper)
    return {name: kinds.get(name, "exact") for name in names}


def plan_of(optimizer: Contract, hyper: Group) -> Plan:
    """Return what a group's hyper-parameters ask for; KernelError if the class and its compiled rule do not fit."""
    name, states = optimizer.variant(hyper)
    kinds = _kinds_of(optimizer, hyper, states)
    rule = kernels.find_rule(name)
    if rule is not None and len(rule.kinds) != len(states):
        msg = f"{type(optimizer).__name__} has the states {states}; its rule {name!r} takes {len(rule.kinds)}"
        raise KernelError(msg)
    asked = tuple(kinds.values())
    if rule is not None and rule.kinds != asked and optimizer.state_dtype not in (None, "float32"):
        msg = f"{type(optimizer).__name__} keeps {states} as {asked}, its rule {name!r} as {rule.kinds}"
        raise KernelError(msg)
    return Plan(rule, states, kinds, -1.0 if hyper.get("maximize") else 1.0)


def rows_of(
    optimizer: Contract, plans: Sequence[Plan], hypers: Sequence[Group], wanted: Sequence[Parameter] | None, busy: Flag
) -> list[Row]:
    """Check all arrays, and those of the state that is still missing; nothing is changed yet.

    Args:
        optimizer: whose step it is.
        plans: for each group, what its hyper-parameters ask for.
        hypers: for each group, its hyper-parameters.
        wanted: the list of parameters that was asked for, or None.
        busy: whether a step is reading gradients.

    """
    chosen = None if wanted is None else set(map(id, wanted))
    rows = []
    for index, group in enumerate(optimizer.param_groups):
        for position, parameter in enumerate(group["params"]):
            if chosen is not None and id(parameter) not in chosen:
                continue
            gradient = gradient_of(parameter)
            if gradient is not None:
                name = groups.describe(group, index, position)
                check_data(name, parameter.data, gradient)
                hold = Hold(gradient, busy, parameter.grad)
                rows.append(_row(optimizer, name, index, parameter, hold, plans[index], hypers[index]))
            elif chosen is not None:
                msg = f"{groups.describe(group, index, position)} has no gradient; run backward() first"
                raise MissingGradientError(msg)
    return rows


def _row(optimizer: Contract, name: str, group: int, parameter: Parameter, hold: Hold, plan: Plan, hyper: Group) -> Row:
    data = parameter.data
    if optimizer.state_dtype is not None and data.dtype != np.float32:
        msg = f"{name}: state_dtype={optimizer.state_dtype!r} is for float32 parameters"
        raise ValueError(msg)
    fmt = codec.format_of(optimizer.state_dtype, data, plan.kinds.values())
    known = optimizer.state.get(parameter)
    state = dict(known) if known else first_state(optimizer, parameter, hyper)
    for state_name in plan.states:
        if state_name not in state:
            for each, (shape, dtype) in codec.layout([state_name], plan.kinds, fmt, data).items():
                state[each] = kernels.zeros_beside(data, shape, dtype)
    check_state(name, state, codec.layout(plan.states, plan.kinds, fmt, data))
    return Row(name, group, parameter, data, hold, state, plan, fmt, optimizer.keeps_own_states())


def first_state(optimizer: Contract, parameter: Parameter, hyper: Group) -> dict[str, Any]:
    """Return what a parameter's state is before its first step."""
    state = {"step": np.zeros((), np.int64), **optimizer.init_state(parameter)}
    states = optimizer.variant(hyper)[1]
    fmt = codec.format_of(optimizer.state_dtype, parameter.data, _kinds_of(optimizer, hyper, states).values())
    for name, kind in codec.narrow(optimizer.state_kinds(hyper), fmt).items():
        if name in state:
            place = states.index(name) if name in states else 0
            codes = codec.encode(name, state.pop(name), kind, fmt, 0, place)
            state.update({each: kernels.copy_beside(parameter.data, values) for each, values in codes.items()})
    return state


def layout_of(optimizer: Contract, parameter: Parameter, hyper: Group, more: Sequence[str]) -> Layout:
    """Return shape and dtype of the arrays that the states of these names, which are optional, are kept in."""
    kinds = _kinds_of(optimizer, hyper, (*optimizer.variant(hyper)[1], *more))
    fmt = codec.format_of(optimizer.state_dtype, parameter.data, kinds.values())
    return codec.layout(more, kinds, fmt, parameter.data)


def update_row(optimizer: Contract, row: Row, clip: float) -> None:
    """Step one parameter in NumPy."""
    factor = row.plan.sign * clip
    seen = np.asarray(row.gradient if factor == 1 else row.gradient * row.data.dtype.type(factor)).view()
    seen.flags.writeable = False
    narrower = codec.narrow(row.plan.kinds, row.fmt)
    # An author's own states go to update whole; of ours, those that the hyper-parameters ask for, as in C.
    own = row.own and not narrower
    state = row.state if own else {name: row.state[name] for name in row.plan.states if name not in narrower}
    decoded = {name: codec.decode(name, row.state, kind, row.fmt) for name, kind in narrower.items()}
    try:
        optimizer.update(np.asarray(row.data), seen, {**state, **decoded} if narrower else state, row.scalars)
    except Exception as error:
        error.add_note(f"raised by {type(optimizer).__name__}.update for {row.name}; parameters before it are updated")
        raise
    t = int(row.state["step"]) + 1
    for place, name in enumerate(row.plan.states):
        if name in narrower:
            for each, codes in codec.encode(name, decoded[name], narrower[name], row.fmt, t, place).items():
                row.state[each][...] = codes
        elif not own and state[name] is not row.state[name]:
            row.state[name] = state[name]  # an author has put another array in the place of one
    np.add(row.state["step"], 1, out=row.state["step"])
