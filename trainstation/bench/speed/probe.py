"""What the memory can do, measured beside the optimizers: their bytes over a probe's time is the roof."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.bench.speed.cases import Case, cut
from trainstation.bench.speed.entrants import link
from trainstation.optimizers import Optimizer

__all__ = ["Probe", "probes", "under"]

Array = NDArray[Any]
PROBED = 2**24  # elements: beyond any cache, and more say nothing new


class Bandwidth(Optimizer):
    """Adam's traffic without its mathematics: reads p, g and two states, adds g to the three others.

    It takes the way of any optimizer through base class and kernels, so that it costs a call what they cost.
    """

    states = ("one", "two")
    rule = "bandwidth"

    def __init__(self, params: Iterable[Any]) -> None:
        super().__init__(params, {"lr": 0.0})

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:  # noqa: ARG002  # there are none
        """Return nothing."""
        return ()

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:  # noqa: ARG002  # likewise
        """Add g to all."""
        for array in (p, state["one"], state["two"]):
            np.add(array, g, out=array)


@dataclass(frozen=True, slots=True)
class Probe:
    """A call, and the bytes that it moves for so many elements."""

    name: str
    call: Callable[[], object]
    elements: int
    moved: int


def probes(case: Case, values: Sequence[Array], gradients: Sequence[Array]) -> list[Probe]:
    """Return the probes of a case: Adam's traffic on each instruction set, and NumPy's triad in place.

    They take the arrays that the entrants take, or the beginning of each: where memory lies is a tenth of its speed.
    """
    sizes = [math.prod(shape) for shape in cut(case.shapes, PROBED)]
    values, gradients = (
        [array.reshape(-1)[:size] for array, size in zip(arrays, sizes, strict=True)] for arrays in (values, gradients)
    )
    count, size = sum(array.size for array in values), sum(array.nbytes for array in values)
    made = [Probe("probe:numpy", partial(_triad, list(zip(values, gradients, strict=True))), count, 3 * size)]
    if Bandwidth.rule in kernels.rules():
        step = Bandwidth(link(values, gradients)).step
        for isa in kernels.isas():
            call = step if isa == kernels.isa() else partial(under, isa, step)
            made.append(Probe(f"probe:{isa}", call, count, 7 * size))
    return made


def _triad(pairs: list[tuple[Array, Array]]) -> None:
    for values, gradients in pairs:
        np.add(values, gradients, out=values)


def under(isa: str, step: Callable[[], object]) -> None:
    """Take a step with the kernels of an instruction set."""
    with kernels.use(isa):
        step()
