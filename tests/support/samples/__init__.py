"""Inputs and options for each operation of the table; the tests of gradients and those against torch walk them.

One file a family, each with `SAMPLES`: operation -> [(inputs, options)]. Floating-point arrays among the inputs are
float64 and get their gradient checked, so they keep away from kinks.
"""

from importlib import import_module
from pkgutil import iter_modules

FAMILIES = [
    import_module(f"samples.{each.name}") for each in iter_modules(__path__) if each.name not in {"common", "drawn"}
]
SAMPLES = {name: cases for family in FAMILIES for name, cases in family.SAMPLES.items()}
