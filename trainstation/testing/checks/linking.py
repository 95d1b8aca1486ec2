"""Checks of parameters that come late, and of gradients that are missing or no numbers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from trainstation.errors import MissingGradientError, NoGradientWarning, NonFiniteGradientError
from trainstation.optimizers import Optimizer
from trainstation.optimizers.groups import gradient_of
from trainstation.tensor import Tensor
from trainstation.testing.runs import difference, draw, give, run, seen, snapshot
from trainstation.testing.subject import Shape, Subject
from trainstation.testing.verdicts import NotApplicable, fail

__all__ = ["late_parameters", "missing_gradients", "nonfinite_gradients"]

COUNT_BY_PARAMETER = "count by parameter: take t from `scalars(hyper, t)`, and keep no counter of the whole optimizer"


def late_parameters(subject: Subject) -> str:
    """Check parameters that are linked between steps, to a group that is there and to a new one."""
    shapes = subject.shapes
    early, late = subject.parameters(), draw(shapes, first=len(shapes))
    half = len(shapes) // 2
    optimizer = subject.make(list(early.values()))
    run(optimizer, early, range(5))
    optimizer.add_parameters(list(late.values())[:half])
    optimizer.add_param_group({"params": list(late.values())[half:]})
    run(optimizer, early | late, range(5, 9))
    for p in late.values():
        if int(optimizer.state[p]["step"]) != 4:  # noqa: PLR2004  # steps since it was linked
            fail(f"4 steps after it was linked, a parameter's step is {optimizer.state[p]['step']}", COUNT_BY_PARAMETER)
    if subject.coupled:
        return "parameters depend on each other through `prepare`: counters were compared, values were not"
    for parameters, first, name in ((late, 5, "a parameter that was linked late"), (early, 0, "one beside it")):
        alone = draw(shapes, first=min(parameters))
        other = subject.make(list(alone.values()))
        run(other, alone, range(first, 9))
        for number, p in parameters.items():
            if text := difference(seen(optimizer, p), seen(other, alone[number])):
                fail(f"{name} ends elsewhere than in an optimizer of its own: {text}", COUNT_BY_PARAMETER)
    return ""


def missing_gradients(subject: Subject) -> str:
    """Check that a parameter without gradient is left as it is, and that asking for it is an error."""
    parameters = subject.parameters()
    optimizer = subject.make(list(parameters.values()), **subject.decay)
    numbers = list(parameters)
    for t in range(4):
        give(parameters, t)
        for number in (numbers[0], numbers[-1]) if t > 1 else (numbers[0],):
            parameters[number].grad = None
        before = {number: seen(optimizer, p) for number, p in parameters.items()}
        absent = [number for number, p in parameters.items() if p.grad is None]
        optimizer.step()
        for number, p in parameters.items():
            text = difference(seen(optimizer, p), before[number])
            if number in absent and text:
                what = "has never had a gradient" if number == numbers[0] else "has none any more"
                fail(f"a parameter that {what} is changed: {text}", "touch only what `update` is called for")
            if number not in absent and not text:
                fail("beside a parameter without gradient, another is not stepped", "step those that have one")
    _ask_for_missing(optimizer, parameters, numbers[0])
    return ""


def _ask_for_missing(optimizer: Optimizer, parameters: dict[int, Tensor], number: int) -> None:
    """Check a step of a parameter that has no gradient, and one in which none has."""
    before = {number: seen(optimizer, p) for number, p in parameters.items()}
    try:
        optimizer.step([parameters[number]])
    except MissingGradientError:
        pass
    else:
        fail("step([p]) of a parameter without gradient raises nothing", "leave it to Optimizer.step")
    for p in parameters.values():
        p.grad = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoGradientWarning)
        optimizer.step()
    if text := difference({number: seen(optimizer, p) for number, p in parameters.items()}, before):
        fail(f"a step without any gradient changes something: {text}", "touch only what `update` is called for")


def nonfinite_gradients(subject: Subject) -> str:
    """Check that a step that is refused leaves no trace, at the first step and later."""
    if "on_nonfinite" not in subject.keywords:
        msg = "it takes no on_nonfinite"
        raise NotApplicable(msg)
    for policy in ("skip", "raise"):
        for value in (np.nan, -np.inf):
            for warm in (0, 3):
                _refuse(subject, policy, value, warm)
    return ""


def _refuse(subject: Subject, policy: str, value: float, warm: int) -> None:
    shapes: Sequence[Shape] = subject.shapes
    parameters = subject.parameters(shapes)
    optimizer = subject.make(list(parameters.values()), on_nonfinite=policy, **subject.decay)
    run(optimizer, parameters, range(warm))
    before = snapshot(optimizer, parameters)
    give(parameters, warm)
    wrong = gradient_of(parameters[len(shapes) - 1])
    wrong.reshape(-1)[-1] = value
    change = "do nothing before `update`: `prepare` is called before gradients are looked at, and must only read"
    try:
        optimizer.step()
    except NonFiniteGradientError:
        refused = policy == "raise"
    else:
        refused = policy == "skip" and optimizer.last_step is not None and optimizer.last_step.skipped
    if not refused:
        fail(
            f"on_nonfinite={policy!r} does not refuse a gradient with {value}", "pass on_nonfinite to super().__init__"
        )
    if text := difference(snapshot(optimizer, parameters), before):
        fail(f"a step that on_nonfinite={policy!r} refused has left a trace: {text}", change)
    run(optimizer, parameters, range(warm, warm + 3))
    others = subject.parameters(shapes)
    other = subject.make(list(others.values()), on_nonfinite=policy, **subject.decay)
    run(other, others, range(warm + 3))
    if text := difference(snapshot(optimizer, parameters), snapshot(other, others)):
        fail(f"steps after one that on_nonfinite={policy!r} refused end elsewhere than without it: {text}", change)
