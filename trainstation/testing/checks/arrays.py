"""Checks of arrays: gradients that are only read, and parameters of every shape, layout and dtype."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.optimizers.groups import gradient_of
from trainstation.tensor import Tensor
from trainstation.testing.runs import difference, draw, give, gradient, moved, run, seen
from trainstation.testing.subject import Shape, Subject
from trainstation.testing.verdicts import NotApplicable, fail

__all__ = ["double_precision", "non_contiguous", "odd_shapes", "writes_no_gradient"]

Array = NDArray[Any]

# Of each number of dimensions: without elements, and with one.
ODD: dict[int, tuple[Shape, ...]] = {
    0: ((),),
    1: ((0,), (1,)),
    2: ((0, 4), (3, 0), (1, 1)),
    3: ((2, 0, 3), (1, 1, 1)),
}
UNTOUCHED = -77.0


def writes_no_gradient(subject: Subject) -> str:
    """Check the bytes of all gradients around a step, and that the step needs no right to write to them."""
    variants: list[dict[str, Any]] = [{}, {"maximize": True}, {"max_grad_norm": 0.01}, subject.decay]
    for options in filter(lambda each: subject.takes(**each), variants):
        for is_writable in (True, False):
            parameters = subject.parameters()
            optimizer = subject.make(list(parameters.values()), **options)
            for t in range(3):
                give(parameters, t)
                given = {number: gradient_of(p) for number, p in parameters.items()}
                before = {number: array.tobytes() for number, array in given.items()}
                for array in given.values():
                    array.flags.writeable = is_writable
                optimizer.step()
                for number, p in parameters.items():
                    if gradient_of(p) is not given[number] or given[number].tobytes() != before[number]:
                        fail(
                            f"a step has changed the .grad of a parameter of shape {p.shape} (options: {options})",
                            "make a new array: `g = g + ...`, not `g += ...`, and do not assign .grad",
                        )
    return ""


def odd_shapes(subject: Subject) -> str:
    """Check parameters of one element and of none, between others that must not be affected."""
    refused = subject.refusals
    if 0 in refused and 1 not in refused:
        fail(
            f"a 0-d parameter is refused, a 1-d one is not: {refused[0]}",
            "treat a 0-d parameter as one of one element (np.atleast_1d gives a view)",
        )
    odd = [shape for dimensions, shapes in ODD.items() if dimensions not in refused for shape in shapes]
    usual = subject.parameters()
    parameters = usual | draw(odd, first=len(usual))
    mixed = [parameters[number] for number in sorted(parameters, key=lambda number: (number % 3, number))]
    optimizer = subject.make(mixed)
    moving = moved(optimizer, parameters, range(5))
    for number, p in parameters.items():
        if not np.isfinite(p.data).all():
            fail(f"a parameter of shape {p.shape} is not finite after 5 steps", "look for 0 / 0 where size is 0 or 1")
        if p.data.size and number not in moving:
            fail(f"a parameter of shape {p.shape} has not moved in 5 steps", "write in place: `p[...] =`, not `p =`")
    if not subject.coupled:
        alone = subject.parameters()
        other = subject.make(list(alone.values()))
        run(other, alone, range(5))
        for number, p in alone.items():
            if text := difference(seen(optimizer, parameters[number]), seen(other, p)):
                fail(f"beside parameters of shapes {odd}, another ends elsewhere: {text}", "step each by itself")
    return _told(refused)


def _told(refused: dict[int, str]) -> str:
    names = ", ".join(f"{dimensions}-d" for dimensions in sorted(refused))
    return f"refuses {names} parameters: {next(iter(refused.values()))}" if refused else ""


def _layouts(shape: Shape) -> Iterator[tuple[str, Array, Array]]:
    """Yield views of this shape that are not contiguous, with their names and the arrays that they are views of."""
    apart = np.full([2 * length + 1 for length in shape], UNTOUCHED)
    yield "every second element", apart[tuple(slice(1, None, 2) for _ in shape)], apart
    backwards = np.full(shape, UNTOUCHED)
    yield "negative strides", backwards[tuple(slice(None, None, -1) for _ in shape)], backwards
    turned = np.full(shape[::-1], UNTOUCHED)
    if not turned.T.flags.c_contiguous:
        yield "transposed", turned.T, turned


def non_contiguous(subject: Subject) -> str:
    """Check views against contiguous copies, without the compiled rule, which another check is about."""
    shapes = [shape for shape in subject.shapes if shape]
    if not shapes:
        msg = "it takes 0-d parameters only"
        raise NotApplicable(msg)
    notes: dict[str, None] = {}
    for shape in shapes:
        expected = subject.parameters([shape], "float64")
        plain = subject.interpreted().make(list(expected.values()))
        run(plain, expected, range(4))
        for name, view, whole in _layouts(shape):
            view[...] = draw([shape], "float64")[0].data
            before = view.copy()
            parameter = Tensor.from_numpy(view).requires_grad_()
            optimizer = subject.make([parameter])
            try:
                for t in range(4):
                    _, strided, _ = next(_layouts(shape))
                    strided[...] = gradient(shape, 0, t, view.dtype)
                    parameter.grad = strided if t % 2 else strided.copy()
                    optimizer.step()
            except (TypeError, ValueError) as error:
                if not np.array_equal(view, before):
                    raise
                notes[f"refuses {name}: {error}"] = None
                continue
            wanted, found = expected[0].data, view.copy()
            view[...] = UNTOUCHED
            if parameter.data is not view or not (whole == UNTOUCHED).all():
                fail(f"{name}: bytes that are not the parameter's were written to", "write in place: `p[...] = ...`")
            if not np.allclose(found, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max()):
                fail(
                    f"a parameter of shape {shape} with {name} ends elsewhere than its contiguous copy",
                    "write to `p` itself: reshape, ravel and ascontiguousarray may copy",
                )
            if found.tobytes() != wanted.tobytes():
                notes["to 1e-9, not to the bit"] = None
    return "; ".join(notes)


def double_precision(subject: Subject) -> str:
    """Check that float64 is more than float32: gradients that differ by 1e-10 leave another trace.

    Where only their signs count, another learning rate must.
    """
    # Of a single element, an optimizer that divides by the length of a gradient sees its sign alone.
    shapes = [shape for shape in subject.shapes if math.prod(shape) > 1] or subject.shapes

    def ends(spread: float, rate: float = 1.0) -> list[dict[str, Any]]:
        parameters = subject.parameters(shapes, "float64")
        lr = {"lr": subject.defaults["lr"] * rate} if subject.defaults.get("lr") else {}
        optimizer = subject.make(list(parameters.values()), **lr)
        for t in range(4):
            give(parameters, t)
            for p in parameters.values():
                array = gradient_of(p)
                array *= 1 + spread * np.random.default_rng(t).random(p.shape)
            optimizer.step()
            for p in parameters.values():
                if p.data.dtype != np.float64:
                    fail(f"a float64 parameter has become {p.data.dtype}", "write in place, and cast nothing")
        return [seen(optimizer, p) for p in parameters.values()]

    first, sizes = ends(0), ends(0.5)
    nearby, faster = ends(1e-10), ends(0, 1 + 1e-10)
    only_signs = not difference(sizes, first)
    for end, other in zip(first, faster if only_signs else nearby, strict=True):
        if not difference(end, other):
            what = "learning rates" if only_signs else "gradients"
            fail(
                f"{what} that differ by 1e-10 leave the same trace in a float64 parameter of shape "
                f"{end['values'].shape}",
                "compute in the dtype of `p`; make arrays like it (np.zeros_like)",
            )
    return "of gradients only signs count; compared with another learning rate" if only_signs else ""
