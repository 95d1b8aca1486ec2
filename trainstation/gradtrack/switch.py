"""Whether operations are recorded: a switch for each thread, as contexts and decorators."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

__all__ = ["NoGradTrack", "enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]

P = ParamSpec("P")
R = TypeVar("R")


class _Switch(threading.local):
    def __init__(self) -> None:
        self.enabled = True
        self.former: list[bool] = []


_switch = _Switch()


def is_grad_enabled() -> bool:
    """Whether operations of this thread are recorded."""
    return _switch.enabled


class _Mode:
    """A context and decorator that records or not; what was before is kept by thread, so one object serves many."""

    def __init__(self, mode: bool) -> None:
        self._mode = mode

    def __enter__(self) -> Self:
        _switch.former.append(_switch.enabled)
        _switch.enabled = self._mode
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _switch.enabled = _switch.former.pop()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, or a generator function: then what its caller does between the steps is not affected."""
        if inspect.isgeneratorfunction(function):
            return self._decorate_generator(function)

        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            with _Mode(self._mode):
                return function(*args, **kwargs)

        return wrapped

    def _decorate_generator(self, function: Callable[P, Any]) -> Callable[P, Any]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, Any]:
            generator = function(*args, **kwargs)
            resume = functools.partial(next, generator)
            while True:
                try:
                    with _Mode(self._mode):
                        value = resume()
                except StopIteration as end:
                    return end.value
                try:
                    resume = functools.partial(generator.send, (yield value))
                except BaseException as error:  # noqa: BLE001  # GeneratorExit too: the generator decides
                    resume = functools.partial(generator.throw, error)

        return wrapped


class _PlainMode(_Mode):
    """A mode without arguments: as a decorator, the parentheses may be left out."""

    @overload
    def __new__(cls) -> Self: ...
    @overload
    def __new__(cls, function: Callable[P, R], /) -> Callable[P, R]: ...  # type: ignore[misc]  # as in torch
    def __new__(cls, function: Any = None, /) -> Any:  # type: ignore[misc]  # likewise
        """Make the context, or decorate `function` at once."""
        return super().__new__(cls) if function is None else cls()(function)


class no_grad(_PlainMode):  # noqa: N801  # torch's name
    """Record nothing inside: `with no_grad():`, or as a decorator."""

    def __init__(self) -> None:
        super().__init__(mode=False)


class enable_grad(_PlainMode):  # noqa: N801  # torch's name
    """Record inside, also within `no_grad`: `with enable_grad():`, or as a decorator."""

    def __init__(self) -> None:
        super().__init__(mode=True)


class set_grad_enabled(_Mode):  # noqa: N801  # torch's name
    """Record or not from now on; as a context or a decorator, only inside."""

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self._before: bool | None = _switch.enabled
        _switch.enabled = mode

    def __enter__(self) -> Self:
        self._restore()
        return super().__enter__()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function; nothing changes outside of it."""
        self._restore()
        return super().__call__(function)

    def _restore(self) -> None:
        """Take back, once, what making this object has set: it was meant as a context or a decorator."""
        if self._before is not None:
            _switch.enabled, self._before = self._before, None


NoGradTrack = no_grad
