"""The kit has teeth: each wrong optimizer is caught by its check, and by no other."""

import broken
import pytest
from broken.right import Right

from trainstation.testing import CHECKS, CheckError, check_optimizer
from trainstation.testing.kit import run_checks
from trainstation.testing.subject import Subject

WRONG = [(check, cls) for check, classes in broken.CAUGHT_BY.items() for cls in classes]


def test_there_is_a_wrong_optimizer_for_each_check():
    assert list(broken.CAUGHT_BY) == [check.name for check in CHECKS]
    assert all(broken.CAUGHT_BY.values())


@pytest.mark.parametrize(("check", "cls"), WRONG, ids=[cls.__name__ for _, cls in WRONG])
def test_is_caught_by_its_check_alone(check, cls):
    subject = Subject(cls)
    results = {result.check: result for result in run_checks(subject)}
    assert list(results) == [each.name for each in CHECKS]
    assert [name for name, result in results.items() if result.status == "failed"] == [check]
    # What is not run rests on it; all else was.
    rests = {each.name for each in CHECKS if check in each.needs}
    assert {name for name, result in results.items() if result.status == "not run"} == rests
    without = {name for name, result in results.items() if result.status == "not applicable"}
    assert without - rests == set() if check == "compiled_rule" else without <= {"compiled_rule"}


def test_what_they_are_made_from_is_right():
    statuses = {result.check: result.status for result in check_optimizer(Right)}
    assert statuses.pop("compiled_rule") == "not applicable"
    assert set(statuses.values()) == {"ok"}


@pytest.mark.parametrize(
    ("cls", "texts"),
    [
        (
            broken.arithmetic.WritesToItsGradient,
            ["ValueError: output array is read-only", "arithmetic.py:", "in update"],
        ),
        (
            broken.arithmetic.HalvesGradients,
            ["writes_no_gradient: ", "changed the .grad", "To change: ", "g = g + ..."],
        ),
        (broken.bookkeeping.GlobalCounter, ["late_parameters: ", "linked late", "To change: count by parameter"]),
        (broken.interface.ArgumentsWithoutDescription, ["docstring: ", "warmth", "under `Args:`"]),
    ],
)
def test_a_failure_says_what_was_seen_and_what_to_change(cls, texts):
    with pytest.raises(CheckError) as caught:
        check_optimizer(cls)
    assert str(caught.value).startswith(f"{cls.__name__} fails 1 of {len(CHECKS)} checks:\n- ")
    assert isinstance(caught.value, AssertionError)
    assert [failure.check for failure in caught.value.failures] == [
        check for check, classes in broken.CAUGHT_BY.items() if cls in classes
    ]
    assert caught.value.__cause__ is not None
    for text in texts:
        assert text in str(caught.value)


def test_several_failures_are_named_together():
    class Twice(broken.arithmetic.Uphill):
        pass

    with pytest.raises(CheckError, match=r"Twice fails 2 of \d+ checks:\n- docstring: (.|\n)*\n- converges: "):
        check_optimizer(Twice)
