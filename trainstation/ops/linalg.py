"""Products of matrices and vectors, and Einstein's sums."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from typing import Any

import numpy as np

from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Gradients, Out
from trainstation.ops.operation import OTHERS, Array, Needs, operation, room, same_dtype, unbroadcast

_Form = tuple[tuple[int, ...], np.dtype[Any]]


@operation((1,), (0,))
def matmul(needs: Needs, x: Array, y: Array) -> tuple[Array, VJP]:
    """NumPy's matmul: vectors, matrices, and stacks of matrices that broadcast; one dtype, as in torch."""
    if not isinstance(y, np.ndarray) or not isinstance(x, np.ndarray):
        msg = "matmul needs two tensors; multiply by a number with *"
        raise TypeError(msg)
    if x.dtype is not y.dtype:
        same_dtype("matmul", x, y)
    by_x, by_y = needs
    form_x, form_y = (x.shape, x.dtype), (y.shape, y.dtype)
    read_x, read_y = x if by_y else None, y if by_x else None

    def of_matrices(g: Array, out: Out) -> Gradients:
        return (
            None if read_y is None else np.dot(g, read_y.T, out=room(out[0], *form_x)),
            None if read_x is None else np.dot(read_x.T, g, out=room(out[1], *form_y)),
        )

    def of_pairs(g: Array, out: Out) -> Gradients:
        return (
            None if read_y is None else np.matmul(g, read_y.swapaxes(-1, -2)),
            None if read_x is None else np.matmul(read_x.swapaxes(-1, -2), g),
        )

    def of_any(g: Array, out: Out) -> Gradients:
        return _of_stacks(g, read_x, read_y, form_x, form_y)

    try:
        if x.ndim == y.ndim == 2:  # noqa: PLR2004  # matrices
            return x.dot(y), of_matrices
        if x.ndim > y.ndim == 2:  # noqa: PLR2004  # a stack times a matrix
            return _of_rows(x, y, by_x=by_x, by_y=by_y)
        are_pairs = x.ndim == y.ndim > 1 and x.shape[:-2] == y.shape[:-2]
        return np.matmul(x, y), of_pairs if are_pairs else of_any
    except ValueError:
        msg = f"matmul: shapes {x.shape} and {y.shape} do not fit"
        raise ShapeError(msg) from None


def _of_rows(x: Array, y: Array, *, by_x: bool, by_y: bool) -> tuple[Array, VJP]:
    """Multiply all rows of a stack of matrices by one matrix, in one product."""
    outer, width = x.shape[:-1], y.shape[1]
    form_x, form_y = x.shape, (y.shape, y.dtype)
    rows = x.reshape(math.prod(outer), x.shape[-1])
    value = rows.dot(y).reshape(*outer, width)
    read_rows, read_y = rows if by_y else None, y if by_x else None

    def vjp(g: Array, out: Out) -> Gradients:
        g = g.reshape(math.prod(outer), width)
        return (
            None if read_y is None else g.dot(read_y.T).reshape(form_x),
            None if read_rows is None else np.dot(read_rows.T, g, out=room(out[1], *form_y)),
        )

    return value, vjp


def _of_stacks(g: Array, read_x: Array | None, read_y: Array | None, form_x: _Form, form_y: _Form) -> Gradients:
    """Return the gradients of a product where a vector is a matrix with one row (left) or one column (right)."""
    if len(form_y[0]) == 1:
        g = np.expand_dims(g, -1)
    if len(form_x[0]) == 1:
        g = np.expand_dims(g, -2)
    of_x = of_y = None
    if read_y is not None:
        right = read_y[:, None] if read_y.ndim == 1 else read_y
        like = (1, *form_x[0]) if len(form_x[0]) == 1 else form_x[0]
        of_x = unbroadcast(np.matmul(g, right.swapaxes(-1, -2)), (like, form_x[1])).reshape(form_x[0])
    if read_x is not None:
        left = read_x[None, :] if read_x.ndim == 1 else read_x
        like = (*form_y[0], 1) if len(form_y[0]) == 1 else form_y[0]
        of_y = unbroadcast(np.matmul(left.swapaxes(-1, -2), g), (like, form_y[1])).reshape(form_y[0])
    return of_x, of_y


@operation((OTHERS,), view=True)
def einsum(needs: Needs, *arrays: Array, equation: str) -> tuple[Array, VJP]:
    """The sum over all subscripts that the output has not, of the product of all operands.

    As in torch, "..." stands for any dimensions, which broadcast; without "->" the output has those and, sorted, the
    subscripts that occur once. The gradient of an operand is the sum over what it has not, of the gradient and the
    others.
    """
    same_dtype("einsum", *arrays)
    shapes = tuple(x.shape for x in arrays)
    terms, output, lengths = _parsed(equation, shapes)
    # Of much work NumPy can make products of matrices; of little the way there costs more.
    much = len(arrays) > 1 and math.prod(lengths.values()) > _MUCH
    dtype = arrays[0].dtype
    reads = [x if any(needs[:i]) or any(needs[i + 1 :]) else None for i, x in enumerate(arrays)]

    def gradient(i: int, g: Array) -> Array:
        unique = "".join(dict.fromkeys(terms[i]))
        own = dict(zip(terms[i], shapes[i], strict=True))
        others = [(term, x) for j, (term, x) in enumerate(zip(terms, reads, strict=True)) if j != i]
        there = set(output).union(*(term for term, _ in others))
        # A subscript of length 1 here and more elsewhere has been stretched: its gradients add up.
        target = "".join(label for label in unique if label in there and own[label] == lengths[label])
        inputs = ",".join([output, *(term for term, _ in others)])
        part = np.einsum(f"{inputs}->{target}", g, *(x for _, x in others), optimize=much)  # type: ignore[arg-type]  # all that are read are kept
        part = part[tuple(slice(None) if label in target else None for label in unique)]
        if len(unique) == len(terms[i]):
            return np.broadcast_to(part, shapes[i])
        spread = np.zeros(shapes[i], dtype)
        np.einsum(f"{terms[i]}->{unique}", spread)[...] = part  # a view of the diagonal
        return spread

    value = np.asarray(np.einsum(f"{','.join(terms)}->{output}", *arrays, optimize=much))
    return value, lambda g, out: [gradient(i, np.asarray(g)) if need else None for i, need in enumerate(needs)]


_MUCH = 10_000  # multiplications
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@functools.lru_cache(512)
def _parsed(equation: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[list[str], str, dict[str, int]]:
    """Return the subscripts of each operand and of the output, all as letters, and the length of each."""
    plain = equation.replace(" ", "")
    subscripts = r"[A-Za-z]*(\.\.\.)?[A-Za-z]*"
    if not re.fullmatch(rf"{subscripts}(,{subscripts})*(->{subscripts})?", plain):
        msg = f"einsum: {equation!r} is not made of letters, '...', ',' and '->'"
        raise ValueError(msg)
    inputs, arrow, output = plain.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(shapes):
        msg = f"einsum: {equation!r} is for {len(terms)} operands, not {len(shapes)}"
        raise ValueError(msg)
    spare = "".join(letter for letter in _LETTERS if letter not in plain)
    rests = [len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes, strict=True)]
    if any(rest < 0 or (rest and "..." not in term) for rest, term in zip(rests, terms, strict=True)):
        msg = f"einsum: {equation!r} does not fit operands of shapes {', '.join(map(str, shapes))}"
        raise ShapeError(msg)
    most = max((rest for rest, term in zip(rests, terms, strict=True) if "..." in term), default=0)
    stretch = spare[:most]
    if not arrow:
        counts = Counter(inputs.replace("...", "").replace(",", ""))
        output = "..." + "".join(sorted(label for label, count in counts.items() if count == 1))
    terms = [term.replace("...", stretch[most - rest :]) for term, rest in zip(terms, rests, strict=True)]
    output = output.replace("...", stretch)
    if len(set(output)) < len(output) or not set(output) <= set("".join(terms)):
        msg = f"einsum: the output of {equation!r} has a subscript twice, or one that no operand has"
        raise ValueError(msg)
    return terms, output, _lengths(equation, terms, shapes)


def _lengths(equation: str, terms: list[str], shapes: tuple[tuple[int, ...], ...]) -> dict[str, int]:
    """Return the length of each subscript: where it is 1 and elsewhere not, the operand is stretched."""
    lengths: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        own: dict[str, int] = {}
        for label, length in zip(term, shape, strict=True):
            if own.setdefault(label, length) != length or (lengths.get(label, 1) != 1 != length != lengths[label]):
                msg = f"einsum: {equation!r} does not fit operands of shapes {', '.join(map(str, shapes))}"
                raise ShapeError(msg)
            if lengths.get(label, 1) == 1:
                lengths[label] = length
    return lengths
