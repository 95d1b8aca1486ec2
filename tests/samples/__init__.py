"""Inputs and options for each operation of the table; the tests of gradients and those against torch walk them.

One file a family, each with `SAMPLES`: operation -> [(inputs, options)]. Floating-point arrays among the inputs are
float64 and get their gradient checked, so they keep away from kinks.
"""

from samples import (
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
SAMPLES = {name: cases for family in FAMILIES for name, cases in family.SAMPLES.items()}
