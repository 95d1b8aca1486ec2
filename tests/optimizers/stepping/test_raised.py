"""Exceptions out of what users and authors write: nothing is half done, and the next step is right."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from steps import both, interpreted
from training import Training, parameters
from wholeness import check_whole

import trainstation as ts
from trainstation.optimizers import SGD, Adam, Optimizer


class OwnError(Exception):
    """What is raised here, and by nobody else."""


class Fuse:
    """Raises at one call of many."""

    def __init__(self) -> None:
        self.left = 0

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OwnError

    def blown(self, begin: Callable[[], Any]) -> Iterator[tuple[str, Any]]:
        """Blow at each call, one at a time; yield which it was, and the things."""
        for number in itertools.count(1):
            things, act = begin()
            self.left = number
            try:
                act()
            except OwnError:
                yield f"call {number}", things
            else:
                return
            finally:
                self.left = 0


@pytest.fixture
def fuse() -> Fuse:
    return Fuse()


every_warmth = pytest.mark.parametrize("steps", [0, 2], ids=["first", "warm"])
Begun = tuple[Training, Callable[[], object]]


def begun(
    kind: Callable[..., Optimizer],
    steps: int,
    params: list[Any] | None = None,
    *,
    averaged: bool = False,
    **options: Any,
) -> Begun:
    """Return a training in two groups, and a step along new gradients at another rate: much is looked at anew."""
    params = params or parameters()
    groups = [{"params": [("alpha", params[0]), ("beta", params[1])]}, {"params": [("gamma", params[2])], "lr": 0.05}]
    run = Training(lambda groups: kind(groups, lr=0.1, **options), params, groups, steps=steps, averaged=averaged)
    run.optimizer.set_learning_rate(0.2, 1)
    run.give(3)
    return run, run.optimizer.step


@both
@pytest.mark.parametrize(
    ("name", "steps"),
    [
        *((name, steps) for name in ("scalars", "validate", "variant", "prepare") for steps in (0, 2)),
        ("init_state", 0),
    ],
)
def test_a_method_of_an_author_that_raises_before_any_update(
    wrap: Callable[[type[Optimizer]], type[Optimizer]], name: str, steps: int, fuse: Fuse
) -> None:
    def method(self: Any, *arguments: Any) -> Any:
        fuse()
        return getattr(Adam, name)(self, *arguments)

    def begin() -> Begun:
        return begun(wrap(type("Own", (Adam,), {name: method})), steps)

    found = check_whole(begin, fuse.blown(begin))
    assert {each for stepped in found for each in stepped} == {False}


def halving(fuse: Fuse) -> type[Optimizer]:
    """Return a class that has moved values and state by half of a step when the fuse blows."""

    class Halving(SGD):
        def update(self, p: Any, g: Any, state: dict[str, Any], scalars: Any) -> None:
            state["momentum_buffer"] += g
            p -= np.float32(0.05) * state["momentum_buffer"]
            fuse()
            state["momentum_buffer"] *= np.float32(0.5)
            p -= np.float32(0.05) * g

    return Halving


@pytest.mark.parametrize(("steps", "averaged"), [(0, False), (2, False), (2, True)], ids=["first", "warm", "averaged"])
@pytest.mark.parametrize("options", [{}, {"max_grad_norm": 0.5}, {"state_dtype": "bfloat16"}], ids=str)
def test_an_update_that_raises(steps: int, averaged: bool, options: dict[str, Any], fuse: Fuse) -> None:
    def begin() -> Begun:
        return begun(halving(fuse), steps, averaged=averaged, momentum=0.9, **options)

    found = check_whole(begin, fuse.blown(begin), in_turn=[True] * 3)
    assert [sum(map(bool, stepped)) for stepped in found] == [0, 1, 2]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_note_says_which_parameters_were_stepped_before_an_update_raised(number: int, fuse: Fuse) -> None:
    _, act = begun(halving(fuse), 1, momentum=0.9)
    fuse.left = number
    with pytest.raises(OwnError) as caught:
        act()
    note = " ".join(caught.value.__notes__)
    names = ["alpha", "beta", "gamma"]
    assert "Halving.update" in note
    assert names[number - 1] in note
    assert not any(name in note for name in names[number:])
    assert all(name in note for name in names[: number - 1]) or "before it" in note


@both
@every_warmth
def test_a_hook_that_raises(wrap: Callable[[type[Optimizer]], type[Optimizer]], steps: int, fuse: Fuse) -> None:
    """Before a step: nothing has moved; after it: all has."""

    def begin() -> Begun:
        run, act = begun(wrap(Adam), steps)
        run.optimizer.register_step_pre_hook(lambda *_: fuse())
        run.optimizer.register_step_post_hook(lambda *_: fuse())
        return run, act

    assert check_whole(begin, fuse.blown(begin)) == [[False] * 3, [True] * 3]


@every_warmth
def test_a_closure_that_raises(steps: int, fuse: Fuse) -> None:
    def begin() -> Begun:
        run, _ = begun(Adam, steps)
        return run, lambda: run.optimizer.step(fuse)

    assert check_whole(begin, fuse.blown(begin)) == [[False] * 3]


class Foreign:
    """A parameter of another library, whose properties may raise."""

    def __init__(self, values: Any, fuse: Fuse) -> None:
        self._values, self._fuse = values, fuse
        self._grad: Any = None

    @property
    def data(self) -> Any:
        self._fuse()
        return self._values

    @property
    def grad(self) -> Any:
        self._fuse()
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        self._grad = ts.Tensor.from_numpy(value)


@every_warmth
@pytest.mark.parametrize("kind", [Adam, interpreted(Adam)], ids=["compiled", "interpreted"])
def test_a_parameter_whose_properties_raise(kind: type[Optimizer], steps: int, fuse: Fuse) -> None:
    """Whenever they are read in a step, it was made or not."""

    def begin() -> Begun:
        first, second, third = parameters()
        return begun(kind, steps, [first, Foreign(second.data, fuse), third])

    check_whole(begin, fuse.blown(begin), in_turn=[kind.rule is None] * 3)


@both
@every_warmth
def test_a_gradient_that_is_refused_changes_nothing(
    wrap: Callable[[type[Optimizer]], type[Optimizer]], steps: int
) -> None:
    """Not in that step, and not in the next one, whose gradients are right."""

    def begin() -> Begun:
        return begun(wrap(Adam), steps)

    def broken() -> Iterator[tuple[str, Any]]:
        for position in range(3):
            run, act = begin()
            p = run.params[position]
            right = p.grad.data
            p.grad = right.astype(np.float64)
            for _ in range(2):  # the second time what is wrong may be known
                with pytest.raises(TypeError):
                    act()
            p.grad = right
            yield f"of parameter {position}", run

    assert check_whole(begin, broken()) == [[False] * 3] * 3
