"""The same elements under another shape; views wherever NumPy can."""

from __future__ import annotations

import numpy as np

from trainstation.gradtrack import VJP
from trainstation.ops.operation import Array, operation


@operation((), view=True)
def reshape(x: Array, *, shape: tuple[int, ...]) -> tuple[Array, VJP]:
    before = x.shape
    return x.reshape(shape), lambda g, needs: (g.reshape(before),)


@operation((), view=True)
def permute(x: Array, *, dims: tuple[int, ...]) -> tuple[Array, VJP]:
    inverse = tuple(int(i) for i in np.argsort([d % x.ndim for d in dims]))
    return x.transpose(dims), lambda g, needs: (g.transpose(inverse),)
