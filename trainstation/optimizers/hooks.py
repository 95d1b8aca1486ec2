"""Hooks of a step: functions that are called before and after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["StepHook", "StepHooks"]

StepHook = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


class StepHooks:
    """The hooks of one optimizer."""

    def __init__(self) -> None:
        self.before: dict[int, StepHook] = {}
        self.after: dict[int, StepHook] = {}

    def call(self, optimizer: Any, step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Step with all hooks around it."""
        for hook in list(self.before.values()):
            changed = hook(optimizer, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):  # noqa: PLR2004  # args, kwargs
                    msg = f"a hook before a step returns None or a tuple of new args and kwargs, not {changed!r}"
                    raise RuntimeError(msg)
                args, kwargs = changed
        result = step(*args, **kwargs)
        for hook in list(self.after.values()):
            hook(optimizer, args, kwargs)
        return result
