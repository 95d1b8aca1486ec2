import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainstation as ts
from trainstation.bench.protocol import search
from trainstation.registry import OptimizerSpec
from trainstation.registry.names import Entry

BOX = {"momentum": [0.9, 0.95, 0.98], "lr": (1e-3, 1.0), "nesterov": [False, True]}
intervals = st.tuples(st.floats(1e-9, 1e9), st.floats(1.01, 1e6)).map(lambda pair: (pair[0], pair[0] * pair[1]))
boxes = st.dictionaries(st.sampled_from(["lr", *"abcde"]), intervals | st.lists(st.integers(), min_size=1), max_size=6)


def entry(**spec):
    return Entry(OptimizerSpec("mine", ts.optimizers.SGD, **spec), "zoo", "1.0", "plugin")


# Boxes


@pytest.mark.parametrize(
    ("declared", "box"),
    [
        ({"search_space": {"lr": (1e-2, 10), "momentum": [0.9]}}, {"lr": (0.01, 10.0), "momentum": [0.9]}),
        ({"search_space": {}}, {}),
        ({}, {"lr": (1e-3 / 30, 1e-3 * 30)}),
        ({"defaults": {"lr": 0.3}}, {"lr": (0.01, 9.0)}),
        ({"defaults": {"lr": 0.0}}, {}),
        ({"defaults": {"lr": None}}, {}),
    ],
)
def test_a_box_is_what_is_declared_or_surrounds_the_default_rate(declared, box):
    made = entry(**declared)
    for found in (search.box_of(made), search.box_of(made.info())):
        assert set(found) == set(box)
        for name, side in box.items():
            assert found[name] == (pytest.approx(side) if name == "lr" else side)


def test_what_cannot_be_imported_has_the_declared_box_or_none():
    spec = {"name": "lazy", "target": "no_such_module:Class"}
    for box in ({}, {"lr": (0.1, 1.0)}):
        lazy = Entry(OptimizerSpec(**spec, search_space=box or None), "zoo", "1.0", "plugin")
        assert search.box_of(lazy) == box


# Points


@given(boxes, st.integers(0, 40))
def test_points_lie_in_their_box_are_reproducible_and_more_begin_with_fewer(box, count):
    points = search.points(box, count)
    assert len(points) == count
    assert search.points(box, count + 3)[:count] == points
    for point in points:
        assert set(point) == set(box)
        for name, side in box.items():
            assert point[name] in side if isinstance(side, list) else side[0] <= point[name] <= side[1]


def test_points_are_spread_evenly():
    points = search.points(BOX, 24)
    places = sorted(math.log(point["lr"] / 1e-3) / math.log(1e3) for point in points[:16])
    assert [int(place * 16) for place in places] == list(range(16))
    for name in ("momentum", "nesterov"):
        counts = Counter(point[name] for point in points)
        assert set(counts) == set(BOX[name])
        assert max(counts.values()) - min(counts.values()) <= 4, counts
    for choice in BOX["momentum"]:  # rates and choices are not in step
        rates = [point["lr"] for point in points if point["momentum"] == choice]
        assert min(rates) < 1e-2
        assert max(rates) > 1e-1


def test_the_first_point_is_the_middle_with_the_first_choices():
    [first] = search.points(BOX, 1)
    assert first == {"lr": pytest.approx(10**-1.5, rel=0.2), "momentum": 0.9, "nesterov": False}


def test_ten_points_come_near_both_ends():
    rates = [point["lr"] for point in search.points({"lr": (1e-3, 1.0)}, 10)]
    assert min(rates) < 10**-2.7
    assert max(rates) > 10**-0.3


def test_every_optimizer_has_its_rates_at_the_same_places_of_the_interval():
    one = search.points({"lr": (1e-4, 1e-1)}, 10)
    other = search.points({"betas": [1, 2, 3], "alpha": [4, 5], "lr": (1e-2, 10.0)}, 10)
    assert [point["lr"] for point in other] == pytest.approx([100 * point["lr"] for point in one], rel=1e-3)


def test_too_many_dimensions_are_an_error():
    with pytest.raises(ValueError, match="at most 8 hyper-parameters, not 9"):
        search.points({str(number): [1] for number in range(9)}, 1)


# Edges and rates


@pytest.mark.parametrize(
    ("point", "found"),
    [
        ({"lr": 0.9}, ["lr 0.9 is at the upper edge of [0.001, 1]"]),
        ({"lr": 1.0, "momentum": 0.98, "nesterov": True}, ["lr 1 is at the upper edge of [0.001, 1]"]),
        ({"lr": 0.00199, "momentum": 0.9}, ["lr 0.00199 is at the lower edge of [0.001, 1]"]),
        ({"lr": 0.00201}, []),
        ({"lr": 0.49}, []),
        ({"lr": 5.0}, ["lr 5 is at the upper edge of [0.001, 1]"]),
        ({"lr": 0}, ["lr 0 is at the lower edge of [0.001, 1]"]),
        ({"momentum": 0.98}, []),
    ],
)
def test_says_what_lies_within_a_tenth_of_an_interval_of_its_ends(point, found):
    assert search.edges(BOX, point) == found


def test_rates_begin_with_the_default_and_go_three_decades_to_both_sides():
    found = search.rates(0.0025)
    assert found[0] == 0.0025
    assert sorted(math.log10(rate / 0.0025) for rate in found) == pytest.approx([k / 2 for k in range(-6, 7)], abs=1e-3)
    distances = [abs(math.log10(rate / 0.0025)) for rate in found]
    assert distances == pytest.approx(sorted(distances), abs=1e-3)
    for none in (None, 0, 0.0, "fast", math.inf, math.nan, True):
        assert search.rates(none) == []
