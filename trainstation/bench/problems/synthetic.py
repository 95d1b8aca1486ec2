"""The problem without data: a quadratic whose gradient is noisy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import random
from trainstation.registry.problem import Problem
from trainstation.tensor import Tensor

__all__ = ["PROBLEMS"]

Array = NDArray[Any]
SIZE, STEEP = 100, 10  # dimensions, and how many of them are steep
BATCH, EPOCH = 128, 100
SEED = 42  # of the one quadratic


@cache
def _hessian() -> Array:
    """Return a Hessian as DeepOBS's quadratic_deep has: 90 eigenvalues in (0, 1), 10 in (30, 60), axes at random."""
    rng = np.random.default_rng(SEED)
    values = np.concatenate([rng.uniform(0, 1, SIZE - STEEP), rng.uniform(30, 60, STEEP)])
    axes, _ = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))
    return (axes * values) @ axes.T  # type: ignore[no-any-return]  # as NumPy says


class NoisyQuadratic:
    """(w - c) H (w - c) / 2, each batch with another centre c: in each dimension the mean of 128 draws of N(0, 1)."""

    def __init__(self, seed: int) -> None:
        """Draw the start and the centres from `seed`."""
        self.noise = random.generator(seed)
        self.w = Tensor.from_numpy(self.noise.standard_normal(SIZE, np.float32)).requires_grad_()
        self.hessian = Tensor.from_numpy(_hessian().astype(np.float32))

    def parameters(self) -> list[Any]:
        """Return what to optimize."""
        return [self.w]

    def epoch(self) -> Iterator[Tensor]:
        """Yield the centres of the next epoch."""
        centres = self.noise.standard_normal((EPOCH, SIZE), np.float32) / np.float32(BATCH**0.5)
        return (Tensor.from_numpy(centre) for centre in centres)

    def loss(self, batch: Tensor) -> Tensor:
        """Return the height above the batch's centre."""
        off = self.w - batch
        return (off @ self.hessian @ off) * 0.5

    def evaluate(self) -> float:
        """Return the height without noise, in float64: 0 is the least."""
        w = self.w.data.astype(np.float64)
        return float(w @ _hessian() @ w / 2)


PROBLEMS = [
    Problem(
        "quadratic",
        "noisy quadratic of 100 dimensions, eigenvalues from 0 to 60",
        "height",
        EPOCH,
        NoisyQuadratic,
        lower_is_better=True,
        budget=2000,
        profile="smoke",
    ),
]
