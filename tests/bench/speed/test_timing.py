import gc
import itertools
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainstation.bench import machine, stats
from trainstation.bench.records.rows import Speed
from trainstation.bench.speed import timing as engine
from trainstation.bench.speed.roof import completed
from trainstation.bench.speed.timing import Contender, Flush, measure

US, MS, S = 1_000, 1_000_000, 1_000_000_000


class Clock:
    """A time that passes only when it is told to."""

    def __init__(self):
        self.now = 0
        self.log = []

    def passes(self, name, nanoseconds):
        """A call that takes so long, noted."""

        def call():
            self.now += nanoseconds
            self.log.append(name)

        return call


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(engine, "perf_counter_ns", lambda: made.now)
    return made


# The engine


@given(st.lists(st.integers(100, 50 * MS), min_size=1, max_size=5), st.integers(1, 8))
def test_what_a_call_takes_is_what_is_measured(costs, rounds):
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "perf_counter_ns", lambda: clock.now)
        contenders = [Contender(str(place), clock.passes(place, cost)) for place, cost in enumerate(costs)]
        timings = measure(contenders, rounds=rounds)
    assert list(timings) == [contender.name for contender in contenders]
    for cost, timing in zip(costs, timings.values(), strict=True):
        assert timing.error is None
        assert timing.first == cost
        assert timing.samples == [cost] * rounds
        assert timing.loops * cost >= MS
        assert timing.loops == 1 or timing.loops * cost <= 3 * MS + 2 * cost


def test_a_call_that_is_not_timed_goes_before_a_sample_unless_calls_are_long(clock):
    timings = measure([Contender("a", clock.passes("a", MS)), Contender("b", clock.passes("b", S))], rounds=10)
    assert timings["a"].loops == timings["b"].loops == 1
    assert clock.log.count("a") == 4 + 2 * 10  # two to begin with, and a sample to find out that one is enough
    assert clock.log.count("b") == 2 + 10


def test_all_take_turns_in_an_order_that_is_drawn_anew(clock):
    names = "abcd"

    def order(seed):
        clock.log.clear()
        measure([Contender(name, clock.passes(name, S)) for name in names], rounds=20, seed=seed)
        return [tuple(clock.log[begin : begin + 4]) for begin in range(8, len(clock.log), 4)]

    rounds = order(0)
    assert len(rounds) == 20
    assert all(sorted(each) == list(names) for each in rounds)
    assert len(set(rounds)) > 5
    assert order(0) == rounds
    assert order(1) != rounds


def test_what_prepares_a_call_goes_before_each_and_is_not_timed(clock):
    contender = Contender("a", clock.passes("a", 100 * US), clock.passes("prepare", 7 * US))
    timing = measure([contender], rounds=5)["a"]
    assert timing.samples == [100 * US] * 5
    assert 10 <= timing.loops <= 20
    assert clock.log == ["prepare", "a"] * (len(clock.log) // 2)


@pytest.mark.parametrize(("cost", "loops"), [(30 * MS, 1), (10 * MS, 1), (6 * MS, 4), (MS, 20)])
def test_where_preparing_takes_long_a_sample_stays_short(clock, cost, loops):
    timing = measure([Contender("a", clock.passes("a", 100), clock.passes("flush", cost))], rounds=5)["a"]
    assert (timing.loops, timing.samples) == (loops, [100] * 5)


@pytest.mark.parametrize(
    ("cost", "seconds", "rounds"),
    [
        (S, 0, engine.FEWEST),
        (S, 3, engine.FEWEST),
        (S, 13, 11),  # two calls went before
        (MS, 1e9, engine.MOST),
    ],
)
def test_rounds_begin_while_there_is_time(clock, cost, seconds, rounds):
    assert len(measure([Contender("a", clock.passes("a", cost))], seconds=seconds)["a"].samples) == rounds


def test_one_that_raises_is_out_and_the_others_go_on(clock):
    def fails():
        raise ArithmeticError

    timings = measure([Contender("bad", fails), Contender("good", clock.passes("good", S))], rounds=5)
    assert isinstance(timings["bad"].error, ArithmeticError)
    assert timings["bad"].samples == []
    assert len(timings["good"].samples) == 5


@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_is_off_and_then_as_it_was(collecting):
    seen = []

    def interrupted():
        seen.append(gc.isenabled())
        raise KeyboardInterrupt

    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        with pytest.raises(KeyboardInterrupt):
            measure([Contender("a", interrupted)])
        assert gc.isenabled() == collecting
    finally:
        (gc.enable if was else gc.disable)()
    assert seen == [False]


def test_a_flush_writes_four_times_the_last_level_on_every_core(monkeypatch):
    monkeypatch.setattr(engine, "FLUSHED", 2**20)
    monkeypatch.setattr(engine, "last_level_bytes", lambda: 2**19)
    flush = Flush()
    flush()
    flush()
    assert sum(buffer.nbytes for buffer in flush._buffers) == pytest.approx(2**21, rel=0.01)
    for buffer in flush._buffers:
        assert (buffer == 2).all()
    if hasattr(os, "sched_getaffinity"):
        pinned = [thread.submit(os.sched_getaffinity, 0).result() for thread in flush._threads]
        assert pinned == [{cpu} for cpu in sorted(os.sched_getaffinity(0))]


# What samples say


def test_an_interval_holds_the_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        low, middle, high = stats.interval(np.exp(rng.normal(0, 0.3, 25)))
        assert low <= middle <= high
        held += low <= 1 <= high
    assert 0.91 <= held / 400 <= 0.99


def test_the_interval_of_a_quotient_holds_it_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = {True: 0, False: 0}
    for _ in range(400):
        one, two = 3 * np.exp(rng.normal(0, 0.2, 25)), 2 * np.exp(rng.normal(0, 0.2, 25))
        for paired in held:
            low, middle, high = stats.ratio(one, two, paired=paired)
            assert low <= middle <= high
            held[paired] += low <= 1.5 <= high
    assert all(0.91 <= count / 400 <= 0.99 for count in held.values())


def test_what_slows_a_whole_round_down_does_not_blur_a_paired_quotient():
    rng = np.random.default_rng(2)
    rounds = np.exp(rng.normal(0, 0.5, 30))
    one, two = 1.1 * rounds * np.exp(rng.normal(0, 0.001, 30)), rounds
    low, middle, high = stats.ratio(one, two)
    assert middle == pytest.approx(1.1, rel=0.01)
    assert low > 1.09
    assert high < 1.11
    low, _, high = stats.ratio(one, two, paired=False)
    assert low < 1 < high


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1.001, 2, "faster"),
        (1, 1.2, "not slower"),
        (0.97, 1.5, "not slower"),
        (0.97, 0.99, "not slower"),
        (0.96, 1, "tie"),
        (0.5, 2, "tie"),
        (0.5, 0.99, "slower"),
    ],
)
def test_a_verdict_needs_its_interval(low, high, said):
    assert stats.verdict(stats.Interval(low, (low + high) / 2, high)) == said


def test_mad():
    assert stats.mad([1, 2, 3, 4, 100]) == 1
    assert stats.mad([7]) == 0


@pytest.mark.parametrize(
    ("samples", "loops", "said"),
    [
        ([2 * MS] * 5, 1, []),
        ([2 * MS], 1, []),
        ([100 * US] * 5, 11, []),
        ([100 * US] * 5, 9, ["the shortest sample took 900 us"]),
        ([2 * MS, 2.5 * MS, 2 * MS, 2.5 * MS], 1, ["the standard deviation is 13% of the mean"]),
        (
            [2 * MS] * 9 + [5 * MS],
            1,
            ["the standard deviation is 41% of the mean", "a sample is 117% off the mean"],
        ),
    ],
)
def test_doubts_are_pyperfs(samples, loops, said):
    assert stats.doubts(samples, loops) == stats.doubts(samples, loops, 5.0) == said
    assert stats.doubts(samples, loops, 5.1) == ["others took 5 % of the processors' time", *said]


COSTS = st.sampled_from([0, 1]).flatmap(lambda on: st.floats(1, 1e4) if on else st.just(0.0))
CASES = list(itertools.product([1, 10, 1000], [2**8, 2**16, 2**24]))


@given(COSTS, COSTS, st.floats(0.1, 10))
def test_a_fit_finds_the_costs_that_times_were_made_of(call, tensor, element):
    cases = [(tensors, elements, call + tensor * tensors + element * elements) for tensors, elements in CASES]
    found = stats.fit(cases)
    assert found.element == pytest.approx(element, rel=1e-6)
    least = min(time for *_, time in cases)  # what is less than a millionth of it cannot be told from nothing
    assert found.call == pytest.approx(call, rel=1e-6, abs=1e-6 * least)
    assert found.tensor == pytest.approx(tensor, rel=1e-6, abs=1e-6 * least)


def test_no_cost_of_a_fit_is_negative():
    rng = np.random.default_rng(0)
    for _ in range(50):
        cases = [(tensors, elements, rng.uniform(1, 1e6)) for tensors, elements in CASES]
        assert min(stats.fit(cases)) >= 0


def test_a_fit_says_what_its_cases_can_say():
    assert stats.fit([(1, n, 5000 + 0.5 * n) for n in (2**8, 2**14, 2**20)]) == pytest.approx((5000, None, 0.5))
    assert stats.fit([(1, 10, 1.0)]) is None
    assert stats.fit([(1, 10, 1.0), (2, 10, 2.0)]) is None
    assert stats.fit([]) is None


# Rows against each other


def row(peer, nanoseconds, *, n=1000, arrays=7, noise=0.01, **more):
    samples = list(nanoseconds * (1 + noise * np.random.default_rng(len(peer)).standard_normal(20)))
    moved = arrays * 4 * n
    known = {"status": "done", "suite": "step", **more}
    median = float(np.median(samples))
    return Speed(
        *("run", "env", known.pop("suite"), peer, known.pop("status")),
        n=n,
        dtype="float32",
        samples_ns=samples,
        median_ns=median,
        bytes_min=moved,
        gbps=moved / median,
        **known,
    )


def probe(nanoseconds, **more):
    return row("probe:x", nanoseconds, suite="probe", **more)


def test_the_baseline_is_the_fastest_peer():
    rows = completed(
        [
            row("adam", 500),
            row("slow", 900, is_peer=True),
            row("fast", 700, is_peer=True),
            probe(400),
            row("other", 800),
        ]
    )
    by = {each.peer: each for each in rows}
    assert (by["adam"].baseline, by["adam"].verdict) == ("fast", "faster")
    assert by["adam"].speedup.mid == pytest.approx(1.4, rel=0.02)
    assert (by["slow"].baseline, by["slow"].verdict) == ("fast", "slower")
    assert (by["other"].baseline, by["other"].verdict) == ("fast", "slower")
    for name in ("fast", "probe:x"):
        assert (by[name].baseline, by[name].speedup, by[name].verdict) == ("", None, "")


def test_where_others_are_at_work_there_is_no_verdict():
    rows = completed([row("adam", 500, others_pct=5.1), row("slow", 900, is_peer=True, others_pct=5.1), probe(600)])
    assert (rows[0].status, rows[0].verdict) == ("done", "disturbed")
    assert rows[0].speedup.low > 1
    rows = completed([row("adam", 500, others_pct=5.0), row("slow", 900, is_peer=True, others_pct=5.0), probe(400)])
    assert rows[0].verdict == "faster"


def test_without_peers_the_first_is_the_baseline():
    rows = completed([row("adam", 500), row("adamw", 500.1, noise=0.001)])
    assert [each.baseline for each in rows] == ["", "adam"]
    assert rows[1].verdict == "not slower"
    assert [each.roof for each in rows] == ["", ""]


@pytest.mark.parametrize("status", ["invalid", "error"])
def test_what_is_not_done_is_never_a_winner(status):
    wrong, right = row("wrong", 10, is_peer=True, status=status), row("right", 500, is_peer=True)
    rows = completed([row("adam", 700), wrong, right])
    assert rows[0].baseline == rows[0].roof == "right"
    assert (rows[1].status, rows[1].verdict, rows[1].speedup) == (status, "", None)


def test_the_roof_is_the_most_bytes_in_a_time():
    rows = completed([row("adam", 800), row("peer", 700, is_peer=True), probe(600, arrays=3), probe(650)])
    assert {each.roof for each in rows} == {"probe:x"}
    assert rows[0].roof_gbps == rows[3].gbps
    assert rows[0].roof_pct == pytest.approx(100 * 650 / 800, rel=0.02)
    rows = completed([row("adam", 800), row("peer", 700, is_peer=True), probe(600, arrays=3)])
    assert {each.roof for each in rows} == {"peer"}


def test_a_probe_that_is_slower_than_an_optimizer_makes_the_run_invalid():
    [adam, _] = completed([row("adam", 500), probe(600)])
    assert (adam.status, adam.verdict) == ("invalid", "")
    assert adam.reason.startswith("it moved 56.")
    assert "probe:x, the fastest probe" in adam.reason
    # of fewer elements, the same bytes in a time
    [adam, _] = completed([row("adam", 500), probe(60, n=100)])
    assert adam.status == "invalid"


@pytest.mark.parametrize(
    ("optimizer", "limit"),
    [
        (row("adam", 500), probe(499)),
        (row("adam", 500), probe(502, noise=0.2)),  # within noise
        (row("sgd", 500, arrays=3), probe(2000)),  # another kind of traffic
        (row("adam:state_dtype=bfloat16", 500, arrays=5), probe(2000)),
        (row("adam", 500, status="invalid", reason="wrong"), probe(600)),
    ],
)
def test_but_not_within_noise_nor_for_other_traffic(optimizer, limit):
    [found, _] = completed([optimizer, limit])
    assert (found.status, found.reason) == (optimizer.status, optimizer.reason)


# The machine


def test_caches_are_read_from_the_kernel(tmp_path, monkeypatch):
    for cpu, (index, level, kind, size, shared) in itertools.product(
        range(4),
        [(0, 1, "Data", "32K", "{cpu}"), (1, 1, "Instruction", "64K", "{cpu}"), (3, 3, "Unified", "32M", "{pair}")],
    ):
        folder = tmp_path / f"cpu{cpu}" / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        for name, text in (("level", str(level)), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{text}\n")
        (folder / "shared_cpu_list").write_text(shared.format(cpu=cpu, pair=f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}"))
    monkeypatch.setattr(machine, "CPUS", tmp_path)
    assert machine.cache_sizes() == {"L1": 2**15, "L3": 2**25}
    assert machine.last_level_bytes() == 2 * 2**25
    monkeypatch.setattr(machine, "CPUS", tmp_path / "none")
    assert machine.cache_sizes() == {}
    assert machine.last_level_bytes() == 0


@pytest.mark.parametrize(
    ("before", "after", "ours", "share"),
    [
        ("cpu 10 0 10 100 0 0 0 0 50 50", "cpu 60 0 60 200 0 0 0 0 99 99", 0.5, 0.25),  # 200 ticks, 100 of them busy
        ("cpu 10 0 10 100 0 0 0 0 0 0", "cpu 60 0 60 200 0 0 0 0 0 0", 1.0, 0),
        ("cpu 10 0 10 100 0 0 0 0 0 0", "cpu 60 0 60 200 0 0 0 0 0 0", 0.96, 0),  # 4 ticks may be of the counting
        ("cpu 0 0 0 0 0 0 0 0", "cpu 0 0 0 150 10 0 0 40", 0.0, 0.2),  # the host
        ("cpu 0 0 0 0 0 0 0 0", "cpu 0 0 0 0 0 0 0 0", 0.0, 0),
        ("", "", 3.0, 0),
    ],
)
def test_what_others_take_is_seen(monkeypatch, before, after, ours, share):
    stat, spent = iter([before, after]), iter([0.0, ours])
    monkeypatch.setattr(machine, "_text", lambda path: next(stat))
    monkeypatch.setattr(machine.time, "process_time", lambda: next(spent))
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    assert machine.Others().share() == pytest.approx(share)


def test_the_kernel_is_asked_for_it():
    watched = machine.Others()
    assert 0 <= watched.share() <= 1


def test_a_rest_goes_before_each_sample_and_is_not_timed(clock, monkeypatch):
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        clock.now += 10**9

    monkeypatch.setattr(engine, "sleep", sleep)
    timings = measure([Contender("a", clock.passes("a", 2 * MS))], rounds=4, rest=0.01)
    assert set(slept) == {0.01}
    assert len(slept) >= 4
    assert timings["a"].samples == [2 * MS] * 4
