"""Dicts that note when they are written to: an optimizer's states, so that a step need not look at each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Noted"]


class Noted(dict[Any, Any]):
    """A dict that sets a flag, which several may share, whenever it is changed; reading it costs nothing more."""

    __slots__ = ("changed",)

    def __init__(self, changed: list[bool], *args: Any) -> None:
        self.changed = changed
        super().__init__(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy is nobody's


def _noting(name: str) -> Callable[..., Any]:
    plain = getattr(dict, name)

    def method(self: Noted, *args: Any, **kwargs: Any) -> Any:
        self.changed[0] = True
        return plain(self, *args, **kwargs)

    method.__name__ = name
    return method


for _name in ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(Noted, _name, _noting(_name))
