"""Ctrl-C before any line of a step of every optimizer that is here by name, and of the switches between weights."""

from collections.abc import Callable
from typing import Any

import pytest
from cases import grid
from interrupts import interruptions
from steps import bytes_of
from training import Training, in_numpy, parameters
from wholeness import check_interrupts

import trainstation as ts
from trainstation.optimizers import Optimizer

NAMES = sorted({*ts.list_optimizers()} - {*ts.list_optimizers(tags="peer")})
SHAPES = ((4, 3), (5,))
# One step of the slow weights is among those that are interrupted, and among the next ones.
OPTIONS: dict[str, dict[str, Any]] = {"lookahead": {"k": 3}}


def begun(name: str, steps: int) -> tuple[Training, Callable[[], object]]:
    run = Training(
        lambda params: ts.create_optimizer(name, params, **OPTIONS.get(name, {})), parameters(SHAPES), steps=steps
    )
    return run, run.optimizer.step


@grid
@pytest.mark.parametrize("steps", [0, 2], ids=["first", "warm"])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_whole_or_not_at_all(name: str, steps: int, whole: bool) -> None:
    run, _ = begun(name, 0)
    # What is made of one call in C, and of NumPy after it, is made of each parameter in turn.
    in_turn = [True] * len(SHAPES) if name == "lookahead" else in_numpy(run)
    check_interrupts(
        lambda: begun(name, steps),
        in_turn=in_turn,
        is_independent=type(run.optimizer).prepare is Optimizer.prepare,
        whole=whole,
        part=(NAMES.index(name), 2 if steps else 8),  # around their updates all do the same
    )


@grid
@pytest.mark.parametrize("method", ["train", "eval"])
@pytest.mark.parametrize("name", ["schedulefree_adamw", "schedulefree_sgd", "lookahead"])
def test_the_mode_is_that_of_the_values(name: str, method: str, whole: bool) -> None:
    """And the same call once more has all as one that nobody interrupted."""

    def make(groups: Any) -> Optimizer:
        return ts.create_optimizer(name, groups, **OPTIONS.get(name, {}))

    def begin() -> tuple[Training, Callable[[], object]]:
        params = parameters((*SHAPES, (2, 2)))
        run = Training(make, params, [{"params": params[:2]}, {"params": params[2:]}], steps=3)
        run.optimizer.eval()
        if method == "eval":
            run.optimizer.train()
        return run, getattr(run.optimizer, method)

    before, after = values_of(begin()[0]), values_of(called(begin))
    for place, run in interruptions(begin, whole=whole):
        for group, left, right in zip(run.optimizer.param_groups, before, after, strict=True):
            now = [group.get("train_mode"), *(bytes_of(p.data) for p in group["params"])]
            assert now in (left, right), f"{place}; the mode is {now[0]}"
        getattr(run.optimizer, method)()
        assert values_of(run) == after, f"{place}; the second call"
        assert run.moment() == called(begin).moment(), f"{place}; the second call"


def called(begin: Callable[[], tuple[Training, Callable[[], object]]]) -> Training:
    run, act = begin()
    act()
    return run


def values_of(run: Training) -> list[list[Any]]:
    """Return the mode of each group, and the values of its parameters."""
    return [
        [group.get("train_mode"), *(bytes_of(p.data) for p in group["params"])] for group in run.optimizer.param_groups
    ]


def test_the_names_are_those_of_all_plugins() -> None:
    assert len(NAMES) == 26
