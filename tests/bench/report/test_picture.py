"""The picture of a run; what it looks like is looked at, what it must not do is here."""

from dataclasses import replace

import pytest
from matplotlib.figure import Figure
from toys import QUADRATIC, trial_of

from trainstation.bench.palette import look_of
from trainstation.bench.problems import find_problems
from trainstation.bench.records.rows import Point
from trainstation.bench.report.picture import draw


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw, and return the figure."""
    figures = []
    write = Figure.savefig

    def keep(figure, *places, **options):
        figures.append(figure)
        write(figure, *places, **options)

    monkeypatch.setattr(Figure, "savefig", keep)

    def of(problems, trials):
        draw(problems, trials, tmp_path / "picture.png")
        assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
        return figures.pop()

    return of


def trials_of(name, problem=QUADRATIC, seeds=3, **options):
    found = [trial_of(name, problem, epochs=None, steps=50, seed=seed)[0] for seed in range(seeds)]
    return [replace(trial, track="known", **options) for trial in found]


def test_no_title_of_any_problem_is_cut(drawn):
    problems = list(find_problems().values())
    some = trials_of("sgd", seeds=1)
    figure = drawn(problems, [replace(some[0], problem=problem.name) for problem in problems])
    renderer = figure.canvas.get_renderer()
    titled = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title().partition("\n")[0] for axes in titled] == [problem.name for problem in problems]
    for axes in titled:
        place = axes.title.get_window_extent(renderer)
        assert 0 <= place.x0 < place.x1 <= figure.bbox.x1
        assert place.y1 <= figure.bbox.y1
    for one in titled:  # nor does one lie on its neighbour
        for other in titled:
            if one is not other:
                assert not one.title.get_window_extent(renderer).overlaps(other.title.get_window_extent(renderer))


@pytest.mark.parametrize("target", [0.0235, 25.0, 0.001])
def test_the_words_at_the_target_are_within_the_axes(drawn, target):
    problem = replace(QUADRATIC, metric="loss", lower_is_better=True, target=target)
    values = [100.0, 10.0, 0.05, 0.03]
    points = [Point("", "toy", "sgd", 0, 10 * n, 0.0, value, value, 0.1) for n, value in enumerate(values)]
    figure = drawn([problem], [replace(trials_of("sgd", seeds=1)[0], points=points, target=target)])
    axes = next(axes for axes in figure.axes if axes.get_title())
    place = axes.texts[0].get_window_extent(figure.canvas.get_renderer())
    frame = axes.get_window_extent()
    assert frame.y0 + 2 < place.y0 < place.y1 < frame.y1 - 2


def test_a_name_has_its_colour_whoever_else_is_there(drawn):
    alone = drawn([QUADRATIC], trials_of("rmsprop"))
    beside = drawn([QUADRATIC], trials_of("adam") + trials_of("rmsprop"))
    colours = [
        next(line.get_color() for line in figure.legends[0].get_lines() if line.get_label() == "rmsprop")
        for figure in (alone, beside)
    ]
    assert colours == [look_of("rmsprop").line["color"]] * 2


def test_an_optimizer_that_has_diverged_says_so(drawn):
    figure = drawn([QUADRATIC], trials_of("sgd", status="diverged"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["sgd (diverged)"]


def test_seeds_are_one_curve(drawn):
    figure = drawn([QUADRATIC], trials_of("sgd", seeds=5))
    metric = next(axes for axes in figure.axes if axes.get_title())
    assert sum(len(line.get_xdata()) > 2 for line in metric.lines) == 1
