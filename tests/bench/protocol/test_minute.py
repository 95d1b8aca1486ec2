"""The plan of the first minute, on a clock and at prices that the tests make."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import QUADRATIC, trial_of

import trainstation as ts
from trainstation.bench.problems import find_problems
from trainstation.bench.protocol.minute import BUDGET, LEAST, MOST, POINTS, Minute
from trainstation.bench.protocol.plan import asked_for
from trainstation.bench.records.packaged import packaged

BUILTINS = ("adam", "adamw", "sgd", "rmsprop")
STRANGERS = ("one", "two", "three")
PROBLEMS = [find_problems()[name] for name in ("mnist5k_mlp", "softmax_digits", "quadratic")]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Prices:
    """A pace that is known: microseconds of a step by optimizer."""

    def __init__(self, steps, usual=100.0):
        self.steps, self.usual, self.timed = steps, usual, []

    def time(self, problem, optimizer):
        self.timed.append((problem.name, optimizer))

    def trial(self, problem, optimizer, steps):
        return 1e-6 * steps * self.steps.get(optimizer, self.usual) + self.evaluations(problem, steps)

    def evaluations(self, problem, steps):
        return 1e-3 * min(steps, 50)


def minute(*names, seeds=0, clock=None):
    return Minute("smoke", ("known",), seeds, 0, "cosine", names=names, clock=clock or Clock())


def carried_out(plan, clock, prices, problems=PROBLEMS):
    """Carry a plan out on the clock; return its jobs."""
    done = []

    def run(jobs):
        trials = []
        for job in jobs:
            clock.now += prices.trial(next(p for p in problems if p.name == job.problem), job.optimizer, job.steps)
            done.append(job)
            of = {"problem": job.problem, "optimizer": job.optimizer, "track": job.track, "trial": job.trial}
            trials.append(replace(TRIAL, **of, steps_to_target=100 - (job.trial or 0)))
        return trials

    plan.carry_out(problems, run)
    return done


TRIAL = trial_of("sgd")[0]


def test_everyone_has_the_best_settings_known_and_the_same_seeds():
    clock, prices = Clock(), Prices({})
    plan = minute(*BUILTINS, clock=clock).fitted(PROBLEMS, prices, 1)
    assert (plan.names, plan.left_out) == (BUILTINS, ())
    jobs = carried_out(plan, clock, prices)
    assert {job.track for job in jobs} == {"known"}
    assert len(jobs) == len(BUILTINS) * len(PROBLEMS) * plan.planned
    for problem in PROBLEMS:
        for name in BUILTINS:
            own = [job for job in jobs if (job.problem, job.optimizer) == (problem.name, name)]
            assert [job.seed for job in own] == list(range(plan.planned))
            known = packaged().settings(problem.name, name, ts.optimizer_info(name).distribution)
            assert all((job.hyper, job.steps) == (known.hyper, problem.budget) for job in own)
            assert plan.searched(own[0]) == known.searched


def test_a_stranger_is_searched_with_as_many_points_as_there_is_time_for(register):
    register(ts.optimizers.SGD, "mine")
    for step, points in ((200.0, POINTS[0]), (2200.0, POINTS[-1])):
        clock, prices = Clock(), Prices({"mine": step})
        plan = minute("adamw", "mine", clock=clock).fitted(PROBLEMS, prices, 1)
        assert plan.points == points
        jobs = carried_out(plan, clock, prices)
        for problem in PROBLEMS:
            own = [job for job in jobs if (job.problem, job.optimizer) == (problem.name, "mine")]
            tuning, known = ([job for job in own if job.track == track] for track in ("tuning", "known"))
            assert [job.trial for job in tuning] == list(range(points))
            assert len(known) >= LEAST
            assert {job.hyper["lr"] for job in known} == {tuning[-1].hyper["lr"]}  # the fewest steps, as `run` has it
            assert plan.searched(known[0]) == points
            assert plan.searched(tuning[0]) is None


def test_a_stranger_for_whom_there_is_no_time_is_left_out(register):
    register(ts.optimizers.SGD, "mine")
    plan = minute("adamw", "mine").fitted(PROBLEMS, Prices({"mine": 9000.0}), 1)
    assert (plan.names, plan.left_out) == (("adamw",), ("mine",))


def test_one_of_the_same_name_from_elsewhere_is_a_stranger():
    assert packaged().settings("quadratic", "adam", "evil") is None
    assert packaged().settings("no_such", "adam", ts.optimizer_info("adam").distribution) is None


def test_a_problem_that_is_not_known_is_searched_for_everyone():
    clock, prices = Clock(), Prices({})
    plan = minute(*BUILTINS, clock=clock).fitted([QUADRATIC], prices, 1)
    jobs = carried_out(plan, clock, prices, [QUADRATIC])
    for name in BUILTINS:
        assert sum((job.optimizer, job.track) == (name, "tuning") for job in jobs) == plan.points == POINTS[0]


@pytest.fixture(scope="module")
def strangers():
    for name in STRANGERS:
        ts.register_optimizer(ts.optimizers.SGD, name=name)
    yield
    for name in STRANGERS:
        ts.unregister_optimizer(name)


@settings(deadline=None, max_examples=60)
@given(
    steps=st.fixed_dictionaries({name: st.floats(10, 4000) for name in (*BUILTINS, *STRANGERS)}),
    usual=st.floats(10, 4000),
    slower=st.floats(1, 1.2),
    processes=st.sampled_from([1, 2]),
)
def test_it_ends_in_time_and_all_have_as_many_seeds(strangers, steps, usual, slower, processes):
    clock, prices = Clock(), Prices(steps, usual)
    names = (*BUILTINS, *STRANGERS)
    plan = minute(*names, clock=clock).fitted(PROBLEMS, prices, processes)
    assert set(BUILTINS) <= set(plan.names)
    assert sorted(plan.names + plan.left_out) == sorted(names)
    assert plan.names == tuple(name for name in names if name in plan.names)
    costs = {name: slower * price / processes for name, price in steps.items()}
    jobs = carried_out(plan, clock, Prices(costs, slower * usual / processes))
    scored = [job for job in jobs if job.track == "known"]
    seeds = {key: [job.seed for job in scored if _key(job) == key] for key in map(_key, scored)}
    assert len(seeds) == len(plan.names) * len(PROBLEMS)
    assert len(set(map(tuple, seeds.values()))) == 1
    assert LEAST <= len(scored) / len(seeds) <= MOST
    searches = {key: [job.trial for job in jobs if job.track == "tuning" and _key(job) == key] for key in seeds}
    for (_, name), points in searches.items():
        assert points == ([] if name in BUILTINS else list(range(plan.points)))
    assert clock.now < BUDGET + 15 * slower
    if plan.lengths:  # all are shorter, by the same share
        assert not plan.left_out or set(plan.names) == set(BUILTINS)
        shares = [plan.steps(problem) / problem.budget for problem in PROBLEMS]
        assert max(shares) - min(shares) < 0.05
    elif not plan.left_out and len(scored) / len(seeds) < MOST:  # the time is used
        assert clock.now > BUDGET / 2


def _key(job):
    return job.problem, job.optimizer


def test_a_number_of_seeds_is_kept_to_however_long_it_takes():
    clock, prices = Clock(), Prices({}, usual=1e5)
    plan = minute("adam", seeds=3, clock=clock).fitted(PROBLEMS, prices, 1)
    assert (plan.lengths, plan.left_out) == ({}, ())
    assert [job.seed for job in carried_out(plan, clock, prices) if job.problem == "quadratic"] == [0, 1, 2]
    assert clock.now > BUDGET


def test_what_is_shortened_says_so_and_goes_on_as_it_began():
    plan = minute(*BUILTINS)
    whole = plan.fitted(PROBLEMS, Prices({}), 1)
    assert whole.shortened(PROBLEMS) == ""
    cut = plan.fitted(PROBLEMS, Prices({}, usual=4000.0), 1)
    share = max(cut.steps(problem) / problem.budget for problem in PROBLEMS)
    assert 0.1 < share < 0.9
    assert cut.shortened(PROBLEMS).endswith(" %")
    trials = [replace(TRIAL, problem=problem.name, max_steps=cut.steps(problem)) for problem in PROBLEMS]
    again = plan.begun(PROBLEMS, trials).fitted(PROBLEMS, Prices({}, usual=3000.0), 1)
    assert again.lengths == cut.lengths
    trials = [replace(TRIAL, problem=problem.name, max_steps=problem.budget) for problem in PROBLEMS]
    assert plan.begun(PROBLEMS, trials) == plan
    assert plan.begun(PROBLEMS, trials).lengths == {}


def test_what_a_stranger_may_crash_is_its_process_alone(register):
    register(ts.optimizers.SGD, "mine")
    for processes, timed in ((1, {"adam", "mine"}), (2, {"adam"})):
        prices = Prices({})
        minute("adam", "mine").fitted(PROBLEMS, prices, processes)
        assert {name for _, name in prices.timed} == timed


def test_what_was_measured_does_not_make_it_another_plan():
    plan = minute(*BUILTINS)
    assert asked_for(plan, PROBLEMS) == asked_for(replace(plan, begin=5.0, planned=7, lengths={"x": 1}), PROBLEMS)
    assert asked_for(plan, PROBLEMS) != asked_for(replace(plan, seeds=2), PROBLEMS)


@pytest.mark.parametrize(("seeds", "said"), [(0, "as many seeds as fit into a minute"), (2, "2 seeds")])
def test_it_says_what_it_will_do(seeds, said):
    assert str(minute(*BUILTINS, seeds=seeds)) == f"4 optimizers at the best settings known, {said}"
