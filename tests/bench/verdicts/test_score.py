import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trial_rows import trial, trials

from trainstation.bench.verdicts.cells import cells, current
from trainstation.bench.verdicts.score import heat, profiles, scores, standings
from trainstation.bench.verdicts.sensitivity import expected_best, sensitivity
from trainstation.bench.verdicts.sentences import verdict_sentences

INF = math.inf
TIMES = st.one_of(st.integers(1, 100).map(float), st.just(INF))


def tables(least=1):
    """Steps of two seeds, of three optimizers on some problems."""
    row = st.fixed_dictionaries({name: st.lists(TIMES, min_size=2, max_size=2) for name in ("x", "y", "z")})
    return st.lists(row, min_size=least, max_size=4).map(lambda rows: dict(zip("abcd", rows, strict=False)))


# Which trials count


def test_the_last_of_several_rows_counts():
    rows = [trial("a", "x", 1, 30), trial("a", "x", 0, 10), trial("a", "x", 0, 20)]
    cell = cells(rows)["default"]["a", "x"]
    assert (cell.seeds, cell.steps.tolist(), cell.secs.tolist()) == ((0, 1), [20, 30], [0.2, 0.3])


@pytest.mark.parametrize("status", ["diverged", "error"])
def test_what_has_failed_has_reached_nothing(status):
    cell = cells([replace(trial("a", "x", 0, 10), status=status, final=None)])["default"]["a", "x"]
    assert (cell.steps.tolist(), cell.secs.tolist()) == ([INF], [INF])
    assert np.isnan(cell.finals).all()


@pytest.mark.parametrize(
    "change",
    [
        {"env_id": "there"},
        {"problem_version": "2"},
        {"target": 0.8},
        {"max_steps": 150},
        {"schedule": "constant"},
        {"version": "2"},
        {"code_hash": "other"},
        {"hparams": {"lr": 0.2}},
    ],
)
def test_what_was_measured_otherwise_is_no_repetition(change):
    old, other = trials({"a": {"x": [1, 2, 3]}}), trial("b", "x", 0, 5)
    assert current([*old, other, trial("a", "x", 0, 4, **change)]) == [other, trial("a", "x", 0, 4, **change)]


def test_other_optimizers_have_their_own_code_and_schedule():
    rows = [trial("a", "x", 0, 1), trial("a", "y", 0, 2, schedule="warmup", hparams={}, code_hash="y")]
    for order in itertools.permutations(rows):
        assert current(order) == list(order)


@pytest.mark.parametrize("steps", [None, 50])
@pytest.mark.parametrize("track", ["default", "known"])
def test_what_the_clock_has_shortened_does_not_replace_a_budget(steps, track):
    rows = [trial("a", "x", 0, 1), trial("a", "x", 1, 1)]
    assert current([*rows, trial("a", "x", 0, 3, max_steps=steps, schedule="constant", track=track)]) == rows


def test_a_minute_beside_a_whole_run_is_judged_by_itself():
    """Its search was small; the tuned AdamW of the whole run is no measure of it."""
    whole = trials({"a": {"adamw": [20.0] * 4}, "b": {"adamw": [20.0] * 4}}, track="tuned")
    minute = trials({"a": {"adamw": [10.0] * 4}, "b": {"adamw": [10.0] * 4}}, track="known", searched=8)
    minute += trials({"a": {"mine": [40.0] * 4}, "b": {"mine": [40.0] * 4}}, track="known", searched=6)
    found = {each.optimizer: each for each in standings(cells([*whole, *minute]), "known")}
    assert found["mine"].reference == "adamw, known"
    assert (found["mine"].verdict_steps, found["mine"].searched, found["mine"].reference_searched) == (
        "not claimed",
        12,
        16,
    )


def test_nobodys_score_depends_on_a_control():
    table = {"a": {"x": [20.0] * 2, "y": [40.0] * 2, "control_lucky": [10.0] * 2}}
    without = {"a": {name: times for name, times in table["a"].items() if name != "control_lucky"}}
    beside, alone = (scores(cells(trials(each)), "default", "steps") for each in (table, without))
    assert {name: beside[name] for name in alone} == alone
    assert beside["control_lucky"] == 1


# Profiles and scores


def test_profiles_and_scores_by_hand():
    rows = trials({
        "a": {"x": [10, 10, 10], "y": [20, 20, 90]},
        "b": {"x": [INF, INF, 5], "y": [30, 10, 50]},
        "nobody": {"x": [INF] * 3, "y": [INF] * 3},
        "at once": {"x": [0, 0, 0], "y": [1, 1, 1]},
    })  # fmt: skip
    rows += [trial("no target", "x", 0, INF, target=None)]
    assert heat(cells(rows), "default", "steps") == {
        "a": {"x": 10, "y": 20},
        "b": {"x": INF, "y": 30},
        "nobody": {"x": INF, "y": INF},
        "at once": {"x": 0, "y": 1},
    }
    found = profiles(cells(rows), "default", "steps")
    assert found["x"][0].tolist() == found["y"][0].tolist() == [1, 2, 4]
    assert found["x"][1].tolist() == [0.5, 0.5, 0.5]
    assert found["y"][1].tolist() == [0.25, 0.5, 0.5]
    assert scores(cells(rows), "default", "steps") == pytest.approx({"x": 2 / 4, "y": 1.5 / 4})


@given(tables())
def test_a_score_is_the_area_under_the_profile(table):
    rows = trials(table)
    for name, (taus, shares) in profiles(cells(rows), "default", "steps").items():
        area = (np.diff(np.log(taus)) * shares[:-1]).sum() / math.log(4)
        assert scores(cells(rows), "default", "steps")[name] == pytest.approx(area)


@given(tables(), st.floats(0.01, 100))
def test_the_unit_of_time_says_nothing(table, unit):
    rows = trials(table)
    scaled = [replace(row, secs_to_target=row.secs_to_target and row.secs_to_target * unit) for row in rows]
    known = scores(cells(rows), "default", "secs")
    assert scores(cells(scaled), "default", "secs") == pytest.approx(known)
    assert known == pytest.approx(scores(cells(rows), "default", "steps"))  # a step takes as long for all here


@given(tables(), st.data())
def test_a_miss_more_never_raises_a_score(table, data):
    problem, seed = data.draw(st.sampled_from(sorted(table))), data.draw(st.integers(0, 1))
    before = scores(cells(trials(table)), "default", "steps")["x"]
    table[problem]["x"][seed] = INF
    assert scores(cells(trials(table)), "default", "steps")["x"] <= before


@given(tables())
def test_who_solves_nothing_scores_nothing_and_is_never_better(table):
    nothing = {problem: row | {"x": [INF, INF]} for problem, row in table.items()}
    rows = trials(nothing, secs=None)
    [stands] = [each for each in standings(cells(rows), "default", reference="y") if each.optimizer == "x"]
    assert (stands.solved, stands.score_steps, stands.score_secs) == (0, 0, 0)
    assert stands.verdict_steps != "better"
    assert stands.verdict_secs != "faster"


# Standings


def test_standings():
    times = {"adamw": [20, 22, 24, 26, 28, 30], "fast": [10, 11, 12, 13, 14, 15], "slow": [40, 50, INF, 60, INF, 70]}
    rows = trials({"a": times, "b": times})
    rows += [replace(trial("a", "nan", 0, INF), status="diverged", reason="non-finite", final=None, step_us=None)]
    fast, adamw, *rest = standings(cells(rows), "default")
    assert (fast.optimizer, fast.n, fast.problems, fast.of_problems, fast.solved) == ("fast", 12, 2, 2, 1)
    assert (fast.score_steps, fast.verdict_steps, fast.verdict_secs, fast.pairs) == (1, "better", "faster", 12)
    assert fast.speedup_steps == pytest.approx((2, 2, 2))
    assert fast.p_steps == pytest.approx(2 / 2**12)
    assert (fast.optimizer_share, fast.optimizer_us, fast.state_bytes_per_param) == (0.25, 5, 8)
    assert (adamw.optimizer, adamw.score_steps, adamw.reference) == ("adamw", pytest.approx(0.5), "adamw, default")
    assert (adamw.verdict_steps, adamw.speedup_steps, adamw.pairs) == ("reference", (1, 1, 1), 12)
    by_name = {each.optimizer: each for each in rest}
    assert (by_name["slow"].verdict_steps, by_name["slow"].solved) == ("worse", 8 / 12)
    nan = by_name["nan"]
    assert (nan.verdict_steps, nan.speedup_steps, nan.optimizer_share) == ("too few", None, None)
    assert (nan.problems, nan.of_problems, nan.failures) == (1, 2, ["a: non-finite"])


@pytest.mark.parametrize(
    ("tuned", "reference", "verdict"),
    [(["adamw"], "adamw, tuned", "worse"), (["other"], "adamw, default", "tie")],
)
def test_the_reference_is_tuned_where_there_is_such_a_one(tuned, reference, verdict):
    rows = trials({problem: {"adamw": [40, 50, 60], "x": [40, 50, 60]} for problem in "ab"})
    rows += trials({problem: {name: [10, 11, 12] for name in tuned} for problem in "ab"}, track="tuned")
    for each in standings(cells(rows), "default"):
        own = each.optimizer == "adamw" and reference.endswith("default")
        assert (each.reference, each.verdict_steps) == (reference, "reference" if own else verdict)


def test_without_a_reference_or_targets_standings_say_less():
    [alone] = standings(cells(trials({"a": {"x": [1, 2]}})), "default")
    assert (alone.reference, alone.verdict_steps, alone.speedup_steps, alone.solved) == ("", "", None, 1)
    [aimless] = standings(cells([trial("a", "x", 0, INF, target=None)]), "default")
    assert (aimless.n, aimless.problems, aimless.solved, aimless.score_steps) == (0, 1, None, None)
    assert standings(cells([]), "default") == []


# What a search says


def tuning(finals, rates, reached=(), **options):
    """Return the trials of a search, each with a rate and where it ended."""
    return [
        replace(
            trial("a", "x", 1000, 10 if place in reached else INF, track="tuning", **options),
            trial=place,
            hparams={"lr": rate, "eps": 1e-8},
            final=final,
        )
        for place, (final, rate) in enumerate(zip(finals, rates, strict=True))
    ]


@pytest.mark.parametrize(
    ("finals", "reached", "decades", "share", "edge"),
    [
        ([0.5, 0.86, 0.89, 0.5, None], [], 1, 0, False),  # within 5 % of 0.89
        ([0.5, 0.87, 0.8, 0.91, None], [2, 3], 2, 0.4, False),
        ([0.5, 0.89, 0.4, 0.88, None], [], 0, 0, False),  # a gap ends the range
        ([0.9, 0.5, 0.5, 0.5, 0.5], [0], 0, 0.2, True),
    ],
)
def test_sensitivity_to_the_rate(finals, reached, decades, share, edge):
    [found] = sensitivity(cells(tuning(finals, [1e-4, 1e-3, 1e-2, 1e-1, 1], reached)), {"x": {"lr": (1e-4, 1.0)}})
    assert found.decades == pytest.approx(decades)
    assert (found.n, found.reached, bool(found.edges)) == (5, share, edge)
    assert [point.final for point in found.points] == finals
    assert [point.reached for point in found.points] == [place in reached for place in range(5)]
    assert list(found.best) == ["lr"]


def test_a_search_in_which_nothing_trains_has_no_best_point():
    [found] = sensitivity(cells(tuning([None, None], [0.1, 0.2], status="diverged")), {"x": {"lr": (0.1, 1.0)}})
    assert (found.best, found.decades, found.edges, found.reached) == (None, None, [], 0)
    assert expected_best(cells(tuning([None, None], [0.1, 0.2]))) == {}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.booleans())
def test_the_expected_best_is_the_mean_over_all_sets(finals, lower):
    [found] = expected_best(cells(tuning(finals, [0.1] * len(finals), lower_is_better=lower))).values()
    best = min if lower else max
    means = [
        np.mean([best(some) for some in itertools.combinations(finals, k)]) for k in range(1, len(finals) + 1)
    ]  # fmt: skip
    assert found == pytest.approx(np.array(means))


def test_of_steps_the_median_is_expected_as_misses_are_infinite():
    rows = tuning([0.9, 0.4, 0.4], [0.1] * 3, reached=[0])
    assert expected_best(cells(rows), "steps")["a", "x"].tolist() == [INF, 10, 10]


# Sentences


def test_sentences():
    base = [20, 22, 24, 26, 28, 30]
    rows = trials({problem: {"adamw": base, "lion": [s / 2 for s in base], "sgd": [INF] * 6} for problem in "ab"})
    rows += [replace(trial("a", "nan", seed, INF), status="error", reason="broken") for seed in range(6)]
    others = " (3 optimizers compared, 0 ties; n = 6 to 12 pairs of trials each)."
    assert verdict_sentences(standings(cells(rows), "default"), "default") == [
        "Scores in steps to the target, of 4 optimizers (default, 2 problems, 42 trials): lion 1.00, adamw 0.50.",
        "Better than adamw, default, in steps to the target: lion 2 times as fast [2, 2], p < 0.001" + others,
        "Faster than adamw, default, in seconds: lion 2 times as fast [2, 2], p < 0.001" + others,
        "Most trials reach the target, 100%, with lion, adamw (n = 12 each); none of nan, sgd does.",
        "Trials of nan have diverged or failed.",
    ]


def test_a_tie_is_said_as_one():
    base = [20, 22, 24, 26, 28, 30]
    found = verdict_sentences(standings(cells(trials({"a": {"adamw": base, "x": base[::-1]}})), "default"), "default")
    assert found[1] == (
        "No optimizer is better than adamw, default, beyond noise in steps to the target:"
        " 1 optimizer compared, 1 tie; n = 6 pairs of trials each."
    )
    few = verdict_sentences(standings(cells(trials({"a": {"adamw": [1, 2], "x": [1, 2]}})), "default"), "default")
    assert few[1].startswith("There are too few trials to say whether any optimizer is better than adamw")
    assert verdict_sentences([], "tuned") == ["No trial of the track tuned has a target: there is nothing to score."]


def test_the_best_settings_known_are_judged_in_two_sentences():
    rows = trials(
        {"a": {"adamw": [20.0] * 4, "x": [10.0] * 4, "y": [INF, INF, 40.0, 40.0], "z": [INF] * 4}}, track="known"
    )
    rows += trials({"b": {"adamw": [20.0] * 4, "x": [10.0] * 4, "y": [INF] * 4, "z": [INF] * 4}}, track="known")
    rows = [replace(row, searched=2 if row.optimizer == "z" else 8) for row in rows]
    reached, compared = verdict_sentences(standings(cells(rows), "known"), "known")
    assert reached == (
        "At the best settings known, of 2 problems, with 4 seeds each, at least half of the trials reach the target: "
        "x and adamw of 2; y of 1; z of none."
    )
    start, *said = compared.removesuffix(".").split("; ")
    assert start.startswith(
        "In steps to the target, against adamw (n = 8 pairs of trials, p < 0.05 and an interval without 1 for a "
        "claim): x is better, 2 times as fast [2, 2], p = 0.0078"
    )
    assert said[0].startswith("y is worse, 0.2")
    assert said[1].startswith(
        "z is not claimed to differ, 0.25 times as fast [0.25, 0.25], p = 0.0078, its settings being "
    )
    assert said[1].endswith("being from 4 trials against adamw's 16")


def test_without_a_reference_or_with_one_seed_there_is_nothing_to_compare():
    one = trials({"a": {"adamw": [20.0], "x": [10.0]}}, track="known", searched=8)
    assert verdict_sentences(standings(cells(one), "known"), "known")[1:] == [
        "There are too few trials to compare any optimizer with adamw."
    ]
    alone = trials({"a": {"x": [10.0] * 4}}, track="known", searched=8)
    assert len(verdict_sentences(standings(cells(alone), "known"), "known")) == 1
