"""Diagnostics: small trials that an optimizer passes or fails, each of one property. They are not scored.

Each moves one float32 Tensor of 8 times 8 elements, whose gradient is given by a formula; the noise is the same for
every optimizer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.bench.protocol import search
from trainstation.bench.records import rows
from trainstation.create import create_optimizer
from trainstation.registry.lookup import find_optimizer, label_of
from trainstation.tensor import Tensor

__all__ = ["DIAGNOSTICS", "Diagnostic", "diagnose"]

Array = NDArray[Any]
Gradient = Callable[[Array, int, np.random.Generator], Array]

SHAPE = (8, 8)
FAR = 0.05  # how far from the minimum, at 0, each element begins: fifty steps of what Adam does by default
SEED = 20


@dataclass(frozen=True, eq=False)
class Diagnostic:
    """One trial of one property.

    Attributes:
        name: as rows have it.
        summary: one line: what is to be done.
        judged: what the value is, after a number: "of the way is left".
        limit: the largest value that passes.
        gradient: of the values at a step (from 0), with the noise that it draws.
        steps: how many are taken.
        start: where they begin.
        value: what is judged, from the first values and the last.
        scale: of the loss; with another than 1, what is judged is how far the end is from that of a run without it,
            as a share of the way to the minimum that that one went.
        hyper: hyper-parameters that the diagnostic is about.

    """

    name: str
    summary: str
    judged: str
    limit: float
    gradient: Gradient
    steps: int = 100
    start: Array = field(default_factory=lambda: _signs() * FAR)
    value: Callable[[Array, Array], float] = lambda first, last: _farthest(last) / _farthest(first)
    scale: float = 1.0
    hyper: Mapping[str, Any] = field(default_factory=dict)

    def run(self, name: str, **hyper: Any) -> float:
        """Run an optimizer, and return the value: smaller is better, infinity if it is no number."""
        last = self._last(name, self.scale, hyper)
        if self.scale == 1:
            value = self.value(self.start, last)
        else:
            plain = self._last(name, 1.0, hyper)
            way = _farthest(self.start) - _farthest(plain)
            value = _farthest(last - plain) / way if way > 0 else math.inf
        return value if math.isfinite(value) else math.inf

    def _last(self, name: str, scale: float, hyper: Mapping[str, Any]) -> Array:
        """Return the values to evaluate, after all steps."""
        noise = np.random.default_rng(SEED)
        x: Any = Tensor.from_numpy(self.start.astype(np.float32)).requires_grad_()
        optimizer = create_optimizer(name, [x], **self.hyper, **hyper)
        with np.errstate(all="ignore"):  # what diverges says so by its value
            for step in range(self.steps):
                optimizer.zero_grad()
                x.grad = (scale * self.gradient(x.data, step, noise)).astype(np.float32)
                optimizer.step()
            optimizer.eval()
        return np.array(x.data, dtype=np.float64)


def _signs() -> Array:
    """Return 1 and -1 at random."""
    return np.random.default_rng(SEED).choice([-1.0, 1.0], SHAPE)


def _farthest(values: Array) -> float:
    return float(np.abs(values).max())


def _spread(low: float, high: float) -> Array:
    """Return curvatures, evenly on a logarithmic scale, in an order that no row or column explains."""
    order = np.random.default_rng(SEED).permutation(math.prod(SHAPE))
    return np.geomspace(low, high, math.prod(SHAPE))[order].reshape(SHAPE)


STEEP = _spread(1e-3, 1e3)
MILD = _spread(0.3, 3.0)


def _ill_conditioned(x: Array, _step: int, _noise: np.random.Generator) -> Array:
    return STEEP * x


def _plateau(x: Array, _step: int, _noise: np.random.Generator) -> Array:
    """Return the gradient of 1 - exp(-(x/s)^2 / 2), where s is a sixth of the way."""
    off: Array = x / (FAR / 6)
    return off * np.exp(-np.square(off) / 2)


def _saddle(x: Array, _step: int, _noise: np.random.Generator) -> Array:
    """Return the gradient of 500 x^2 in the first half of the rows, of (y^2 - w^2)^2 / (4 w^2) in the second."""
    half = len(x) // 2
    valley, escape = x[:half], x[half:]
    return np.concatenate([1e3 * valley, escape * (np.square(escape / FAR) - 1)])


def _saddle_start() -> Array:
    start = _signs() * FAR
    start[len(start) // 2 :] *= 1e-3
    return start


def _saddle_value(_first: Array, last: Array) -> float:
    half = len(last) // 2
    return max(_farthest(last[:half]), _farthest(np.abs(last[half:]) - FAR)) / FAR


def _heavy_tailed(x: Array, _step: int, noise: np.random.Generator) -> Array:
    return x + 0.2 * FAR * noise.standard_t(2, SHAPE)


def _sparse(x: Array, step: int, _noise: np.random.Generator) -> Array:
    """Return the gradient of x^2 / 2 in the elements of this step: each has one of 100."""
    seen: Array = (np.arange(x.size) * 37 + step) % 100 == 0
    return np.where(seen.reshape(x.shape), x, 0)


def _bowl(x: Array, _step: int, _noise: np.random.Generator) -> Array:
    return MILD * x


def _broken(value: float) -> Gradient:
    """Return a bowl whose gradient has `value` in one element of step 40."""

    def gradient(x: Array, step: int, _noise: np.random.Generator) -> Array:
        gradient = MILD * x
        if step == 40:  # noqa: PLR2004  # in mid-run
            gradient[3, 4] = value
        return gradient

    return gradient


LEFT = "of the way is left, in the worst element"
APART = "of the way lies between its end and that of a run without that factor"
SKIP = {"on_nonfinite": "skip"}

DIAGNOSTICS = {
    each.name: each
    for each in (
        Diagnostic(
            "ill_conditioned", "a bowl with curvatures from 1e-3 to 1e3 along the axes", LEFT, 0.1, _ill_conditioned
        ),
        Diagnostic(
            "plateau", "a start whose slopes are less than a millionth of those on the way", LEFT, 0.1, _plateau
        ),
        Diagnostic(
            "saddle",
            "a start near a saddle, in a valley whose walls are 1,000 times as steep",
            LEFT,
            0.1,
            _saddle,
            start=_saddle_start(),
            value=_saddle_value,
        ),
        Diagnostic(
            "heavy_tailed", "noise of infinite variance: Student's t, 2 degrees of freedom", LEFT, 0.35, _heavy_tailed
        ),
        Diagnostic("sparse", "gradients whose elements are 0 but for 1 of 100 steps", LEFT, 0.25, _sparse, 400),
        Diagnostic("large_loss", "a loss times 10,000", APART, 0.1, _bowl, scale=1e4),
        Diagnostic("small_loss", "a loss divided by 10,000", APART, 0.1, _bowl, scale=1e-4),
        Diagnostic(
            "nan_gradient", "a NaN in a gradient: the step is skipped", LEFT, 0.5, _broken(math.nan), hyper=SKIP
        ),
        Diagnostic(
            "inf_gradient", "an infinity in a gradient: the step is skipped", LEFT, 0.5, _broken(math.inf), hyper=SKIP
        ),
    )
}


def diagnose(name: str, env_id: str) -> Iterator[rows.Diagnostic]:
    """Run all diagnostics with one optimizer: each with the registry's hyper-parameters, then with other rates.

    The rates are those of `search.rates`, the nearest to the default first, until one passes. What the optimizer raises
    at its default is the status "error"; at another rate, it is a rate that does not pass.

    Raises:
        UnknownOptimizerError, DuplicateOptimizerError: see `trainstation.get_optimizer`.

    """
    entry = find_optimizer(name)
    label = label_of(name)
    for diagnostic in DIAGNOSTICS.values():
        try:
            status, reason, lr, value = _judge(diagnostic, label, entry.info().defaults)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger may raise anything; the others go on
            status, reason, lr, value = "error", rows.reason_of(error), None, math.inf
        yield rows.Diagnostic(
            env_id=env_id,
            diagnostic=diagnostic.name,
            optimizer=label,
            distribution=entry.distribution,
            version=entry.version,
            status=status,
            reason=reason,
            lr=lr,
            value=float(f"{value:.4g}") if math.isfinite(value) else None,
            limit=diagnostic.limit,
        )


def _judge(diagnostic: Diagnostic, name: str, defaults: Mapping[str, Any]) -> tuple[str, str, float | None, float]:
    """Return the status, the reason, the best rate and its value."""
    if missing := diagnostic.hyper.keys() - defaults.keys():
        return "fail", f"it has no {', '.join(missing)}", None, math.inf
    rates = search.rates(defaults.get("lr"))
    value, lr = diagnostic.run(name), rates[0] if rates else None
    if value <= diagnostic.limit:
        return "default", "", lr, value
    for rate in rates[1:]:
        try:
            other = diagnostic.run(name, lr=rate)
        except Exception:  # noqa: BLE001, S112  # it has shown that it can run; it cannot run at this rate
            continue
        if other < value:
            value, lr = other, rate
        if value <= diagnostic.limit:
            return "tuned", "", lr, value
    found = f"at best {value:.2g} {diagnostic.judged}" if math.isfinite(value) else "it diverges"
    return "fail", f"{found}; {diagnostic.limit:g} passes", lr, value
