"""Checks of what is saved: a state dict is a copy, and complete."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from trainstation.testing.runs import difference, run, saved, snapshot
from trainstation.testing.subject import Subject
from trainstation.testing.verdicts import fail

__all__ = ["resume", "state_dict_round_trip"]

FIRST, LAST = 7, 19  # steps; what happens at every fifth or tenth one happens on both sides


def state_dict_round_trip(subject: Subject) -> str:
    """Check that a state dict is loaded as it was saved, and shares nothing with either optimizer."""
    parameters, others = subject.parameters(), subject.parameters()
    optimizer, other = subject.make(list(parameters.values())), subject.make(list(others.values()))
    run(optimizer, parameters, range(FIRST))
    given = optimizer.state_dict()
    kept = copy.deepcopy(given)
    if set(given) < {"state", "param_groups"}:
        fail(f"the state dict has the keys {sorted(given)}", "return state and param_groups, as Optimizer does")
    run(optimizer, parameters, range(FIRST, FIRST + 2))
    if text := difference(given, kept):
        fail(f"steps change a state dict that was returned before: {text}", "return copies from state_dict()")
    other.load_state_dict(given)
    if text := difference(saved(other), kept):
        fail(
            f"what was loaded is not what was saved: {text}",
            "let load_state_dict() take over everything that state_dict() returns",
        )
    run(other, others, range(2))
    if text := difference(given, kept):
        fail(f"steps after load_state_dict() change what was loaded: {text}", "copy in load_state_dict()")
    return ""


def resume(subject: Subject) -> str:
    """Check a run that is interrupted, and goes on in another optimizer or in a used one, against one that is not."""
    parameters = subject.parameters()
    optimizer = subject.make(list(parameters.values()))
    run(optimizer, parameters, range(FIRST))
    middle = snapshot(optimizer, parameters)
    run(optimizer, parameters, range(FIRST, LAST))
    expected = snapshot(optimizer, parameters)

    def go_on(how: str, optimizer: Any, parameters: Any, state_dict: Any) -> None:
        for number, p in parameters.items():
            p.data[...] = middle["values"][number]
        optimizer.load_state_dict(state_dict)
        run(optimizer, parameters, range(FIRST, LAST))
        if text := difference(snapshot(optimizer, parameters), expected):
            fail(
                f"a run that went on {how} ends elsewhere: {text}",
                "keep all that a step depends on in the state of parameters or in groups, and read it from there at "
                "each step",
            )

    others = subject.parameters()
    go_on("in a new optimizer", subject.make(list(others.values())), others, copy.deepcopy(middle["state_dict"]))
    others = subject.parameters()
    pickled = pickle.loads(pickle.dumps(middle["state_dict"]))  # noqa: S301  # our own bytes
    go_on("after pickling", subject.make(list(others.values())), others, pickled)
    go_on("in an optimizer that was further already", optimizer, parameters, middle["state_dict"])
    return ""
