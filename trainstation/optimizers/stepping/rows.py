"""From an optimizer and its parameters to the checked rows of a step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.errors import KernelError, MissingGradientError
from trainstation.optimizers import groups
from trainstation.optimizers.contract import Contract
from trainstation.optimizers.groups import Parameter
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping import codec
from trainstation.optimizers.stepping.checks import check_gradient, check_state, check_values
from trainstation.optimizers.stepping.overlap import check_overlap
from trainstation.optimizers.stepping.row import Plan, Row
from trainstation.optimizers.stepping.source import Source

__all__ = ["first_state", "layout_of", "plan_of", "rows_of"]

Array = NDArray[Any]
Layout = dict[str, tuple[tuple[int, ...], Any]]


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
    optimizer: Contract, source: Source, plans: Sequence[Plan], hypers: Sequence[Group], wanted: set[int] | None
) -> list[tuple[Row, Array | None]]:
    """Check all arrays, and those of the state that is still missing; nothing is changed.

    Args:
        optimizer: whose step it is.
        source: of its parameters.
        plans: for each group, what its hyper-parameters ask for.
        hypers: for each group, its hyper-parameters.
        wanted: the ids of the parameters that were asked for, or None.

    Returns:
        A row and its gradient for each parameter that is stepped, and for those without a gradient that may be next
        time; in the order of the groups, whatever happened before, for sums are taken in it.

    """
    found: list[tuple[Row, Array | None]] = []
    for index, group in enumerate(optimizer.param_groups):
        for position, parameter in enumerate(group["params"]):
            is_wanted = wanted is None or id(parameter) in wanted
            gradient = source.gradient(parameter) if is_wanted else None
            place = optimizer, parameter, index, plans[index], hypers[index]
            name = groups.describe(group, index, position)
            if gradient is not None:
                check_values(name, parameter.data)
                check_gradient(name, parameter.data, gradient)
                found.append((_row(name, *place), gradient))
            elif wanted is not None and is_wanted:
                msg = f"{name} has no gradient; run backward() first"
                raise MissingGradientError(msg)
            elif optimizer.state.get(parameter):
                with suppress(TypeError, ValueError):  # told when it has a gradient
                    check_values(name, parameter.data)
                    found.append((_row(name, *place), None))
    stepped = [each for each in found if each[1] is not None]
    check_overlap(extent for row, gradient in stepped for extent in row.extents(gradient))
    if len(stepped) < len(found):
        try:
            check_overlap(extent for row, gradient in found for extent in row.extents(gradient))
        except ValueError:  # told when they are stepped together
            return stepped
    return found


def _row(name: str, optimizer: Contract, parameter: Parameter, group: int, plan: Plan, hyper: Group) -> Row:
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
    return Row(name, group, parameter, data, state, known, plan, fmt, optimizer.keeps_own_states())


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
