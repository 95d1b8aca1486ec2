"""Dicts and lists that note when they are written to: states and parameters, which a step need not look at then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Flag", "Noted", "NotedList"]


class Flag:
    """A bool that several hold and see change."""

    __slots__ = ("is_set",)

    def __init__(self, is_set: bool = False) -> None:
        self.is_set = is_set


class Noted(dict[Any, Any]):
    """A dict that sets a flag, which several may share, whenever it is changed; reading it costs nothing more."""

    __slots__ = ("changed",)

    def __init__(self, changed: Flag, *args: Any) -> None:
        self.changed = changed
        super().__init__(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy marks no optimizer


class NotedList(list[Any]):
    """A list that does the same."""

    __slots__ = ("changed",)

    def __init__(self, changed: Flag, *args: Any) -> None:
        self.changed = changed
        super().__init__(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


def _noting(plain: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Noted | NotedList, *args: Any, **kwargs: Any) -> Any:
        self.changed.is_set = True
        return plain(self, *args, **kwargs)

    method.__name__ = plain.__name__
    return method


for _name in ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(Noted, _name, _noting(getattr(dict, _name)))
for _name in (
    *("__setitem__", "__delitem__", "__iadd__", "__imul__", "append", "clear"),
    *("extend", "insert", "pop", "remove", "reverse", "sort"),
):
    setattr(NotedList, _name, _noting(getattr(list, _name)))
