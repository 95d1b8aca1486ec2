"""The operations on arrays: each a forward function that also gives its vector-Jacobian product.

An operation knows nothing of tensors. `forward(*arrays, **options)` returns the value and `vjp(gradient, needs)`, which
returns one gradient an input, None where `needs` is False. `reads` says, for each input, which values the gradient
with respect to it reads (input indices, or `OUTPUT`): those must not change before backward.
"""

from trainstation.ops import elementwise, indexing, linalg, nn, reductions, shape
from trainstation.ops.operation import OPERATIONS, OUTPUT, Operation

__all__ = ["OPERATIONS", "OUTPUT", "Operation", "elementwise", "indexing", "linalg", "nn", "reductions", "shape"]
