"""Whether a step that is interrupted was made or not, and whether training goes on as if nothing had been."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, Self

from interrupts import interruptions

__all__ = ["Moment", "Run", "check_interrupts", "check_whole"]


class Moment(NamedTuple):
    """All that steps change.

    Attributes:
        parameters: for each one, its values, what its state has, its average: bytes by name.
        shared: what is there once.

    """

    parameters: list[dict[str, Any]]
    shared: dict[str, Any]


class Run(Protocol):
    """Something in the course of training."""

    def moment(self) -> Moment:
        """Return what there is now."""

    def go_on(self) -> None:
        """Make three more steps, the same ones in each run."""

    def copied(self) -> Self:
        """Return a fresh optimizer of copies of the parameters, which has loaded a copy of this one's state dict."""


Begin = Callable[[], tuple[Run, Callable[[], object]]]


def check_interrupts(
    begin: Begin,
    *,
    in_turn: Sequence[bool] = (),
    is_independent: bool = True,
    blind: bool = False,
    **which: Any,
) -> None:
    """Interrupt a step at its lines; see `interruptions` and `check_whole`.

    Args:
        begin: makes a run; returns it, and the step.
        in_turn, is_independent: see `check_whole`.
        blind: whether all is done once more without a look at the run before it goes on, for a look may mend it.
        which: the options of `interruptions`; `whole` is blind, too.

    """
    broken = interruptions(begin, **which)
    check_whole(begin, broken, in_turn=in_turn, is_independent=is_independent)
    if (blind or which.get("whole")) and is_independent:
        later, later_if_stepped = (_reference(begin, is_stepped=each)[1] for each in (False, True))
        wrong: list[str] = []

        def go_on(run: Run) -> None:
            run.go_on()
            _stepped(run.moment(), later, later_if_stepped, in_turn)

        _for_each(interruptions(begin, **which), go_on, wrong)
        assert not wrong, "\n".join([f"not survived {len(wrong)} times by what nobody had looked at", *wrong[:9]])


def check_whole(
    begin: Begin, broken: Iterable[tuple[str, Run]], *, in_turn: Sequence[bool] = (), is_independent: bool = True
) -> list[list[bool | None]]:
    """See that a step which something has ended was made or not, and that three more are those of any other run.

    Args:
        begin: makes a run; returns it, and the step.
        broken: where the step was ended, and the run.
        in_turn: for each parameter, whether it is stepped in NumPy: alone, after those before it. The others, by
            default all, are stepped in one call.
        is_independent: whether what becomes of a parameter has nothing to do with other ones' values.

    Returns for each time which parameters were stepped; None for those that the step does not change.

    """
    before, later = _reference(begin, is_stepped=False)
    after, later_if_stepped = _reference(begin, is_stepped=True)
    found: list[list[bool | None]] = []
    wrong: list[str] = []

    def look_at(run: Run) -> None:
        stepped = _stepped(run.moment(), before, after, in_turn)
        expected = _mixed(later, later_if_stepped, stepped, is_independent=is_independent)
        _check_next_steps(run, expected, stepped)
        found.append(stepped)

    _for_each(broken, look_at, wrong)
    assert found or wrong
    assert not wrong, "\n".join([f"not survived {len(wrong)} times, otherwise {len(found)}", *wrong[:9]])
    return found


def _for_each(broken: Iterable[tuple[str, Run]], check: Callable[[Run], None], wrong: list[str]) -> None:
    """Check each run, and note what is wrong with it; at the end with what ended them, too."""
    try:
        for place, run in broken:
            try:
                check(run)
            except Exception as error:  # noqa: BLE001  # the next step may raise anything
                wrong.append(f"{place}: {type(error).__name__}: {error}")
    except AssertionError as error:
        wrong.insert(0, str(error))


def _check_next_steps(run: Run, expected: Moment | None, stepped: list[bool | None]) -> None:
    fresh = run.copied()
    run.go_on()
    fresh.go_on()
    found = run.moment()
    _check_equal(found, fresh.moment(), "the next steps are not those of its state dict")
    if expected is not None:
        _check_equal(found, expected, f"parameters were stepped {stepped}, the next steps differ")


def _mixed(
    later: Moment, later_if_stepped: Moment, stepped: list[bool | None], *, is_independent: bool
) -> Moment | None:
    """Return what is right after three more steps, None if that is not known."""
    if set(stepped) <= {True, None}:
        return later_if_stepped
    if set(stepped) <= {False, None}:
        return later
    if not is_independent:
        return None
    pairs = zip(later.parameters, later_if_stepped.parameters, stepped, strict=True)
    return Moment([right if is_stepped else left for left, right, is_stepped in pairs], {})


def _reference(begin: Begin, *, is_stepped: bool) -> tuple[Moment, Moment]:
    """Return what there is before or after the step, and after three more, where nobody interrupts."""
    run, act = begin()
    if is_stepped:
        act()
    now = run.moment()
    run.go_on()
    return now, run.moment()


def _stepped(found: Moment, before: Moment, after: Moment, in_turn: Sequence[bool]) -> list[bool | None]:
    """Say of each parameter whether it was stepped, None where a step changes nothing; whole, and those before it."""
    made: list[bool | None] = []
    for position, (now, left, right) in enumerate(
        zip(found.parameters, before.parameters, after.parameters, strict=True)
    ):
        assert now in (left, right), f"parameter {position} is half stepped: {_parts(now, left, right)}"
        made.append(None if left == right else now == right)
    alone = in_turn or [False] * len(made)
    turns = [each for each, is_alone in zip(made, alone, strict=True) if is_alone and each is not None]
    together = {each for each, is_alone in zip(made, alone, strict=True) if not is_alone and each is not None}
    assert len(together) < 2, f"some were stepped, some not: {made}"
    assert turns == sorted(turns, reverse=True), f"one was stepped before those that come before it: {made}"
    known = set(made) - {None}
    both = before.shared, after.shared
    if len(known) == 1:
        right = both[known == {True}]
        assert found.shared == right, f"parameters were stepped {made}, not so {_parts(found.shared, *both)}"
    return made


def _check_equal(found: Moment, expected: Moment, text: str) -> None:
    for position, (now, right) in enumerate(zip(found.parameters, expected.parameters, strict=True)):
        assert now == right, f"{text}: parameter {position}, {_parts(now, right, right)}"
    known = {name: value for name, value in found.shared.items() if name in expected.shared}
    assert known == expected.shared, f"{text}: {known}, not {expected.shared}"


def _parts(now: dict[str, Any], left: dict[str, Any], right: dict[str, Any]) -> dict[str, str]:
    """Say of each part whether it is that of before, or of after, but for those that are both."""
    words = {(True, False): "before", (False, True): "after", (False, False): "neither"}
    found = {
        name: (now.get(name) == left.get(name), now.get(name) == right.get(name)) for name in {**left, **right, **now}
    }
    return {name: words[pair] for name, pair in found.items() if pair != (True, True)}
