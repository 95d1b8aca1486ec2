"""Ctrl-C before any line of a step: it was made or not, for all parameters alike, and training goes on from there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from plain import strided
from training import SHAPES, Training, in_numpy, parameters
from wholeness import check_interrupts

import trainstation as ts
from trainstation.optimizers import Adam, Optimizer


class Replacing(Optimizer):
    """Its `update` puts another array into the state."""

    def __init__(self, params: Any = None, lr: float = 0.1, **options: Any) -> None:
        super().__init__(params, {"lr": lr}, **options)

    def init_state(self, p: Any) -> dict[str, Any]:
        return {"momentum": np.ones_like(p.data)}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        return (hyper["lr"] / t,)

    def update(self, p: Any, g: Any, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        state["momentum"] = np.float32(0.5) * state["momentum"] + g
        p -= scalars[0] * state["momentum"]


class Listing(Replacing):
    """Its state has a list of arrays, of which it writes to one, and replaces the other."""

    def init_state(self, p: Any) -> dict[str, Any]:
        return {"past": [np.zeros_like(p.data), np.zeros_like(p.data)], "largest": np.zeros((), np.float32)}

    def update(self, p: Any, g: Any, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        first, second = state["past"]
        first += g
        state["past"][1] = second + first
        state["largest"][...] = max(state["largest"], np.abs(g).max())
        p -= scalars[0] * (first + state["past"][1])


class Kind(NamedTuple):
    """An optimizer class with options, over parameters of some shapes."""

    optimizer: type[Optimizer] = Adam
    options: Mapping[str, Any] = {}
    shapes: Sequence[tuple[int, ...]] = SHAPES
    is_strided: bool = False


class Event(NamedTuple):
    """A step: how many come before it, options of the optimizer, and what is done right before it."""

    begin: Callable[[Training], Callable[[], object]] = lambda run: run.optimizer.step
    steps: int = 2
    averaged: bool = False
    options: Mapping[str, Any] = {}


def along_new_gradients(run: Training) -> Callable[[], object]:
    run.give(7)
    return run.optimizer.step


def along_some_gradients(run: Training) -> Callable[[], object]:
    run.params[1].grad = None
    return run.optimizer.step


def along_one_that_has_come_back(run: Training) -> Callable[[], object]:
    along_some_gradients(run)()
    run.give(7)
    return run.optimizer.step


def along_a_nan(run: Training) -> Callable[[], object]:
    run.params[1].grad.data[2] = np.nan
    return run.optimizer.step


def of_a_list(run: Training) -> Callable[[], object]:
    return lambda: run.optimizer.step([run.params[0], run.params[2]])


def at_another_rate(run: Training) -> Callable[[], object]:
    run.optimizer.set_learning_rate(0.03)
    return run.optimizer.step


KINDS = {
    "float32": Kind(options={"lr": 0.1}),
    "bfloat16": Kind(options={"state_dtype": "bfloat16"}),
    "8bit": Kind(options={"state_dtype": "8bit"}, shapes=((4100,), (17,), (5,))),
    "strided": Kind(is_strided=True),
    "replacing": Kind(Replacing),
    "listing": Kind(Listing),
}
EVENTS = {
    "first": Event(steps=0),
    "first of a list": Event(of_a_list, steps=0),
    "warm": Event(),
    "new gradients": Event(along_new_gradients),
    "some gradients": Event(along_some_gradients),
    "come back": Event(along_one_that_has_come_back),
    "clipped": Event(along_new_gradients, options={"max_grad_norm": 0.5}),
    "averaged": Event(averaged=True),
    "first and averaged": Event(steps=0, averaged=True),
    "skipped": Event(along_a_nan, options={"on_nonfinite": "skip"}),
    "first and skipped": Event(along_a_nan, steps=0, options={"on_nonfinite": "skip"}),
    "of a list": Event(of_a_list),
    "another rate": Event(at_another_rate),
}
# Of each kind every line in some event; of some, whose lines are mostly those of others, one of so many parts.
FEW = [
    *(("float32", event, 1) for event in ("first", "warm", "new gradients", "clipped", "averaged", "skipped")),
    ("float32", "another rate", 1),
    *(("float32", event, 1) for event in ("some gradients", "come back")),
    ("strided", "some gradients", 3),
    *(("float32", event, 4) for event in ("first and averaged", "first and skipped", "of a list")),
    ("bfloat16", "first of a list", 4),
    ("bfloat16", "clipped", 1),
    ("8bit", "warm", 1),
    ("8bit", "new gradients", 2),
    *(("strided", event, 1) for event in ("warm", "averaged")),
    *(("replacing", event, 3) for event in ("first", "skipped")),
    *(("listing", event, 1) for event in ("warm", "averaged")),
]


def begun(kind: Kind, event: Event) -> tuple[Training, Callable[[], object]]:
    params = parameters(kind.shapes)
    if kind.is_strided:
        params[1] = ts.Tensor.from_numpy(strided(params[1].data)).requires_grad_()
    run = Training(
        lambda params: kind.optimizer(params, **kind.options, **event.options),
        params,
        steps=event.steps,
        averaged=event.averaged,
    )
    return run, event.begin(run)


@pytest.mark.parametrize(
    ("kind", "event", "part"),
    [
        *(pytest.param(kind, event, (k, n), id=f"{kind} {event}") for k, (kind, event, n) in enumerate(FEW)),
        *(
            pytest.param(kind, event, None, id=f"{kind} {event} whole", marks=pytest.mark.exhaustive)
            for kind in KINDS
            for event in EVENTS
            # The first average is a copy: where some parameters have theirs already, what is next is another one.
            if event != "first and averaged" or kind in ("float32", "bfloat16", "8bit")
        ),
    ],
)
def test_a_step_is_whole_or_not_at_all(kind: str, event: str, part: tuple[int, int] | None) -> None:
    def begin() -> tuple[Training, Callable[[], object]]:
        return begun(KINDS[kind], EVENTS[event])

    check_interrupts(
        begin,
        in_turn=in_numpy(begin()[0]),
        blind=event in ("new gradients", "averaged"),
        whole=part is None,
        part=part or (0, 1),
        also=__name__,
    )
