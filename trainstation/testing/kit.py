"""Runs the table of checks: as a function, as tests of pytest, and for the command line."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from trainstation.optimizers import Optimizer
from trainstation.testing.catalogue import CHECKS, Check
from trainstation.testing.subject import Subject
from trainstation.testing.verdicts import FAILED, NOT_APPLICABLE, NOT_RUN, OK, CheckError, NotApplicable, Result

if TYPE_CHECKING:
    import pytest

__all__ = ["check_optimizer", "parametrize_with_checks", "run_checks"]

What = str | type[Optimizer]
BY_NAME = {check.name: check for check in CHECKS}


def check_optimizer(optimizer: What, **options: Any) -> tuple[Result, ...]:
    """Check that an optimizer does what every optimizer of trainstation does.

    Args:
        optimizer: its name, or its class.
        options: hyper-parameters to make it with, for a variant that has states or a rule of its own.

    Returns:
        What came of each check; some may be "not applicable", and say why.

    Raises:
        CheckError: it fails; names each check that it fails, and what to change.
        UnknownOptimizerError, DuplicateOptimizerError: see `trainstation.get_optimizer`.
        TypeError: it is no subclass of `Optimizer`.

    >>> from trainstation.testing import check_optimizer
    >>> results = check_optimizer("sgd", momentum=0.9, nesterov=True)
    >>> {result.status for result in results}
    {'ok'}

    """
    subject = Subject(optimizer, options)
    results = tuple(run_checks(subject))
    failures = [result for result in results if result.status == FAILED]
    if failures:
        lines = [f"{subject.label} fails {len(failures)} of {len(results)} checks:"]
        lines += [f"- {result.check}: {result.detail}" for result in failures]
        raise CheckError("\n".join(lines), failures) from subject.results[failures[0].check][1]
    return results


def run_checks(subject: Subject) -> Iterator[Result]:
    """Run all checks of one optimizer, and yield what came of each as soon as it is known."""
    subject.cls  # noqa: B018  # a wrong name is an error of the caller, not of a check
    for check in CHECKS:
        yield _outcome(check, subject)[0]


def _outcome(check: Check, subject: Subject) -> tuple[Result, Exception | None]:
    """Return what comes of a check, and what it raised; it is run once."""
    if check.name not in subject.results:
        status, detail, raised = _run(check, subject)
        subject.results[check.name] = Result(subject.label, check.name, status, detail), raised
    return subject.results[check.name]


def _run(check: Check, subject: Subject) -> tuple[str, str, Exception | None]:
    for name in check.needs:
        if _outcome(BY_NAME[name], subject)[0].status != OK:
            return NOT_RUN, f"it rests on {name}, which is not ok", None
    try:
        return OK, check.function(subject), None
    except NotApplicable as reason:
        return NOT_APPLICABLE, str(reason), None
    except CheckError as error:
        return FAILED, str(error), error
    except Exception as error:  # noqa: BLE001  # an author's code may raise anything
        return FAILED, f"{_described(error, subject)}. Wanted: {check.wants}", error


def _described(error: Exception, subject: Subject) -> str:
    """Say what was raised, with the place: in the module of the class, if it comes by there."""
    frames = traceback.extract_tb(error.__traceback__)
    files = {getattr(sys.modules.get(cls.__module__), "__file__", None) for cls in subject.cls.__mro__}
    frame = next((each for each in reversed(frames) if each.filename in files), frames[-1])
    return f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno}, in {frame.name})"


def parametrize_with_checks(optimizers: Sequence[What | tuple[What, Mapping[str, Any]]]) -> pytest.MarkDecorator:
    """Make a test into one for each optimizer and check; it calls its argument `check`.

        @parametrize_with_checks(["lion", MyOptimizer, ("sgd", {"momentum": 0.9})])
        def test_conforms(check):
            check()

    The tests are named as in `test_conforms[lion-writes_no_gradient]`. One that is not applicable is skipped, and says
    why; one that rests on a check that fails, too.

    Args:
        optimizers: names, classes, or pairs of one of them and hyper-parameters to make it with.

    """
    import pytest

    subjects = [Subject(*each) if isinstance(each, tuple) else Subject(each) for each in optimizers]
    tests = [
        pytest.param(partial(_test, check, subject), id=f"{subject.label}-{check.name}")
        for subject in subjects
        for check in CHECKS
    ]
    return pytest.mark.parametrize("check", tests)


def _test(check: Check, subject: Subject) -> None:
    import pytest

    __tracebackhide__ = True
    subject.cls  # noqa: B018  # as above
    result, raised = _outcome(check, subject)
    if result.status == FAILED:
        raise CheckError(result.detail, [result]) from raised
    if result.status in (NOT_APPLICABLE, NOT_RUN):
        pytest.skip(f"{result.status}: {result.detail}")
