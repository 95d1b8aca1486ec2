"""Checks of hyper-parameters: each has its effect, of groups as of the whole optimizer, and from the next step on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainstation.tensor import Tensor
from trainstation.testing.runs import difference, run, saved, seen
from trainstation.testing.subject import Subject
from trainstation.testing.verdicts import NotApplicable, fail

__all__ = ["groups", "maximize", "weight_decay", "zero_learning_rate"]

Seen = dict[int, dict[str, Any]]
OWN_CHECK = ("weight_decay", "maximize")
READ_FROM_HYPER = "read it from `hyper` in scalars(hyper, t), not from an attribute, `defaults` or the first group"


def _end(subject: Subject, groups: Mapping[str, Any] | None = None, steps: int = 4, **hyper: Any) -> Seen:
    """Return what comes of all parameters in one group of these hyper-parameters."""
    parameters = subject.parameters()
    optimizer = subject.make([{"params": list(parameters.values()), **(groups or {})}], **hyper)
    run(optimizer, parameters, range(steps))
    return {number: seen(optimizer, p) for number, p in parameters.items()}


def groups(subject: Subject) -> str:
    """Check each hyper-parameter of the signature: of a group as of the optimizer; changed, as in one made anew."""
    silent, alone = [], []
    decay = subject.decay  # so that what is about decay is felt
    usual, usual_later = _end(subject, **decay), _end(subject, steps=7, **decay)
    for name in subject.keywords:
        value = subject.another(name)
        setting = {} if name in OWN_CHECK else subject.of_groups(name, value)
        if not setting:
            alone += [name] if name in subject.defaults and name not in OWN_CHECK else []
            continue
        made = _end(subject, **decay, **{name: value})
        if text := difference(_end(subject, setting, **decay), made):
            fail(f"{setting} of a group does something else than of the optimizer: {text}", READ_FROM_HYPER)
        if not subject.coupled:
            _check_neighbours(subject, setting, usual, made)
        later = _check_change(subject, setting, {name: value})
        if not difference(_values(made), _values(usual)) and not difference(_values(later), _values(usual_later)):
            if name == "lr":
                fail(f"lr={value} does what lr={subject.defaults[name]} does", READ_FROM_HYPER)
            silent.append(name)
    notes = [f"no effect was seen of {', '.join(silent)}"] if silent else []
    if alone:
        notes.append(f"no other value was found for {', '.join(alone)}")
    return "; ".join(notes)


def _values(ends: Seen) -> dict[int, Any]:
    return {number: each["values"] for number, each in ends.items()}


def _check_neighbours(subject: Subject, setting: dict[str, Any], usual: Seen, made: Seen) -> None:
    """Check that of two groups each goes by its own hyper-parameters."""
    parameters = subject.parameters()
    tensors = list(parameters.values())
    optimizer = subject.make([{"params": tensors[::2]}, {"params": tensors[1::2], **setting}], **subject.decay)
    run(optimizer, parameters, range(4))
    for number, p in parameters.items():
        if text := difference(seen(optimizer, p), made[number] if number % 2 else usual[number]):
            fail(f"of two groups, one with {setting}, one ends elsewhere: {text}", READ_FROM_HYPER)


def _check_change(subject: Subject, setting: dict[str, Any], keyword: dict[str, Any]) -> Seen:
    """Check that what is written to groups between steps is what the next step goes by."""
    parameters, others = subject.parameters(), subject.parameters()
    optimizer = subject.make(list(parameters.values()), **subject.decay)
    run(optimizer, parameters, range(3))
    state_dict = saved(optimizer)
    for number, p in parameters.items():
        others[number].data[...] = p.data
    for group in (*state_dict["param_groups"], *optimizer.param_groups):
        group.update(setting)
    other = subject.make(list(others.values()), **subject.decay, **keyword)
    other.load_state_dict(state_dict)
    ends = []
    for each, tensors in ((optimizer, parameters), (other, others)):
        run(each, tensors, range(3, 7))
        ends.append({number: seen(each, p) for number, p in tensors.items()})
    if text := difference(ends[0], ends[1]):
        fail(f"{setting}, written to a group, is not what the next step goes by: {text}", READ_FROM_HYPER)
    return ends[0]


def weight_decay(subject: Subject) -> str:
    """Check that decay moves every parameter elsewhere, and is the same of a group, whenever it is set."""
    if "weight_decay" not in subject.defaults:
        msg = "it has no weight_decay"
        raise NotApplicable(msg)
    without = _end(subject, weight_decay=0)
    for value in (0.1, 10.0):  # through the sign of a gradient only much of it is felt
        made = _end(subject, weight_decay=value)
        same = [each["values"].shape for number, each in made.items() if not difference(each, without[number])]
        if not same:
            break
    else:
        fail(f"weight_decay={value} has no effect on parameters of shapes {same}", "use it in `update`")
    change = READ_FROM_HYPER
    if text := difference(_end(subject, {"weight_decay": value}, weight_decay=0), made):
        fail(f"weight_decay={value} of a group does something else than of the optimizer: {text}", change)
    if text := difference(_end(subject, {"weight_decay": 0}, weight_decay=value), without):
        fail(f"weight_decay=0 of a group does something else than of the optimizer: {text}", change)
    parameters = subject.parameters()
    optimizer = subject.make(list(parameters.values()), weight_decay=0)
    optimizer.param_groups[0]["weight_decay"] = value
    run(optimizer, parameters, range(4))
    if text := difference({number: seen(optimizer, p) for number, p in parameters.items()}, made):
        fail(f"weight_decay={value}, written to a group, does something else: {text}", change)
    return ""


def zero_learning_rate(subject: Subject) -> str:
    """Check that lr=0 leaves all values, decay or not, while steps are counted."""
    if "lr" not in subject.defaults:
        msg = "it has no lr"
        raise NotApplicable(msg)
    if subject.rate_counts_once:
        msg = "its lr matters at the first step of a parameter only"
        raise NotApplicable(msg)
    parameters = subject.parameters()
    before = {number: p.data.copy() for number, p in parameters.items()}
    optimizer = subject.make(list(parameters.values()), lr=0.0, **subject.decay)
    run(optimizer, parameters, range(6))
    for number, p in parameters.items():
        if not (p.data == before[number]).all():
            fail(
                f"with lr=0, a parameter of shape {p.shape} has moved",
                "multiply every change, decay too, by lr; where something is divided by it, treat 0 apart",
            )
        if int(optimizer.state[p]["step"]) != 6:  # noqa: PLR2004  # steps
            fail("with lr=0, steps are not counted", "leave out no step")
    return ""


def maximize(subject: Subject) -> str:
    """Check that to maximise along a gradient is to minimise along its negative, decay included."""

    def end(factor: float, *, ascend: bool) -> list[dict[str, Any]]:
        parameters = subject.parameters()
        tensors: list[Tensor] = list(parameters.values())
        optimizer = subject.make([{"params": tensors, "maximize": ascend}], **subject.decay)
        run(optimizer, parameters, range(6), factor)
        return [seen(optimizer, p) for p in tensors]

    change = "leave `maximize` to the base class: the gradient that `update` sees is negated already"
    for factor in (1.0, -1.0):
        if text := difference(end(factor, ascend=True), end(-factor, ascend=False)):
            fail(f"maximize=True does not mirror maximize=False: {text}", change)
    return ""
