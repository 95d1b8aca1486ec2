"""Landscapes: functions of two numbers on which one can see where an optimizer goes. They are pictures, not scored."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainstation.bench.protocol import search
from trainstation.bench.records import rows
from trainstation.create import create_optimizer
from trainstation.registry.lookup import find_optimizer, label_of
from trainstation.tensor import Tensor

__all__ = ["LANDSCAPES", "Landscape", "walk"]

STEPS = 300
Where = tuple[float, float]


@dataclass(frozen=True)
class Landscape:
    """One function.

    Attributes:
        name: as rows have it.
        title: for people.
        f: the height at x and y, NumPy arrays (of a grid) or Tensors.
        x_range: what a picture shows: from, to.
        y_range: likewise.
        start: where paths begin.
        minimum: the lowest point, None if there is none or more than one.

    """

    name: str
    title: str
    f: Callable[[Any, Any], Any]
    x_range: Where
    y_range: Where
    start: Where
    minimum: Where | None

    def near(self, x: float, y: float) -> bool:
        """Whether a point is in the picture, or not further from it than it is wide and high; no NaN is."""
        return _near(x, self.x_range) and _near(y, self.y_range)


def _near(value: float, side: Where) -> bool:
    low, high = side
    return 2 * low - high <= value <= 2 * high - low


def _cos(value: Any) -> Any:
    return value.cos() if isinstance(value, Tensor) else np.cos(value)


def _rosenbrock(x: Any, y: Any) -> Any:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _rastrigin(x: Any, y: Any) -> Any:
    return 20 + x**2 + y**2 - 10 * (_cos(math.tau * x) + _cos(math.tau * y))


def _beale(x: Any, y: Any) -> Any:
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def _saddle(x: Any, y: Any) -> Any:
    """Return x^2 - y^2, with a floor far down the slopes of y."""
    return x**2 - y**2 + y**4 / 8


LANDSCAPES = {
    each.name: each
    for each in (
        Landscape("rosenbrock", "Rosenbrock's valley", _rosenbrock, (-2.0, 2.0), (-1.0, 3.0), (-1.5, 2.0), (1.0, 1.0)),
        Landscape("rastrigin", "Rastrigin's pits", _rastrigin, (-4.5, 4.5), (-4.5, 4.5), (-2.8, 3.3), (0.0, 0.0)),
        Landscape("beale", "Beale's plateau", _beale, (-4.5, 4.5), (-4.5, 4.5), (-2.0, 3.0), (3.0, 0.5)),
        Landscape("saddle", "a saddle", _saddle, (-2.5, 2.5), (-2.5, 2.5), (-2.0, 0.01), None),
    )
}


def walk(name: str, landscape: Landscape, env_id: str) -> rows.Path:
    """Return the path of an optimizer: 300 steps at the rate that ends lowest, of those of `search.rates`.

    A path has the weights that the optimizer wants evaluated. It ends early where it is further from the picture than
    that is wide, no number, or where the optimizer raises; it has no `value` then.

    Raises:
        UnknownOptimizerError, DuplicateOptimizerError: see `trainstation.get_optimizer`.
        Exception: what the import of the optimizer's class raises.

    """
    label, defaults = label_of(name), find_optimizer(name).info().defaults
    tried = [(*_path(label, {"lr": rate}, landscape), rate) for rate in search.rates(defaults.get("lr"))]
    if not tried:  # no rate, or one that does not multiply
        tried = [(*_path(label, {}, landscape), 0.0)]
    path, value, lr = min(tried, key=lambda each: math.inf if each[1] is None else each[1])
    x, y = ([float(f"{each:.5g}") for each in side] for side in zip(*path, strict=True))
    return rows.Path(env_id, landscape.name, label, lr, x, y, None if value is None else float(f"{value:.5g}"))


def _path(name: str, hyper: dict[str, float], landscape: Landscape) -> tuple[list[Where], float | None]:
    """Return the points of a path, and the height at its end; None if it ended early."""
    path = [landscape.start]
    point = Tensor.from_numpy(np.array(landscape.start, np.float32)).requires_grad_()
    try:
        with np.errstate(all="ignore"):
            optimizer = create_optimizer(name, [point], **hyper)
            for _ in range(STEPS):
                optimizer.zero_grad()
                landscape.f(point[0], point[1]).backward()
                optimizer.step()
                optimizer.eval()
                x, y = map(float, point.data)
                optimizer.train()
                if not landscape.near(x, y):
                    return path, None
                path.append((x, y))
    except (Exception, SystemExit):  # noqa: BLE001  # a stranger may raise anything; what is there of the path is shown
        return path, None
    return path, float(landscape.f(*map(np.float64, path[-1])))
