import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainstation as ts
from trainstation.bench.protocol.landscapes import LANDSCAPES, walk
from trainstation.bench.protocol.search import rates
from trainstation.bench.records.rows import to_json

EACH = pytest.mark.parametrize("landscape", LANDSCAPES.values(), ids=LANDSCAPES)
ROSENBROCK = LANDSCAPES["rosenbrock"]


class Stops(ts.optimizers.SGD):
    """SGD that gives up at its fifth step."""

    def scalars(self, hyper, t):
        if t == 5:
            raise ArithmeticError
        return super().scalars(hyper, t)


class Blind(ts.optimizers.SGD):
    """It leaps, and leaps further."""

    def update(self, p, g, state, scalars):
        p *= 3


class Elsewhere(ts.optimizers.SGD):
    def eval(self):
        [parameter] = self.param_groups[0]["params"]
        self.kept = parameter.data.copy()
        parameter.data[...] = 0.5, 0.25

    def train(self):
        self.param_groups[0]["params"][0].data[...] = self.kept


@EACH
@given(x=st.floats(-2, 2), y=st.floats(-2, 2))
def test_a_landscape_is_the_same_for_arrays_and_tensors(landscape, x, y):
    height = landscape.f(np.array([x, 0.5]), np.array([y, -1.0]))
    tensors = [ts.Tensor.from_numpy(np.array(each)) for each in ([x, 0.5], [y, -1.0])]
    assert landscape.f(*tensors).numpy() == pytest.approx(height, rel=1e-6, abs=1e-6)


@EACH
def test_nothing_in_the_picture_is_below_the_minimum(landscape):
    x, y = np.meshgrid(np.linspace(*landscape.x_range, 101), np.linspace(*landscape.y_range, 101))
    height = landscape.f(x, y)
    assert height.shape == x.shape
    assert landscape.near(*landscape.start)
    if landscape.minimum is None:
        (i, j), steps = np.unravel_index(height.argmin(), height.shape), (0, 100)
        assert i not in steps
        assert j not in steps
    else:
        assert landscape.f(*landscape.minimum) == pytest.approx(0, abs=1e-9)
        assert height.min() >= -1e-9
    assert landscape.f(*landscape.start) > height.min() + 1


@pytest.mark.parametrize(
    ("name", "point", "height"),
    [
        ("rosenbrock", (-1.5, 2.0), 12.5),
        ("rastrigin", (1.0, 2.0), 5.0),
        ("rastrigin", (0.5, 0.0), 20.25),
        ("beale", (0.0, 0.0), 14.203125),
        ("saddle", (2.0, 1.0), 3.125),
        ("saddle", (0.0, 2.0), -2.0),
    ],
)
def test_heights(name, point, height):
    assert LANDSCAPES[name].f(*map(np.float64, point)) == pytest.approx(height)


@EACH
def test_a_walk_goes_down_at_one_of_the_rates_that_all_have(landscape):
    path = walk("Adam", landscape, "env")
    assert (path.landscape, path.optimizer, path.env_id) == (landscape.name, "adam", "env")
    assert path.lr in rates(1e-3)
    assert len(path.x) == len(path.y) == 301
    assert (path.x[0], path.y[0]) == landscape.start
    assert path.value == pytest.approx(landscape.f(np.float64(path.x[-1]), np.float64(path.y[-1])), rel=0.01, abs=1e-3)
    assert path.value < landscape.f(*map(np.float64, landscape.start)) - 1
    assert all(value == float(f"{value:.5g}") for value in [*path.x, *path.y])
    assert walk("adam", landscape, "env") == path
    assert '"kind": "path"' in to_json(path)


def test_the_rate_is_the_one_that_ends_lowest():
    best, heights = walk("sgd", ROSENBROCK, "env"), {}
    for rate in rates(1e-3):
        p = ts.Tensor.from_numpy(np.array(ROSENBROCK.start, np.float32)).requires_grad_()
        optimizer = ts.create_optimizer("sgd", [p], lr=rate)
        with np.errstate(all="ignore"):
            for _ in range(300):
                optimizer.zero_grad()
                ROSENBROCK.f(p[0], p[1]).backward()
                optimizer.step()
            heights[rate] = float(ROSENBROCK.f(*p.data.astype(float)))
    assert best.lr == min(heights, key=lambda rate: np.nan_to_num(heights[rate], nan=math.inf))
    assert best.value == pytest.approx(heights[best.lr], rel=1e-3)


def test_an_optimizer_without_a_rate_walks_as_it_is(register):
    register(ts.optimizers.SGD, "still", defaults={"lr": 0.0})
    path = walk("still", ROSENBROCK, "env")
    assert path.lr == 0
    assert set(zip(path.x, path.y, strict=True)) == {ROSENBROCK.start}
    assert path.value == pytest.approx(12.5)


@pytest.mark.parametrize(("cls", "points"), [(Stops, 5), (Blind, 2)])
def test_a_walk_ends_where_it_raises_or_leaves_the_picture(register, cls, points):
    register(cls, "odd")
    path = walk("odd", ROSENBROCK, "env")
    assert path.value is None
    assert len(path.x) == len(path.y) == points
    assert path.lr == 1e-3  # none is lower: the default
    assert all(map(math.isfinite, [*path.x, *path.y]))
    assert '"value": null' in to_json(path)


def test_a_path_has_the_weights_that_are_evaluated(register):
    register(Elsewhere, "elsewhere")
    path = walk("elsewhere", ROSENBROCK, "env")
    assert set(zip(path.x[1:], path.y[1:], strict=True)) == {(0.5, 0.25)}
    assert path.value == 0.25


def test_an_unknown_optimizer_is_unknown():
    with pytest.raises(ts.UnknownOptimizerError):
        walk("adma", ROSENBROCK, "env")
