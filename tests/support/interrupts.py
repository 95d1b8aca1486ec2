"""Ctrl-C at every line of a call: what is left behind, and what Python says of errors that nobody can catch."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

Things = TypeVar("Things")
Begin = Callable[[], tuple[Things, Callable[[], object]]]


class Interrupted(KeyboardInterrupt):
    """What Ctrl-C raises in these tests."""


def interruptions(
    begin: Begin[Things], *, whole: bool = False, also: str = "", part: tuple[int, int] = (0, 1)
) -> Iterator[tuple[str, Things]]:
    """Interrupt a call before its lines in our packages, one at a time, each time on things made anew.

    Args:
        begin: makes the things; returns them, and the call.
        whole: whether a line is interrupted each time that it runs; else the first and the last time.
        also: a module whose lines are interrupted, too.
        part: k and n, for the kth of n parts of what lies outside of plugins; others interrupt the rest.

    Yields where it was, and the things as they are then.

    Raises:
        AssertionError: at the end, if something else than the interrupt was raised, or ignored with a message, or if
            an interrupt was lost.

    """
    begin()[1]()  # caches fill
    wrong: list[str] = []
    errors: list[BaseException] = []
    with _ignored_errors() as ignored:
        for number in itertools.count(1) if whole else _numbers(begin, _Lines(also), *part):
            things, act = begin()
            lines = _Lines(also, stop=number)
            is_interrupted = False
            try:
                with lines:
                    act()
            except Interrupted:
                is_interrupted = True  # what the traceback holds is let go of before anybody looks
            except BaseException as error:  # noqa: BLE001  # whatever it is, it is not the interrupt
                wrong.append(f"{lines.place}: {type(error).__name__}: {error}")
                errors.append(error)
                continue
            if not lines.place:  # it has not so many lines
                if whole:
                    break
                continue
            if not is_interrupted and not any(map(_is_interrupt, ignored)):  # those in callbacks go no further
                wrong.append(f"{lines.place}: the interrupt was lost")
            yield lines.place, things
            wrong += [f"{lines.place}: ignored: {text}" for text in ignored if not _is_interrupt(text)]
            ignored.clear()
    if wrong:
        msg = "\n".join([f"{len(wrong)} interrupts had other effects", *wrong[:5]])
        raise AssertionError(msg) from (errors[0] if errors else None)


def _is_interrupt(text: str) -> bool:
    return text.startswith(Interrupted.__name__)


def _numbers(begin: Begin[Any], lines: "_Lines", k: int, n: int) -> Iterable[int]:
    """Return the first and the last number of each line that a call runs, or of a part of them."""
    _, act = begin()
    with lines:
        act()
    numbers = sorted({number for pair in lines.seen.values() for number in pair})
    return sorted({*numbers[k % n :: n], *lines.of_plugins.intersection(numbers)})


class _Lines:
    """Counts the lines that run in our packages, and interrupts before one of them, or notes which they are."""

    def __init__(self, also: str, *, stop: int | None = None) -> None:
        self.also = also
        self.stop = stop
        self.count = 0
        self.place = ""  # of the interrupt
        self.seen: dict[tuple[int, int], tuple[int, int]] = {}  # of each line the first and the last number
        self.of_plugins: set[int] = set()

    def __enter__(self) -> None:
        self._before = sys.gettrace()
        sys.settrace(self._call)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if self._is_ours(frame) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event != "line" or self.place:
            return self._line
        self.count += 1
        if self.stop is None:
            line = id(frame.f_code), frame.f_lineno
            self.seen[line] = self.seen.get(line, (self.count,))[0], self.count
            if _package(frame) != "trainstation":
                self.of_plugins.add(self.count)
        elif self.count == self.stop:
            path = Path(frame.f_code.co_filename)
            self.place = f"before {path.parent.name}/{path.name}:{frame.f_lineno}, in {frame.f_code.co_name}()"
            raise Interrupted
        return self._line

    def _is_ours(self, frame: FrameType) -> bool:
        package = _package(frame)
        is_other = package != "trainstation" and not package.startswith("trainstation_")
        return not is_other or frame.f_globals.get("__name__") == self.also


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


@contextmanager
def _ignored_errors() -> Iterator[list[str]]:
    """Note what Python would print of errors out of `__del__` and of callbacks."""
    seen: list[str] = []

    def note(found: Any) -> None:
        seen.append(f"{found.exc_type.__name__}: {found.exc_value}, in {found.object!r}")

    before, sys.unraisablehook = sys.unraisablehook, note
    try:
        yield seen
    finally:
        sys.unraisablehook = before
