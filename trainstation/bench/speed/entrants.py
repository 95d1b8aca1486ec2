"""Who takes part: registered optimizers with options, over the same arrays, each checked against float64 first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.bench.speed.cases import Shapes, cut
from trainstation.create import Entrant, parse
from trainstation.optimizers.stepping.codec import bytes_of
from trainstation.registry.lookup import find_optimizer, get_optimizer, list_optimizers
from trainstation.tensor import Tensor

__all__ = ["Parity", "admit", "bare", "draw", "family", "link", "state_bytes"]

Array = NDArray[Any]
STEPS = 10
CHECKED = 2**18  # elements; of more, tensors are cut for the check
RARE = 0.001  # of the elements


def family(rule: str, options: str = "") -> list[str]:
    """Return what to name for a comparison of a built-in optimizer with all its peers, all with the same options."""
    return [name + (options and f":{options}") for name in (rule, *list_optimizers(tags=("peer", rule)))]


def admit(names: Iterable[str]) -> tuple[list[Entrant], dict[str, str]]:
    """Return the entrants that can take part, and of the others what is to be installed first.

    Raises:
        ValueError: a name is unknown, an optimizer has no such options, or none can take part.

    """
    entrants, absent = {}, {}
    for name in names:
        try:
            entrant = parse(name)
            entrant.make(None)
        except ImportError as error:
            absent[entrant.label] = str(error)
        except (TypeError, ValueError) as error:
            msg = f"{name}: {error}"
            raise ValueError(msg) from error
        else:
            entrants[entrant.label] = entrant
    if not entrants:
        msg = f"nothing to time: {'; '.join(absent.values())}"
        raise ValueError(msg)
    return list(entrants.values()), absent


def draw(shapes: Shapes, dtype: str, scale: float, rng: np.random.Generator) -> list[Array]:
    """Return arrays of normal numbers: 0.02 is what weights begin with, 1e-3 is what gradients are like."""
    arrays = [rng.standard_normal(shape, np.dtype(dtype)) for shape in shapes]
    for array in arrays:
        np.multiply(array, scale, out=array)
    return arrays


def link(arrays: Sequence[Array], gradients: Sequence[Array]) -> list[Tensor]:
    """Return parameters that share memory with arrays, and with their gradients."""
    parameters = [Tensor.from_numpy(array).requires_grad_() for array in arrays]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = Tensor.from_numpy(gradient)
    return parameters


def bare(optimizer: Any) -> Callable[[], object]:
    """Return the call to time: a peer's own, without our wrapper around it, else `step`."""
    stepper = getattr(optimizer, "stepper", None)
    call: Callable[[], object] = optimizer.step if stepper is None else stepper()
    return call


def state_bytes(optimizer: Any) -> int:
    """Return the bytes of all arrays that an optimizer keeps, its counters apart."""
    return sum(map(bytes_of, optimizer.state.values()))


@dataclass(frozen=True, slots=True)
class Parity:
    """How near an optimizer is to its mathematics after ten steps, each along another gradient.

    Attributes:
        max_err: the largest difference of an element from float64.
        wrong: why it is not the optimizer that it says it is; empty if it is.
        states: how many numbers of state the mathematics needs for each element.

    """

    max_err: float
    wrong: str
    states: float

    @classmethod
    def of(cls, entrant: Entrant, shapes: Shapes, dtype: str) -> Parity:
        """Take the steps, on tensors that are cut if they are large.

        What must come out is what the optimizer's own `update` computes in float64, or for a peer its native one's, as
        near as rounding explains; for state that is stored in fewer bits, as near as a fifth of the longest way that an
        element has gone. One element in a thousand may be off further, by a hundredth of that way, or for stored state
        all of it: where a gradient and a penalty cancel, little is left but rounding.
        """
        shapes = cut(shapes, CHECKED)
        made = get_optimizer(entrant.name)
        options = {**(find_optimizer(entrant.name).spec.defaults or {}), **entrant.options}
        narrow = options.pop("state_dtype", None) not in (None, dtype)
        meaning = type("Meaning", (getattr(made, "native", made),), {"rule": None})
        largest = 0.0
        for walked in _walk(lambda parameters: meaning(parameters, **options), shapes, dtype, "float64"):
            optimizer, exact = walked
            largest = max(largest, *(np.abs(array).max() for array in exact))
        *_, (_, reached) = _walk(entrant.make, shapes, dtype, dtype)
        way = _apart(exact, draw(shapes, dtype, 0.02, np.random.default_rng(0))).max()
        errors = _apart(exact, reached)
        near = way / 5 if narrow else 4 * STEPS * np.finfo(dtype).eps * largest
        most, worst = np.quantile(errors, 1 - RARE), errors.max()
        wrong = ""
        if not (most <= near and worst <= max(near, way if narrow else way / 100)):  # NaN is not
            wrong = f"off its mathematics by {most:.2g}, at worst {worst:.2g}, after {STEPS} steps; allowed: {near:.2g}"
        return cls(float(worst), wrong, state_bytes(optimizer) / sum(array.nbytes for array in exact))


def _apart(some: Sequence[Array], others: Sequence[Array]) -> Array:
    """Return how far apart elements are, of all arrays in one."""
    return np.concatenate([np.abs(one - other).ravel() for one, other in zip(some, others, strict=True)])


def _walk(
    make: Callable[[list[Tensor]], Any], shapes: Shapes, drawn: str, dtype: str
) -> Iterator[tuple[Any, list[Array]]]:
    """Yield an optimizer and its parameters' values after each of ten steps: the same numbers, whatever the dtype."""
    rng = np.random.default_rng(0)
    arrays = [array.astype(dtype) for array in draw(shapes, drawn, 0.02, rng)]
    gradients = [np.empty_like(array) for array in arrays]
    parameters = link(arrays, gradients)
    optimizer = make(parameters)
    for _ in range(STEPS):
        for gradient, drawn_one in zip(gradients, draw(shapes, drawn, 1e-3, rng), strict=True):
            gradient[...] = drawn_one
        optimizer.step()
        yield optimizer, arrays
