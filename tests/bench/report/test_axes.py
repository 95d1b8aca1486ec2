import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from toys import QUADRATIC

from trainstation.bench.report.axes import limits

VALUES = st.floats(-1e4, 1e4).map(lambda value: round(value, 6))


def axis():
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.subplots()


def of(metric, target=None, *, lower=True):
    return replace(QUADRATIC, metric=metric, target=target, lower_is_better=lower)


@settings(deadline=None, max_examples=200)
@given(start=VALUES, end=VALUES, target=st.none() | VALUES, lower=st.booleans())
def test_start_end_and_target_are_on_the_axis(start, end, target, lower):
    axes = axis()
    axes.plot([0, 1], [start, end])
    limits(axes, [start, end], of("loss", target, lower=lower), start)
    low, high = axes.get_ylim()
    assert low < high
    shown = [start] if target is None else [start, target]
    better = end < max(shown) if lower else True
    deep = lower and axes.get_yscale() == "log" and end < (target or start)
    for value in [*shown, *([end] if better and not deep else [])]:
        assert low <= value <= high


@given(start=st.floats(0.1, 100), times=st.floats(1.01, 1e5))
@settings(deadline=None, max_examples=50)
def test_an_axis_over_decades_is_logarithmic(start, times):
    assume(abs(times - 10) > 0.1)
    axes = axis()
    limits(axes, [start, start / times], of("loss"), start)
    assert (axes.get_yscale() == "log") == (times > 10)


def test_below_zero_an_axis_is_not_logarithmic():
    axes = axis()
    limits(axes, [2.0, 1e-3], of("loss", -1.0), 2.0)
    assert axes.get_yscale() == "linear"


def test_shares_that_come_near_to_1_are_told_apart():
    axes = axis()
    axes.plot([0, 1, 2], [0.1, 0.9, 0.97])
    limits(axes, [0.1, 0.97], of("accuracy", 0.96, lower=False), 0.1)
    axes.figure.canvas.draw()
    place = {value: axes.transData.transform((0, value))[1] for value in (0.1, 0.8, 0.9, 0.95)}
    assert math.isclose(place[0.9] - place[0.8], place[0.95] - place[0.9], rel_tol=1e-6)
    assert [each.get_text() for each in axes.get_yticklabels()] == ["20 %", "50 %", "80 %", "90 %", "95 %"]


@pytest.mark.parametrize("best", [1.0, 0.99995])
def test_a_share_of_1_is_at_the_end_of_its_axis(best):
    axes = axis()
    limits(axes, [0.1, best], of("accuracy", lower=False), 0.1)
    axes.figure.canvas.draw()
    assert np.isfinite(axes.get_ylim()).all()
