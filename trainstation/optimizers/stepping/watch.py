"""Whether a step can go on with what the last one checked: the same groups, parameters, values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.optimizers.groups import gradient_of
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.noted import Flag, NotedList
from trainstation.optimizers.stepping.rows import Hold, Row

__all__ = ["Watch", "are_equal"]

Array = NDArray[Any]


class Watch:
    """What the rows of a table were made of.

    Values are compared by identity, as are gradients, which it holds: their owners are told (`_hold`), for backward
    must see whether the buffer is needed elsewhere. Looking allocates nothing that grows with the number of parameters.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        rows: Sequence[Row],
        wanted: Sequence[Any] | None,
        written: Sequence[Array] = (),
        *,
        in_c: bool = False,
    ) -> None:
        """Note the groups, and for each parameter its array and gradient.

        Args:
            groups: of the optimizer.
            rows: of the step.
            wanted: the list of parameters that was asked for.
            written: the arrays of the rows that a step writes to.
            in_c: whether C may look at arrays and gradients, for which it gets `references`.

        """
        self.wanted = None if wanted is None else list(wanted)
        self._rows = {id(row.parameter): row for row in rows}
        self._owners = {id(owner) for owner in map(_owner, written)}
        self._groups = [_snapshot(group) for group in groups]
        self._linked = [list(group["params"]) for group in groups]
        self._lists: list[tuple[list[Array], list[Hold], Callable[..., bool]]] = []
        nothing = Hold(None, Flag(), None)
        for parameters in self._linked if self.wanted is None else [self.wanted]:
            holds = [self._rows[id(each)].hold if id(each) in self._rows else nothing for each in parameters]
            is_ours = all(hasattr(parameter, "_hold") for parameter in parameters)
            datas = [parameter.data for parameter in parameters]
            self._lists.append((datas, holds, _unmoved if is_ours else _unmoved_foreign))
            for parameter, hold in zip(parameters, holds, strict=True):
                if hasattr(parameter, "_hold") and hold.gradient is not None:
                    parameter._hold = hold
        in_c = in_c and wanted is None and all(isinstance(group["params"], NotedList) for group in groups)
        found = self._refer() if in_c else None
        self._in_c = found is not None
        self.references = np.zeros(0, kernels.REFERENCE) if found is None else found

    def __del__(self) -> None:
        """Release the holds on gradients."""
        self.drop()

    def drop(self) -> None:
        """Tell the parameters that their gradients are held no longer."""
        for row in self._rows.values():
            if getattr(row.parameter, "_hold", None) is row.hold:
                row.parameter._hold = None

    def _refer(self) -> Array | None:
        """Return all references that are to stay as they are, three of each parameter; None if C cannot see them."""
        found: list[tuple[int, int]] = []
        for parameters, (datas, holds, _) in zip(self._linked, self._lists, strict=True):
            for parameter, data, hold in zip(parameters, datas, holds, strict=True):
                references = _references(parameter, data, hold)
                if references is None:
                    return None
                found += references
        return np.array(found, kernels.REFERENCE)

    def changed_groups(self, groups: Sequence[Group]) -> list[int] | None:
        """Return which groups have other hyper-parameters than at the last step; None if there are other groups."""
        if len(groups) != len(self._groups):
            return None
        return [index for index, known in enumerate(self._groups) if not are_equal(groups[index], known)]

    def note_group(self, index: int, group: Group) -> None:
        """Take the hyper-parameters of a group as they are now."""
        self._groups[index] = _snapshot(group)

    def is_current(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> bool:
        """Whether nothing has changed, so that all has been checked."""
        if len(groups) != len(self._groups):
            return False
        try:
            if self._in_c:
                for group, known in zip(groups, self._groups):  # noqa: B905  # as many; every step looks here
                    if group["params"] is not known["params"] or group != known:
                        return False
                return wanted is None
            if wanted is None and self.wanted is None:
                lists = zip(groups, self._groups, self._lists)  # noqa: B905  # as many of each; every step looks here
                for group, known, (datas, holds, unmoved) in lists:
                    if group != known or not unmoved(group["params"], datas, holds):
                        return False
                return True
            if list(groups) != self._groups or not self._asks_for(groups, wanted):
                return False
        except ValueError:  # arrays among the hyper-parameters compare element by element
            return False
        datas, holds, unmoved = self._lists[0]
        return unmoved(wanted, datas, holds)

    def _asks_for(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> bool:
        """Whether a list of parameters is that of the last step, and all is linked that was."""
        if wanted is None or self.wanted is None:
            return wanted is self.wanted
        return _same(wanted, self.wanted) and all(
            _same(group["params"], linked) for group, linked in zip(groups, self._linked, strict=True)
        )

    def moved_gradients(self, groups: Sequence[Group], wanted: Sequence[Any] | None) -> list[Row] | None:
        """Take other gradients; None if more has changed, or one needs another look at the whole table.

        An array that owns its memory overlaps with none that another one owns.
        """
        if id(None) in self._owners or len(groups) != len(self._linked) or not self._asks_for(groups, wanted):
            return None
        found: list[tuple[Any, list[Hold], int, int]] = []
        lists = [group["params"] for group in groups] if wanted is None else [wanted]
        before = 0
        for parameters, (datas, holds, _) in zip(lists, self._lists, strict=True):
            if len(parameters) != len(datas):
                return None
            for place, (parameter, data, hold) in enumerate(zip(parameters, datas, holds, strict=True)):
                if parameter.data is not data:
                    return None
                if parameter.grad is not hold.owner or gradient_of(parameter) is not hold.gradient:
                    if not self._may_take(parameter, hold):
                        return None
                    found.append((parameter, holds, place, before + place))
            before += len(datas)
        return [self._take(*each) for each in found]

    def _may_take(self, parameter: Any, hold: Hold) -> bool:
        """Whether a parameter's gradient can be taken without a look at any other array."""
        if id(parameter) not in self._rows or type(parameter.grad) is not type(hold.owner):
            return False
        gradient = gradient_of(parameter)
        return gradient is hold.gradient or (_may_replace(gradient, hold.gradient) and id(gradient) not in self._owners)

    def _take(self, parameter: Any, holds: list[Hold], place: int, number: int) -> Row:
        """Take a parameter's gradient: that of a place in a list, a number in all lists."""
        row = self._rows[id(parameter)]
        row.hold = hold = holds[place] = Hold(gradient_of(parameter), row.hold.busy, parameter.grad)
        if hasattr(parameter, "_hold"):
            parameter._hold = hold
        if self._in_c:
            self.references[3 * number : 3 * number + 3] = _references(parameter, row.data, hold)
        return row


def _references(parameter: Any, data: Array, hold: Hold) -> list[tuple[int, int]] | None:
    """Return where a parameter keeps its array and its gradient, where that keeps its own, and what is there."""
    data_at, grad_at = kernels.offset_of(type(parameter), "data"), kernels.offset_of(type(parameter), "_grad")
    if data_at is None or grad_at is None:
        return None
    owned = id(parameter) + grad_at, id(hold.owner)
    references = [(id(parameter) + data_at, id(data)), owned, owned]
    if hold.owner is not hold.gradient:
        at = kernels.offset_of(type(hold.owner), "data")
        if at is None:
            return None
        references[2] = id(hold.owner) + at, id(hold.gradient)
    return references


def are_equal(group: Group, known: Group) -> bool:
    """Whether two groups have the same entries."""
    try:
        return group == known
    except ValueError:  # arrays compare element by element
        return False


def _snapshot(group: Group) -> Group:
    """Copy a group; a list in it may be written to in place. That of the parameters is looked at one by one."""
    return {key: list(value) if type(value) is list and key != "params" else value for key, value in group.items()}


def _same(these: Sequence[Any], those: Sequence[Any]) -> bool:
    return len(these) == len(those) and all(map(is_, these, those))


def _owner(array: Array) -> Array | None:
    """Return the array to which the memory of this one belongs, if that is an array."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array if array.flags.owndata else None


def _may_replace(gradient: Any, former: Array | None) -> bool:
    """Whether a gradient may stand where another one stood, without a look at any other array."""
    return (
        isinstance(gradient, np.ndarray)
        and former is not None
        and gradient.shape == former.shape
        and gradient.dtype == former.dtype
        and gradient.flags.owndata
        and gradient.flags.c_contiguous
    )


def _unmoved(parameters: Sequence[Any], datas: list[Array], holds: list[Hold]) -> bool:
    """Whether each parameter has its array and its gradient: the inner loop of every step."""
    if len(parameters) != len(datas):
        return False
    for parameter, data, hold in zip(parameters, datas, holds):  # noqa: B905  # as many of each
        gradient = parameter._grad
        if parameter.data is not data or (None if gradient is None else gradient.data) is not hold.gradient:
            return False
    return True


def _unmoved_foreign(parameters: Sequence[Any], datas: list[Array], holds: list[Hold]) -> bool:
    """The same, of parameters of any class."""
    return len(parameters) == len(datas) and all(
        parameter.data is data and gradient_of(parameter) is hold.gradient
        for parameter, data, hold in zip(parameters, datas, holds, strict=True)
    )
