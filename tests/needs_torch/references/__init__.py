"""torch's function for each operation of the table: operation -> function(*inputs, **options)."""

from references import (
    activations,
    attention,
    batch_norm,
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

FAMILIES = [
    activations,
    attention,
    batch_norm,
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
]
REFERENCES = {name: function for family in FAMILIES for name, function in family.REFERENCES.items()}
