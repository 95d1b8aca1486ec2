"""Ctrl-C before any line of a functional step: arrays and dict are those of before, or of after it."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import pytest
from interrupts import interruptions
from plain import strided
from steps import bytes_of
from training import SHAPES, drawn
from wholeness import Moment, check_interrupts

from trainstation.optimizers import functional

Array = np.ndarray[Any, Any]
Step = Callable[..., None]


class Stepped:
    """Arrays in the course of training by a function; the state is the user's dict."""

    def __init__(self, step: Step, values: list[Array], state: dict[Any, Any], steps: int = 0) -> None:
        self.step = step
        self.values, self.state = values, state
        self.give(0)
        for _ in range(steps):
            self.call()

    def give(self, t: int) -> None:
        """Take other arrays as gradients, those of step t."""
        self.gradients = [drawn(values.shape, 100 * t + place) for place, values in enumerate(self.values)]

    def call(self) -> None:
        """Step all arrays; one array as itself, several as a dict."""
        if len(self.values) == 1:
            self.step(self.values[0], self.gradients[0], self.state)
        else:
            names = "abc"
            self.step(
                dict(zip(names, self.values, strict=True)), dict(zip(names, self.gradients, strict=True)), self.state
            )

    def moment(self) -> Moment:
        """Return what there is now."""
        states = [self.state] if len(self.values) == 1 else [self.state.get(name, {}) for name in "abc"]
        made = [
            {"values": bytes_of(values), **{name: bytes_of(each) for name, each in state.items()}}
            for values, state in zip(self.values, states, strict=True)
        ]
        return Moment(made, {})

    def go_on(self) -> None:
        """Make three more steps, the second one in the same arrays, the third one along others."""
        _others = [np.full_like(values, 1e6) for values in self.values for _ in range(3)]  # takes what was freed
        self.call()
        for place, gradient in enumerate(self.gradients):
            gradient[...] = drawn(gradient.shape, 100 + place)
        self.call()
        self.give(2)
        self.call()

    def copied(self) -> Self:
        """Return copies of all, which know nothing of these."""
        values = [each.copy() if each.flags.c_contiguous else strided(each) for each in self.values]
        fresh = type(self)(self.step, values, copy.deepcopy(self.state))
        fresh.gradients = [each.copy() for each in self.gradients]
        return fresh


class Kind(NamedTuple):
    """A function with options, and the shapes of its arrays."""

    step: partial[None] = partial(functional.adam_, lr=0.1)
    shapes: Sequence[tuple[int, ...]] = SHAPES
    strided: int | None = None  # which one is no contiguous array


KINDS: Mapping[str, Kind] = {
    "several": Kind(),
    "one": Kind(shapes=SHAPES[:1]),
    "sgd": Kind(partial(functional.sgd_, lr=0.1)),
    "bfloat16": Kind(partial(functional.adamw_, state_dtype="bfloat16")),
    "8bit": Kind(partial(functional.adamw_, state_dtype="8bit"), shapes=((4100,),)),
    "strided": Kind(strided=1),
}


def first(kind: Kind) -> tuple[Stepped, Callable[[], object]]:
    run = made(kind, 0)
    return run, run.call


def warm(kind: Kind) -> tuple[Stepped, Callable[[], object]]:
    run = made(kind, 2)
    return run, run.call


def new_gradients(kind: Kind) -> tuple[Stepped, Callable[[], object]]:
    run = made(kind, 2)
    run.give(7)
    return run, run.call


def other_arrays(kind: Kind) -> tuple[Stepped, Callable[[], object]]:
    """With the states of the former ones, of which nothing else is left."""
    run = made(kind, 2)
    run.values = run.copied().values
    run.give(7)
    return run, run.call


def of_a_copy(kind: Kind) -> tuple[Stepped, Callable[[], object]]:
    """As from a file."""
    run = made(kind, 2).copied()
    return run, run.call


def another_rate(kind: Kind) -> tuple[Stepped, Callable[[], object]]:
    run = made(kind, 2)
    run.step = partial(run.step, lr=0.03)
    return run, run.call


def other_hyper_parameters(kind: Kind) -> tuple[Stepped, Callable[[], object]]:
    """Which need one more state."""
    run = made(kind, 2)
    run.step = partial(kind.step, **{"momentum": 0.9} if kind.step.func is functional.sgd_ else {"amsgrad": True})
    return run, run.call


def made(kind: Kind, steps: int) -> Stepped:
    values = [drawn(shape, k) for k, shape in enumerate(kind.shapes)]
    if kind.strided is not None:
        values[kind.strided] = strided(values[kind.strided])
    return Stepped(kind.step, values, {}, steps)


EVENTS = [first, warm, new_gradients, other_arrays, of_a_copy, another_rate, other_hyper_parameters]
# Of each kind every line in some event; of some, whose lines are mostly those of others, one of so many parts.
FEW = [
    *(("several", event, 1) for event in (first, warm, new_gradients)),
    *(("several", event, 2) for event in (other_arrays, another_rate)),
    ("several", other_hyper_parameters, 4),
    ("one", first, 3),
    ("one", warm, 1),
    ("one", new_gradients, 2),
    ("sgd", new_gradients, 2),
    ("sgd", other_hyper_parameters, 4),
    ("bfloat16", of_a_copy, 4),
    ("8bit", new_gradients, 2),
    ("strided", warm, 3),
]


@pytest.mark.parametrize(
    ("kind", "event", "part"),
    [
        *(pytest.param(kind, event, (k, n), id=f"{kind} {event.__name__}") for k, (kind, event, n) in enumerate(FEW)),
        *(
            pytest.param(kind, event, None, id=f"{kind} {event.__name__} whole", marks=pytest.mark.exhaustive)
            for kind in KINDS
            for event in EVENTS
        ),
    ],
)
def test_a_step_is_whole_or_not_at_all(
    kind: str, event: Callable[[Kind], tuple[Stepped, Callable[[], object]]], part: tuple[int, int] | None
) -> None:
    which = KINDS[kind]
    in_turn = [which.strided == place for place in range(len(which.shapes))]
    check_interrupts(
        lambda: event(which),
        in_turn=in_turn,
        blind=event is new_gradients,
        whole=part is None,
        part=part or (0, 1),
    )


@pytest.mark.parametrize("event", [first, warm, new_gradients, other_arrays])
def test_nothing_holds_the_arrays_of_an_interrupted_step(event: Any) -> None:
    """They may be freed, and their memory be others': the next step with this dict moves its own arrays alone."""
    for place, run in interruptions(lambda: event(KINDS["one"])):
        fresh = run.copied()
        values, gradients = [drawn(SHAPES[0], 30)], [drawn(SHAPES[0], 31)]
        run.values, run.gradients = [each.copy() for each in values], [each.copy() for each in gradients]
        fresh.values, fresh.gradients = values, gradients
        others = [np.full(SHAPES[0], 1e6, np.float32) for _ in range(8)]  # takes what was freed
        run.call()
        fresh.call()
        assert run.moment() == fresh.moment(), place
        assert all((each == 1e6).all() for each in others), place
