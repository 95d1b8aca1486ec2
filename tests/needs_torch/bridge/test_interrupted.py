"""Ctrl-C before any line of a step of torch's parameters: what torch sees is that of before, or of after it."""

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, Self

import pytest
import torch
from training import SHAPES, drawn
from wholeness import Moment, check_interrupts

import trainstation as ts
from trainstation.interop import torch as bridge

torch.set_num_threads(1)

Make = Callable[..., Any]


class Trained:
    """An optimizer of torch's parameters in the course of training.

    Args:
        make: makes the optimizer of parameters.
        params: the parameters.
        steps: how many are made.
        averaged: whether an average goes with the steps.

    """

    def __init__(self, make: Make, params: list[torch.nn.Parameter], *, steps: int = 0, averaged: bool = False) -> None:
        self.make, self.params = make, params
        self.optimizer = make(params)
        self.average = ts.EMA(self.optimizer, 0.75) if averaged else None
        self.give(0)
        for _ in range(steps):
            self.optimizer.step()

    def give(self, t: int) -> None:
        """Give each parameter another tensor as its gradient, as the backward of step t may."""
        for p, gradient in zip(self.params, self._gradients(t), strict=True):
            p.grad = gradient

    def _gradients(self, t: int) -> Iterator[torch.Tensor]:
        for place, p in enumerate(self.params):
            yield torch.from_numpy(drawn(p.shape, 100 * t + place)).to(p.dtype)

    def moment(self) -> Moment:
        """Return what there is now: what is shown first, then what a state dict has."""
        made = [{"values": _bytes(p), **_parts(self.optimizer.state.get(p, {}))} for p in self.params]
        saved = self.optimizer.state_dict()
        for place, each in enumerate(made):
            each |= {f"{name} saved": part for name, part in _parts(saved["state"].get(place, {})).items()}
        shared = {"groups": saved["param_groups"]}
        if self.average is not None:
            averages = self.average.state_dict()
            shared["n_averaged"] = averages["n_averaged"]
            for each, array in zip(made, averages["averages"].values(), strict=True):
                each["average"] = array.tobytes()
        return Moment(made, shared)

    def go_on(self) -> None:
        """Make three more steps: along the gradients there are, along others in the same tensors, along new ones."""
        _others = [torch.full_like(p, 1e6) for p in self.params for _ in range(3)]  # takes what was freed
        self.optimizer.step()
        for p, gradient in zip(self.params, self._gradients(1), strict=True):
            if p.grad is not None:
                p.grad.copy_(gradient)
        self.optimizer.step()
        self.give(2)
        self.optimizer.step()

    def copied(self) -> Self:
        """Return a fresh optimizer of copies of the parameters, which has loaded a copy of this one's state dict."""
        copies = [torch.nn.Parameter(_as_far_apart(p)) for p in self.params]
        fresh = type(self)(self.make, copies, averaged=self.average is not None)
        for p, q in zip(self.params, copies, strict=True):
            q.grad = None if p.grad is None else p.grad.clone()
        fresh.optimizer.load_state_dict(copy.deepcopy(self.optimizer.state_dict()))
        if self.average is not None and fresh.average is not None:
            fresh.average.load_state_dict(copy.deepcopy(self.average.state_dict()))
        return fresh


def _bytes(tensor: torch.Tensor) -> bytes:
    flat: bytes = tensor.detach().reshape(-1).clone().view(torch.uint8).numpy().tobytes()
    return flat


def _parts(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _bytes(value) if isinstance(value, torch.Tensor) else value for name, value in state.items()}


def _as_far_apart(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().clone() if tensor.is_contiguous() else _apart(tensor.detach())


def _apart(tensor: torch.Tensor) -> torch.Tensor:
    """Return equal values, every second of a tensor."""
    return torch.stack([tensor, tensor], -1)[..., 0]


class Kind(NamedTuple):
    """What makes an optimizer, and its parameters."""

    make: Make = partial(bridge.AdamW, lr=0.1)
    dtype: torch.dtype = torch.float32
    is_strided: bool = False


class Event(NamedTuple):
    """A step: how many come before it, options of the optimizer, and what is done right before it."""

    before: Callable[[Trained], object] = lambda run: None
    steps: int = 2
    averaged: bool = False
    options: Mapping[str, Any] = {}


def take_new_gradients(run: Trained) -> None:
    run.give(7)


def take_a_nan(run: Trained) -> None:
    run.params[1].grad[2] = torch.nan


def take_no_gradient(run: Trained) -> None:
    run.give(7)
    run.params[1].grad = None


def take_another_rate(run: Trained) -> None:
    run.optimizer.param_groups[0]["lr"] = 0.03


KINDS = {
    "adamw": Kind(),
    "sgd": Kind(partial(bridge.SGD, lr=0.1, momentum=0.9)),
    "rmsprop": Kind(partial(bridge.RMSprop, lr=0.1, centered=True)),
    "bfloat16": Kind(dtype=torch.bfloat16),
    "bfloat16 float32": Kind(partial(bridge.AdamW, lr=0.1, master="float32"), torch.bfloat16),
    "bfloat16 stochastic": Kind(partial(bridge.AdamW, lr=0.1, master="stochastic"), torch.bfloat16),
    "float16": Kind(partial(bridge.SGD, lr=0.1, momentum=0.9), torch.float16),
    "8bit": Kind(partial(bridge.AdamW, lr=0.1, state_dtype="8bit")),
    "strided": Kind(is_strided=True),
    "muon": Kind(partial(ts.create_optimizer, "muon", lr=0.1)),
}
EVENTS = {
    "first": Event(steps=0),
    "first of some": Event(take_no_gradient, steps=0),
    "warm": Event(),
    "new gradients": Event(take_new_gradients),
    "some gradients": Event(take_no_gradient),
    "clipped": Event(take_new_gradients, options={"max_grad_norm": 0.5}),
    "averaged": Event(averaged=True),
    "skipped": Event(take_a_nan, options={"on_nonfinite": "skip"}),
    "another rate": Event(take_another_rate),
}
# Of each kind every line in some event; of some, whose lines are mostly those of others, one of so many parts.
FEW = [
    *(("adamw", event, 1) for event in ("first", "warm", "new gradients", "averaged", "skipped")),
    *(("adamw", event, 2) for event in ("some gradients", "clipped", "another rate")),
    ("bfloat16", "warm", 1),
    ("bfloat16", "clipped", 3),
    ("bfloat16 float32", "first of some", 5),
    ("bfloat16 float32", "new gradients", 1),
    ("bfloat16 float32", "skipped", 3),
    ("bfloat16 stochastic", "warm", 1),
    ("bfloat16 stochastic", "some gradients", 4),
    ("muon", "warm", 2),
    ("strided", "averaged", 2),
]


def begun(kind: Kind, event: Event) -> tuple[Trained, Callable[[], object]]:
    values = [torch.from_numpy(drawn(shape, k)).to(kind.dtype) for k, shape in enumerate(SHAPES)]
    if kind.is_strided:
        values[1] = _apart(values[1])
    params = [torch.nn.Parameter(each) for each in values]
    run = Trained(partial(kind.make, **event.options), params, steps=event.steps, averaged=event.averaged)
    event.before(run)
    return run, run.optimizer.step


def in_numpy(kind: Kind) -> list[bool]:
    """Say of each parameter whether it is stepped in NumPy."""
    run, step = begun(kind, Event(steps=0))
    made = []
    for p in run.params:
        for each in run.params:
            each.grad = torch.ones_like(p) if each is p else None
        step()
        made.append(run.optimizer.last_step.isa == "numpy")
    return made


@pytest.mark.parametrize(
    ("kind", "event", "part"),
    [
        *(pytest.param(kind, event, (k, n), id=f"{kind}, {event}") for k, (kind, event, n) in enumerate(FEW)),
        *(
            pytest.param(kind, event, None, id=f"{kind}, {event}, whole", marks=pytest.mark.exhaustive)
            for kind in KINDS
            for event in EVENTS
            if event != "averaged" or KINDS[kind].dtype is torch.float32  # other dtypes have no average
        ),
    ],
)
def test_a_step_is_whole_or_not_at_all(kind: str, event: str, part: tuple[int, int] | None) -> None:
    check_interrupts(
        lambda: begun(KINDS[kind], EVENTS[event]),
        in_turn=in_numpy(KINDS[kind]),
        blind=event == "new gradients",
        whole=part is None,
        part=part or (0, 1),
    )
