"""Whether a step can go on with what the last one checked: the same groups with the same parameters and settings."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Any

from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.noted import NotedList

__all__ = ["Watch", "are_equal", "are_same"]


class Watch:
    """The groups as they were; what they refer to, C looks at.

    Lists of parameters that note when they are written to are compared by identity. A list that a user has put in the
    place of one is compared element by element.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = [_snapshot(group) for group in groups]
        self._lists = [
            (group["params"], list(group["params"])) for group in groups if type(group["params"]) is not NotedList
        ]

    def is_current(self, groups: Sequence[Group]) -> bool:
        """Whether nothing has changed: what most steps find."""
        if len(groups) != len(self._groups) or self._lists:
            return False
        try:
            for group, known in zip(groups, self._groups):  # noqa: B905  # as many; every step looks here
                if group["params"] is not known["params"] or group != known:
                    return False
        except ValueError:  # arrays compare element by element
            return False
        return True

    def has_parameters(self, groups: Sequence[Group]) -> bool:
        """Whether there are the same groups, with the same parameters."""
        if len(groups) != len(self._groups):
            return False
        pairs = zip(groups, self._groups, strict=True)
        return all(group["params"] is known["params"] for group, known in pairs) and all(
            are_same(now, known) for now, known in self._lists
        )

    def changed_groups(self, groups: Sequence[Group]) -> list[int]:
        """Return which of the same groups have other hyper-parameters."""
        changed = []
        for index, known in enumerate(self._groups):
            if not are_equal(groups[index], known):
                changed.append(index)  # every step looks here
        return changed

    def note_group(self, index: int, group: Group) -> None:
        """Take the hyper-parameters of a group as they are now."""
        self._groups[index] = _snapshot(group)


def are_equal(group: Group, known: Group) -> bool:
    """Whether two groups have the same entries."""
    try:
        return group == known
    except ValueError:  # arrays compare element by element
        return False


def are_same(these: Sequence[Any], those: Sequence[Any]) -> bool:
    """Whether two lists hold the same objects."""
    return len(these) == len(those) and all(map(is_, these, those))


def _snapshot(group: Group) -> Group:
    """Copy a group; a list in it may be written to in place."""
    return {key: list(value) if type(value) is list and key != "params" else value for key, value in group.items()}
