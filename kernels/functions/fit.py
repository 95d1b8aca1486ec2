"""Prints the polynomials of primitives.h: fitted in many digits, the largest relative error as small as it gets.

`python kernels/functions/fit.py` (needs mpmath, which the extra `test` brings). The nodes are reweighted by their
errors until these are level (Lawson's algorithm).
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import numpy as np

NODES = 400
ROUNDS = 60


def fit(function: Callable[[mp.mpf], mp.mpf], low: float, high: float, degree: int) -> tuple[list[float], float]:
    """Return the coefficients c[0] + c[1] x + ... and the largest relative error on low <= x <= high."""
    angles = np.pi * (np.arange(NODES) + 0.5) / NODES
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(angles)
    values = np.array([float(function(mp.mpf(float(x)))) for x in nodes])
    # In Chebyshev's polynomials, for their matrix is well conditioned; each row relative to its value.
    rows = np.polynomial.chebyshev.chebvander(np.cos(angles), degree) / values[:, None]
    weights = np.ones(NODES)
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        best = np.linalg.lstsq(rows * root[:, None], root, rcond=None)[0]
        errors = np.abs(rows @ best - 1)
        weights *= errors
        weights /= weights.sum()
    series = np.polynomial.Chebyshev(best, domain=[low, high])
    return [float(c) for c in series.convert(kind=np.polynomial.Polynomial).coef], float(errors.max())


def show(name: str, function: Callable[[mp.mpf], mp.mpf], low: float, high: float, degree: int) -> None:
    """Print the fit of a function."""
    coefficients, error = fit(function, low, high, degree)
    print(f"{name} on [{low}, {high}], relative error {error:.1e}")
    print("   ", ", ".join(f"{c:.9g}f" for c in coefficients))


def scaled_erfc(t: mp.mpf) -> mp.mpf:
    """erfc(x) * exp(x^2) / t for t = 1 / (1 + x / 2)."""
    x = 2 * (1 / t - 1)
    return mp.erfc(x) * mp.exp(x * x) / t


if __name__ == "__main__":
    mp.mp.dps = 40
    half = float(mp.log(2) / 2)
    show("(exp(r) - 1 - r) / r^2", lambda r: (mp.expm1(r) - r) / r**2 if r else mp.mpf(1) / 2, -half, half, 4)
    show("erfc(x) exp(x^2) / t, t = 1 / (1 + x / 2)", scaled_erfc, 1 / 6, 1.0, 9)
    show("erf(x) / x, of x^2", lambda s: mp.erf(mp.sqrt(s)) / mp.sqrt(s), 1e-12, 1.0, 6)
    show("log1p(u) / u", lambda u: mp.log1p(u) / u, 1e-12, 1.0, 9)
