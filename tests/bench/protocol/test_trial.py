import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import QUADRATIC, Quadratic, trial_of

import trainstation as ts
from trainstation.bench.protocol import rates as rates_module
from trainstation.bench.protocol import trial as protocol
from trainstation.registry.lookup import find_optimizer


class Poisons(ts.optimizers.SGD):
    """Finite until the very last step."""

    count = 0

    def update(self, p, g, state, scalars):
        self.count += 1
        if self.count == 10:
            p[...] = np.nan


def test_a_trial_of_epochs():
    trial, points, shares = trial_of("sgd", epochs=3)
    assert (trial.status, trial.steps, trial.epochs) == ("done", 15, 3)
    assert [point.step for point in points] == [0, 5, 10, 15]
    assert [done for done, _ in shares] == pytest.approx([step / 15 for step in range(1, 16)])
    assert points == trial.points
    assert points[0].val_metric < trial.final == trial.best


def test_many_epochs_are_evaluated_ever_less_often():
    _, points, _ = trial_of("sgd", epochs=400)
    steps = [point.step for point in points]
    assert steps[:8] == [0, 5, 10, 15, 20, 25, 30, 35]
    assert steps[-1] == 2000
    assert len(steps) < 70
    assert all(later <= max(step + 5, 1.1 * step + 5) for step, later in itertools.pairwise(steps))


@settings(deadline=None)
@given(st.integers(1, 300))
def test_a_budget_of_steps_is_evaluated_on_a_grid_of_fifty(budget):
    _, points, _ = trial_of("sgd", epochs=None, steps=budget)
    steps = [point.step for point in points]
    assert steps == sorted({math.ceil(part * budget / 50) for part in range(51)})


def test_the_clock_is_the_processors_and_stands_still_in_evaluations(monkeypatch):
    clock = itertools.count()  # read four times in a step
    monkeypatch.setattr(protocol.time, "process_time", lambda: float(next(clock)))
    trial, points, _ = trial_of("sgd", epochs=2)
    assert (trial.status, trial.steps, trial.epochs, trial.max_steps) == ("done", 10, 2, 10)
    assert [point.step for point in points] == [0, 5, 10]
    assert [point.secs for point in points] == [0, 15, 30]
    assert (trial.secs, trial.step_us, trial.optimizer_us) == (30, 3e6, 2e6)


@pytest.mark.parametrize(
    ("metrics", "lower", "reached"),
    [
        ([0, 1, 2, 3, 4], False, 3),  # the target is 3
        ([0, 3, 2, 3, 3], False, 3),  # once is chance
        ([0, 1, 2, 2, 3], False, 4),  # the last may stand alone
        ([0, 1, 3, math.nan, 2], False, None),
        ([9, 8, 3, 2, 9], True, 2),
        ([9, 8, 7, 6, 5], True, None),
        ([3, 3, 9, 9, 9], True, 0),
    ],
)
def test_a_target_is_reached_by_two_evaluations_in_a_row(metrics, lower, reached):
    class Told(Quadratic):
        def __init__(self, seed):
            super().__init__(seed)
            self.left = iter(metrics)

        def evaluate(self):
            return next(self.left)

    problem = dataclasses.replace(QUADRATIC, start=Told, target=3, lower_is_better=lower)
    trial, points, _ = trial_of("sgd", problem, epochs=4)
    assert trial.status == "done"
    steps = None if reached is None else 5 * reached
    assert trial.steps_to_target == steps
    assert trial.secs_to_target == (None if reached is None else points[reached].secs)


def test_a_run_that_diverges_has_reached_nothing(register):
    register(Poisons, "poisons")
    trial, _, _ = trial_of("poisons", dataclasses.replace(QUADRATIC, target=-1.0))
    assert (trial.status, trial.steps_to_target, trial.final) == ("diverged", None, None)


def test_of_the_search_no_points_are_kept():
    trial, points, _ = trial_of("adam", track="tuning", trial=3, hyper={"lr": 0.5}, epochs=None, steps=100)
    assert (points, trial.points) == ([], [])
    assert (trial.track, trial.trial, trial.hparams["lr"], trial.max_steps) == ("tuning", 3, 0.5, 100)
    assert trial.steps_to_target is not None


def rates(name, steps):
    schedule = rates_module.SCHEDULES[name](steps)
    return [schedule(step, 2.0) for step in range(steps)]


@given(st.integers(40, 400))
def test_schedules_rise_from_above_zero_and_fall_to_near_it(steps):
    warm = round(0.05 * steps)
    for name in ("cosine", "trapezoid", "warmup"):
        found = rates(name, steps)
        assert all(0 < rate <= 2 for rate in found)
        assert found[:warm] == sorted(set(found[:warm]))
        assert found[warm] == max(found) == 2
        assert found[warm:] == sorted(found[warm:], reverse=True)
        assert found[-1] == 2 if name == "warmup" else found[-1] < 0.3
    assert set(rates("constant", steps)) == {2.0}


@given(st.integers(1, 40))
def test_schedules_of_few_steps_have_rates(steps):
    for name in rates_module.SCHEDULES:
        assert all(0 <= rate <= 2 for rate in rates(name, steps))


def test_the_rate_of_a_step_is_the_schedules():
    _, points, _ = trial_of("adam", hyper={"lr": 2.0}, schedule="cosine", epochs=None, steps=50)
    assert [point.lr for point in points[1:]] == rates("cosine", 50)


def test_a_schedule_free_optimizer_is_never_slowed_down(register):
    register(ts.optimizers.SGD, "free", tags=("schedule-free",))
    free, adam = find_optimizer("free"), find_optimizer("adam")
    assert [rates_module.schedule_of(free, name) for name in rates_module.SCHEDULES] == [
        "constant",
        "warmup",
        "warmup",
        "warmup",
    ]
    assert rates_module.schedule_of(adam, "cosine") == "cosine"


def test_weights_are_evaluated_where_the_optimizer_wants_it(register):
    said = []

    class Elsewhere(ts.optimizers.SGD):
        def eval(self):
            said.append("eval")

        def train(self):
            said.append("train")

        def step(self, parameters=None):
            said.append("step")

    class Watched(Quadratic):
        def evaluate(self):
            said.append("evaluate")
            return super().evaluate()

    register(Elsewhere, "elsewhere")
    trial_of("elsewhere", dataclasses.replace(QUADRATIC, start=Watched), epochs=1)
    evaluation = ["eval", "evaluate", "train"]
    assert said == [*evaluation, *["step"] * 5, *evaluation]


def test_a_trial_runs_on_one_thread_and_leaves_the_threads_as_they_were():
    seen = []

    class Asks(Quadratic):
        def evaluate(self):
            seen.append(ts.get_num_threads())
            return super().evaluate()

    before = ts.get_num_threads()
    trial_of("sgd", dataclasses.replace(QUADRATIC, start=Asks))
    assert set(seen) == {1}
    assert ts.get_num_threads() == before


@pytest.mark.parametrize("lr", [1e3, 1e6, 1e30])
def test_a_run_that_turns_non_finite_is_diverged(lr):
    trial, _, _ = trial_of("sgd", hyper={"lr": lr}, epochs=100)
    assert (trial.status, trial.final, trial.final_loss) == ("diverged", None, None)
    assert "non-finite" in trial.reason


def test_problems_do_not_draw_from_one_stream():
    problems = ["quadratic", "logreg_cancer", "toy"]
    seeds = [protocol.seed_of(problem, seed) for problem in problems for seed in range(20)]
    assert len(set(seeds)) == len(seeds)
    seen = []

    class Told(Quadratic):
        def __init__(self, seed):
            seen.append(seed)
            super().__init__(seed)

    for name in ("sgd", "adam"):
        trial_of(name, dataclasses.replace(QUADRATIC, start=Told), seed=7)
    assert seen == [protocol.seed_of("toy", 7)] * 2
