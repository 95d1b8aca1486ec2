import dataclasses

import pytest
from toys import QUADRATIC, trial_of

import trainstation as ts
from trainstation.bench.problems import find_problems
from trainstation.bench.protocol.plan import PROFILES, best_of, choose

BUILTINS = ["adam", "adamw", "sgd", "rmsprop"]


def test_without_names_the_builtins_come_first_and_peers_do_not_run(register):
    register(ts.optimizers.SGD, "aaa_mine")
    register(ts.optimizers.SGD, "aaa_peer", tags=("peer",))
    chosen = choose()
    assert chosen[:4] == BUILTINS
    assert chosen[4:] == sorted(chosen[4:])
    assert "aaa_mine" in chosen
    assert "aaa_peer" not in chosen


def test_a_profile_holds_the_smaller_ones():
    known = find_problems()
    small, middle, large = ([problem.name for problem in PROFILES[name].problems(known)] for name in PROFILES)
    assert small[0] == "mnist5k_mlp"
    assert len(small) == 3
    assert set(small) < set(middle) < set(large) == set(known)


def test_everyone_gets_as_many_trials_and_the_same_seeds():
    plan = dataclasses.replace(PROFILES["standard"], names=("adam", "sgd"), seeds=2, trials=3)
    jobs = plan.first(QUADRATIC)
    tuning = [job for job in jobs if job.track == "tuning"]
    assert [(job.optimizer, job.seed) for job in jobs if job.track == "default"] == [
        ("adam", 0),
        ("sgd", 0),
        ("adam", 1),
        ("sgd", 1),
    ]
    assert [(job.optimizer, job.trial) for job in tuning] == [(name, k) for name in ("adam", "sgd") for k in range(3)]
    assert {job.seed for job in tuning} == {1000}
    assert {job.steps for job in jobs} == {100}
    trials = [
        dataclasses.replace(trial_of("adam")[0], optimizer=job.optimizer, trial=job.trial, steps_to_target=steps)
        for job, steps in zip(tuning, (30, 20, None, None, None, 10), strict=True)
    ]
    second = plan.second(QUADRATIC, trials)
    assert [(job.optimizer, job.seed, job.track) for job in second] == [
        ("adam", 0, "tuned"),
        ("sgd", 0, "tuned"),
        ("adam", 1, "tuned"),
        ("sgd", 1, "tuned"),
    ]
    assert second[0].hyper == tuning[1].hyper
    assert second[1].hyper == tuning[5].hyper
    assert len(jobs) + len(second) == 2 * plan.trials_of(QUADRATIC, "adam")


@pytest.mark.parametrize("lower", [True, False])
def test_the_best_of_a_search(lower):
    trial = dataclasses.replace(trial_of("sgd")[0], lower_is_better=lower)

    def of(number, steps, final, status="done"):
        return dataclasses.replace(trial, trial=number, steps_to_target=steps, final=final, status=status)

    better, worse = (1.0, 2.0) if lower else (2.0, 1.0)
    assert best_of([]) is None
    assert best_of([of(0, None, better), of(1, 50, worse), of(2, 40, worse)]).trial == 2
    assert best_of([of(0, None, worse), of(1, None, better), of(2, None, None, "diverged")]).trial == 1
    assert best_of([of(0, 40, worse), of(1, 40, better)]).trial == 1
    assert best_of([of(0, None, None, "diverged"), of(1, None, float("nan"))]).trial == 0
