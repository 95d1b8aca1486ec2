from dataclasses import replace

import pytest
from toys import QUADRATIC, Quadratic

import trainstation as ts
from trainstation.bench.protocol import pace as pace_module
from trainstation.bench.protocol.pace import Pace


class Slow(ts.optimizers.SGD):
    """Does what costs a thousand times as much."""

    def update(self, p, g, state, scalars):
        for _ in range(300):
            super().update(p, g, state, scalars)


def test_a_trial_costs_its_steps_and_its_evaluations(register):
    register(Slow, "slow")
    pace = Pace([QUADRATIC])
    base = pace.trial(QUADRATIC, "sgd", 100)
    assert 0 < base < pace.trial(QUADRATIC, "sgd", 200) < 2.01 * base
    for name in ("sgd", "slow"):
        pace.time(QUADRATIC, name)
    assert pace.trial(QUADRATIC, "slow", 100) > 3 * pace.trial(QUADRATIC, "sgd", 100)


def test_what_raises_costs_nothing_here(register):
    def broken(seed):
        raise FileNotFoundError

    def leaves(seed):
        raise SystemExit(4)

    class Leaves(ts.optimizers.SGD):
        def __init__(self, params=None, lr=1e-3):
            raise SystemExit(4)

    register(Leaves, "leaves")
    for start in (broken, leaves):
        problem = replace(QUADRATIC, start=start)
        pace = Pace([problem])
        pace.time(problem, "sgd")
        assert pace.trial(problem, "sgd", 100) == 0
    pace = Pace([QUADRATIC])
    pace.time(QUADRATIC, "leaves")
    assert pace.trial(QUADRATIC, "leaves", 100) > 0


def test_measuring_trains_nothing(monkeypatch):
    made = []

    class Noted(Quadratic):
        def __init__(self, seed):
            super().__init__(seed)
            made.append((self, self.p.data.copy()))

    Pace([replace(QUADRATIC, start=Noted)])
    task, before = made[-1]
    assert (task.p.data == before).all()


def test_what_takes_long_is_not_timed_often(monkeypatch, register):
    monkeypatch.setattr(pace_module, "LONG", 0.0)
    calls = []

    class Noted(ts.optimizers.SGD):
        def update(self, p, g, state, scalars):
            calls.append(1)

    register(Noted, "noted")
    Pace([QUADRATIC]).time(QUADRATIC, "noted")
    assert len(calls) == 2  # one that makes the states, one that is timed


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_an_optimizer_is_timed_on_a_task_of_its_own(name):
    started = []

    def start(seed):
        started.append(seed)
        return Quadratic(seed)

    problem = replace(QUADRATIC, start=start)
    Pace([problem]).time(problem, name)
    assert started == [0, 0]
