"""Schedules of the learning rate in trials: an axis of the benchmark, the same one for everyone."""

from __future__ import annotations

from collections.abc import Callable

from trainstation.registry.names import Entry
from trainstation.schedules import Cosine, Joined, Linear, Schedule

__all__ = ["SCHEDULES", "schedule_of"]

WARM_UP, COOL_DOWN = 0.05, 0.2  # of the steps


def _constant(steps: int) -> Schedule:  # noqa: ARG001  # as the others
    return Linear(1.0, 1.0, 1)


def _warm_up(steps: int) -> tuple[Linear, int]:
    """Return the rise to the base rate, and where it ends."""
    over = max(1, round(WARM_UP * steps))
    return Linear(1 / (over + 1), 1.0, over), over


def _warm(steps: int) -> Schedule:
    rise, over = _warm_up(steps)
    return Joined((rise, Linear(1.0, 1.0, 1)), (over,))


def _cosine(steps: int) -> Schedule:
    rise, over = _warm_up(steps)
    return Joined((rise, Cosine(max(1, steps - over))), (over,))


def _trapezoid(steps: int) -> Schedule:
    rise, over = _warm_up(steps)
    fall = max(1, round(COOL_DOWN * steps))
    return Joined((rise, Linear(1.0, 1.0, 1), Linear(1.0, 0.0, fall)), (over, max(over, steps - fall)))


# Rates of the step, as multiples of the optimizer's rate.
SCHEDULES: dict[str, Callable[[int], Schedule]] = {
    "constant": _constant,
    "warmup": _warm,
    "cosine": _cosine,
    "trapezoid": _trapezoid,
}


def schedule_of(entry: Entry, name: str) -> str:
    """Return the schedule that an optimizer gets where `name` is asked for: a schedule-free one never falls."""
    return "warmup" if "schedule-free" in entry.spec.tags and name in ("cosine", "trapezoid") else name
