"""The same elements under another shape; views wherever NumPy can."""

from __future__ import annotations

import numpy as np

from trainstation.gradtrack import VJP
from trainstation.ops.operation import Array, Needs, operation


@operation((), view=True)
def reshape(needs: Needs, x: Array, *, shape: tuple[int, ...]) -> tuple[Array, VJP]:
    before = x.shape
    return x.reshape(shape), lambda g, out: (g.reshape(before),)


@operation((), view=True)
def permute(needs: Needs, x: Array, *, dims: tuple[int, ...]) -> tuple[Array, VJP]:
    inverse = tuple(int(i) for i in np.argsort([d % x.ndim for d in dims]))
    return x.transpose(dims), lambda g, out: (g.transpose(inverse),)
