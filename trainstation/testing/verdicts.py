"""What comes of a check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

__all__ = ["FAILED", "NOT_APPLICABLE", "NOT_RUN", "OK", "CheckError", "NotApplicable", "Result", "fail"]

OK, FAILED, NOT_APPLICABLE, NOT_RUN = "ok", "failed", "not applicable", "not run"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check of one optimizer.

    Attributes:
        optimizer: its name, with the options that it was made with.
        check: the name of the check.
        status: ok, failed, not applicable, or not run: another check that it rests on has failed.
        detail: of a failure, what was seen and what to change; else why there was nothing to check, or what was left
            out.

    """

    optimizer: str
    check: str
    status: str
    detail: str


class CheckError(AssertionError):
    """Checks that an optimizer has failed, each with what to change.

    Attributes:
        failures: their results.

    """

    def __init__(self, message: str, failures: Sequence[Result] = ()) -> None:
        super().__init__(message)
        self.failures = tuple(failures)


class NotApplicable(Exception):  # noqa: N818  # no error: a check says that there is nothing for it to look at
    """There is nothing for this check to look at, and why."""


def fail(seen: str, change: str) -> NoReturn:
    """End a check: what was seen, and what its author is to change."""
    msg = f"{seen}. To change: {change}."
    raise CheckError(msg)
