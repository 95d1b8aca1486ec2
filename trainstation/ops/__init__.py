"""The operations on arrays: each a forward function that also gives its vector-Jacobian product.

An operation knows nothing of tensors. `forward(needs, *arrays, **options)` returns the value and `vjp`; `needs` says
for which inputs a gradient may be asked for, so that nothing is kept, or computed, for others. `vjp(gradient, out)`
returns one gradient an input, None where it is not needed; `out` offers, for some, the array in which their gradient
will stand (`room` takes it): what is returned is then not copied. `reads` says, for each input, which values the
gradient with respect to it reads (input indices or `OUTPUT`; the last entry serves for all further inputs; `OTHERS`
alone: all others): those must not change before backward.
"""

from trainstation.ops import (
    activations,
    attention,
    batch_norm,
    conversion,
    elementwise,
    indexing,
    linalg,
    linear,
    nn,
    norms,
    reductions,
    shape,
    unary,
    windows,
)
from trainstation.ops.operation import OPERATIONS, OTHERS, OUTPUT, Operation

__all__ = [
    "OPERATIONS",
    "OTHERS",
    "OUTPUT",
    "Operation",
    "activations",
    "attention",
    "batch_norm",
    "conversion",
    "elementwise",
    "indexing",
    "linalg",
    "linear",
    "nn",
    "norms",
    "reductions",
    "shape",
    "unary",
    "windows",
]
