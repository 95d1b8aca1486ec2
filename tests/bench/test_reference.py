"""What is known must come out of the committed rows; and they must be of the code as it is."""

import datetime as dt
import math
import random
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from trainstation.bench.problems import find_problems
from trainstation.bench.protocol.plan import PROFILES
from trainstation.bench.protocol.provenance import code_hash, problem_version
from trainstation.bench.protocol.trial import Job, run_trial
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.packaged import packaged
from trainstation.bench.verdicts.cells import cells
from trainstation.bench.verdicts.claims import versus
from trainstation.bench.verdicts.score import standings
from trainstation.registry.lookup import find_optimizer, list_optimizers

ROWS = Path(__file__).parents[2] / "benchmarks" / "reference"
STANDARD = PROFILES["standard"]
QUICK = ("softmax_digits", "logreg_cancer", "quadratic")  # convex: rounding does not grow
IDLE, BROKEN = "control_idle", "control_broken"  # of benchmarks/controls.py, whose import registers them
STEADY = ("adam", "adamw", "rmsprop", "sgd")


@cache
def ledger():
    return Ledger.read(ROWS)


@cache
def trials():
    return ledger().trials


@cache
def known():
    return cells(trials())


def finals(problem, optimizer, track="tuned"):
    return known()[track][problem, optimizer].finals


def of(track):
    return {each.optimizer: each for each in standings(known(), track)}


def test_the_rows_are_of_the_code_as_it_is():
    problems = {problem.name: problem for problem in STANDARD.problems(find_problems())}
    stale = {
        (trial.problem, trial.optimizer)
        for trial in trials()
        if trial.problem_version != problem_version(problems[trial.problem])
        or trial.target != problems[trial.problem].target
        or (
            trial.optimizer in list_optimizers()  # the plugins may not be installed
            and trial.code_hash != code_hash(find_optimizer(trial.optimizer).load())
        )
    }
    assert not stale, "python -m benchmarks reference runs these again"


def test_the_packaged_results_are_of_these_rows():
    rows = {(t.problem, t.optimizer, t.seed): t for t in trials() if t.track == "tuned"}
    searched = Counter((t.problem, t.optimizer) for t in trials() if t.track == "tuning")
    results = packaged()
    assert {(t.problem, t.optimizer, t.seed) for t in results.trials} == {key for key in rows if key[1] != BROKEN}
    same = ("distribution", "version", "steps_to_target", "max_steps", "target", "metric", "lower_is_better", "track")
    for trial in results.trials:
        row = rows[trial.problem, trial.optimizer, trial.seed]
        assert [getattr(trial, name) for name in same] == [getattr(row, name) for name in same]
        assert trial.problem_version == row.problem_version
        assert trial.secs_to_target == (None if row.secs_to_target is None else float(f"{row.secs_to_target:.3g}"))
        settings = results.settings(trial.problem, trial.optimizer, trial.distribution)
        assert settings.hyper.items() <= row.hparams.items()
        assert settings.searched == trial.searched == searched[trial.problem, trial.optimizer]
    env = ledger().envs[-1]
    assert str(results) == f"Packaged results, measured on {env.cpu_model} ({env.started_at[:10]})"


def test_the_packaged_results_rank_as_the_rows_do():
    results = {each.optimizer: each for each in standings(cells(packaged().trials), "tuned")}
    rows = of("tuned")
    assert set(results) == set(rows) - {BROKEN}
    for name, each in results.items():
        assert (each.solved, each.verdict_steps) == (rows[name].solved, rows[name].verdict_steps)
        assert each.speedup_steps == rows[name].speedup_steps


def test_all_optimizers_are_there_with_as_many_trials():
    problems = [problem.name for problem in STANDARD.problems(find_problems())]
    names = {trial.optimizer for trial in trials()} - {IDLE, BROKEN}
    assert len(names) == 26
    count = {"default": STANDARD.seeds, "tuned": STANDARD.seeds, "tuning": STANDARD.trials}
    for track, each in count.items():
        found = known()[track]
        for problem in problems:
            for name in names:
                assert len(found[problem, name].trials) == each, (problem, name, track)


def test_tuned_adam_beats_tuned_sgd_on_the_transformer():
    assert finals("gpt_shakespeare_small", "adam").max() < finals("gpt_shakespeare_small", "sgd").min()


def test_tuned_sgd_with_momentum_is_competitive_on_the_cnn():
    sgd, adam = (np.median(finals("cnn_mnist5k", name)) for name in ("sgd", "adam"))
    assert sgd < 1.25 * adam


def test_who_never_moves_solves_nothing():
    idle = of("default")[IDLE]
    assert idle.n > 0
    assert (idle.solved, idle.score_steps, idle.score_secs) == (0, 0, 0)
    for problem in {trial.problem for trial in trials()}:
        points = [point for trial in known()["default"][problem, IDLE].trials for point in trial.points]
        assert len({(point.seed, point.val_metric) for point in points}) == STANDARD.seeds


def test_a_broken_adam_ranks_below():
    """With equal tuning. As registered it is ahead: Adam's rate of 0.001 is too low for all these budgets, and steps
    that are not corrected are up to three times as long.
    """
    claim = versus(known(), BROKEN, "adamw", "tuned")
    assert claim.steps.verdict == "worse", claim.sentence
    standing = of("tuned")
    assert standing[BROKEN].score_steps < min(standing["adam"].score_steps, standing["adamw"].score_steps)


def test_tuning_is_worth_it():
    default, tuned = of("default"), of("tuned")
    assert np.mean([tuned[name].solved - default[name].solved for name in STEADY]) > 0.1


def test_no_secret_of_the_winners():
    """What is scored has seeds that the search has not seen, the same ones for everyone."""
    seeds = {(trial.track, trial.seed) for trial in trials()}
    scored = {seed for track, seed in seeds if track != "tuning"}
    assert scored == set(range(STANDARD.seeds))
    assert not scored & {seed for track, seed in seeds if track == "tuning"}


def test_a_row_of_today_can_be_run_again():
    """One that is drawn anew each day; on another processor sums round differently."""
    rows = [
        trial
        for trial in trials()
        if trial.problem in QUICK and trial.optimizer in STEADY and trial.track == "default" and trial.final is not None
    ]
    row = random.Random(dt.datetime.now(tz=dt.UTC).date().isoformat()).choice(rows)
    job = Job(row.problem, row.optimizer, seed=row.seed, schedule=row.schedule, steps=row.max_steps)
    found = run_trial(
        find_problems()[row.problem], job, "env", on_point=lambda point: None, progress=lambda done, best: None
    )
    assert found.status == row.status
    assert found.code_hash == row.code_hash
    assert math.isclose(found.final, row.final, rel_tol=1e-2), row
