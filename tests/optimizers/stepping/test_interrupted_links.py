"""Ctrl-C before any line of what changes groups and states: afterwards all is as before, or all is done."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import grid
from training import SHAPES, Training, parameters
from wholeness import check_interrupts

from trainstation.optimizers import Adam, AdamW, Optimizer


def made(groups: Any) -> Optimizer:
    return AdamW(groups, lr=0.1, max_grad_norm=1.0)


def two_groups(steps: int = 2) -> Training:
    """Return a training of four parameters in two groups with names, and a fifth one that is not linked."""
    params = parameters((*SHAPES, (6,), (2, 2)))
    groups = [
        {"params": [("first", params[0]), ("second", params[1])]},
        {"params": [("third", params[2]), ("fourth", params[3])], "lr": 0.03},
    ]
    return Training(made, params, groups, steps=steps)


Begun = tuple[Training, Callable[[], object]]


def relinked() -> Begun:
    olds, news = parameters(), parameters(seed=20)
    run = Training(made, [*olds, *news], olds, steps=2)
    return run, lambda: run.optimizer.relink_parameters(news)


def relinked_in_groups() -> Begun:
    run = two_groups()
    first, _, _, fourth, _ = run.params
    others = parameters((SHAPES[1], SHAPES[2]), seed=20)
    run.params += others
    run.give(0)
    return run, lambda: run.optimizer.relink_parameters([first, others[0], others[1], fourth])


def relinked_in_another_order() -> Begun:
    run = Training(made, parameters(((3,), (3,), (3,))), steps=2)
    return run, lambda: run.optimizer.relink_parameters(run.params[::-1])


def relinked_before_any_step() -> Begun:
    olds, news = parameters(), parameters(seed=20)
    run = Training(made, [*olds, *news], olds)
    return run, lambda: run.optimizer.relink_parameters(news)


def unlinked() -> Begun:
    run = two_groups()
    return run, lambda: run.optimizer.unlink_parameter(run.params[2])


def unlinked_first() -> Begun:
    run = Training(made, parameters(), steps=2)
    return run, lambda: run.optimizer.unlink_parameter(run.params[0])


def loaded() -> Begun:
    run, source = two_groups(), two_groups(steps=5)
    source.optimizer.set_learning_rate(0.02)
    given = copy.deepcopy(source.optimizer.state_dict())
    return run, lambda: run.optimizer.load_state_dict(given)


def loaded_before_any_step() -> Begun:
    run, source = two_groups(steps=0), two_groups()
    given = source.optimizer.state_dict()
    return run, lambda: run.optimizer.load_state_dict(given)


def loaded_with_fewer_states() -> Begun:
    run, source = two_groups(), two_groups(steps=3)
    given = source.optimizer.state_dict()
    del given["state"][0], given["state"][3]
    return run, lambda: run.optimizer.load_state_dict(given)


def loaded_by_8bit() -> Begun:
    def of_8bit(groups: Any) -> Optimizer:
        return Adam(groups, state_dtype="8bit")

    run, source = (Training(of_8bit, parameters(((4100,), (3,))), steps=steps) for steps in (1, 3))
    given = source.optimizer.state_dict()
    return run, lambda: run.optimizer.load_state_dict(given)


def added_group() -> Begun:
    run = two_groups()
    return run, lambda: run.optimizer.add_param_group({"params": [("late", run.params[4])], "lr": 0.5})


def added_parameter() -> Begun:
    run = two_groups()
    return run, lambda: run.optimizer.add_parameter(run.params[4])


def added_to_nothing() -> Begun:
    run = Training(lambda groups: made(groups) if groups else made(None), parameters(), ())
    return run, lambda: run.optimizer.add_parameters(run.params)


def cleared() -> Begun:
    run = two_groups()
    return run, run.optimizer.clear_states


# Each call with how many parts of its lines there are, of which one is interrupted by default.
CALLS = {
    relinked: 1,
    relinked_in_groups: 2,
    relinked_in_another_order: 2,
    relinked_before_any_step: 3,
    unlinked: 1,
    unlinked_first: 3,
    loaded: 1,
    loaded_before_any_step: 4,
    loaded_with_fewer_states: 3,
    loaded_by_8bit: 4,
    added_group: 1,
    added_parameter: 1,
    added_to_nothing: 1,
    cleared: 1,
}


@grid
@pytest.mark.filterwarnings("ignore::trainstation.errors.NoGradientWarning")  # where nothing is linked
@pytest.mark.parametrize("begin", CALLS, ids=lambda each: each.__name__)
def test_a_call_is_whole_or_not_at_all(begin: Callable[[], Begun], whole: bool) -> None:
    check_interrupts(begin, whole=whole, part=([*CALLS].index(begin), CALLS[begin]))


def test_a_refused_state_dict_changes_nothing_wherever_it_is_wrong() -> None:
    for number in range(4):
        run = two_groups()
        before = run.moment()
        given = run.optimizer.state_dict()
        given["state"][number]["exp_avg"] = np.zeros(99, np.float32)
        given["param_groups"][0]["lr"] = 7.0
        with pytest.raises(ValueError, match=f"parameter {number}"):
            run.optimizer.load_state_dict(given)
        assert run.moment() == before
