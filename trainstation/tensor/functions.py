"""Functions of several tensors, under torch's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainstation import ops
from trainstation.errors import GraphError
from trainstation.gradtrack import GradTrack
from trainstation.tensor import Tensor, apply

__all__ = ["cat", "chunk", "einsum", "from_dlpack", "grad", "maximum", "minimum", "split", "stack", "where"]


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Put tensors one behind the other along `dim`; their other lengths are equal (ShapeError), dtypes are promoted."""
    return apply(ops.shape.cat, *_several("cat", tensors), dim=dim)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Put tensors of one shape (else ShapeError) side by side along a new dimension; dtypes are promoted."""
    return apply(ops.shape.stack, *_several("stack", tensors), dim=dim)


def _tensor(name: str, given: Any) -> Tensor:
    if not isinstance(given, Tensor):
        msg = f"{name} takes a tensor, not {type(given).__name__}"
        raise TypeError(msg)
    return given


def _several(name: str, given: Sequence[Any]) -> Sequence[Tensor]:
    if not isinstance(given, (list, tuple)):
        msg = f"{name} takes a list or a tuple of tensors, not {type(given).__name__}"
        raise TypeError(msg)
    if not given:
        msg = f"{name} needs at least one tensor"
        raise ValueError(msg)
    return [_tensor(name, each) for each in given]


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into views of a length, of which the last may be shorter, or of several lengths, along `dim`."""
    return _tensor("split", tensor).split(split_size_or_sections, dim)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:  # noqa: A002  # torch's argument name
    """Cut into at most so many views of equal length along `dim`."""
    return _tensor("chunk", input).chunk(chunks, dim)


def where(condition: Any, input: Any, other: Any) -> Tensor:  # noqa: A002  # torch's argument name
    """Take from `input` where the condition (bools) holds, else from `other`; the three broadcast."""
    chosen = condition if isinstance(condition, Tensor) else Tensor(condition)
    return apply(ops.elementwise.where, chosen, Tensor._operand(input), Tensor._operand(other))


def maximum(input: Tensor, other: Any) -> Tensor:  # noqa: A002  # torch's argument name
    """Return the larger of each two elements; equal ones share the gradient."""
    return _tensor("maximum", input).maximum(other)


def minimum(input: Tensor, other: Any) -> Tensor:  # noqa: A002  # torch's argument name
    """Return the smaller of each two elements; equal ones share the gradient."""
    return _tensor("minimum", input).minimum(other)


def einsum(equation: str, *operands: Any) -> Tensor:
    """Sum products of elements in Einstein's convention: `einsum("ij,jk->ik", a, b)`; `...` stands for more dimensions.

    Raises:
        ValueError: the equation names another number of tensors, or letters that are not there.
        ShapeError: the letters do not fit the dimensions.
        TypeError: the tensors are of several dtypes.

    """
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    return apply(ops.linalg.einsum, *_several("einsum", tensors), equation=equation)


def from_dlpack(x: Any) -> Tensor:
    """Return a tensor that shares memory with any array on the CPU that speaks DLPack."""
    return Tensor.from_dlpack(x)


def grad(
    output: Tensor,
    inputs: Tensor | Sequence[Tensor],
    grad_output: Any = None,
    *,
    retain_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """Return the gradient of `output` with respect to each of `inputs`; no `.grad` is touched.

    Args:
        output: a recorded result.
        inputs: leaves or results that it was computed from.
        grad_output: the gradient of the output; None is 1 and needs an output of one element.
        retain_graph: keep the graph for another backward.
        allow_unused: return None for an input that the output was not computed from.

    Raises:
        GraphError: an input requires no gradient, or was not used; or what `backward` raises.

    """
    wanted = [inputs] if isinstance(inputs, Tensor) else _several("grad", inputs)
    for position, tensor in enumerate(wanted):
        if not tensor.requires_grad:
            msg = f"input {position} requires no gradient"
            raise GraphError(msg)
    found = GradTrack.grad(output, wanted, grad_output, retain_graph)
    for position, gradient in enumerate(found):
        if gradient is None and not allow_unused:
            msg = f"input {position} was not used in the output; allow_unused=True gives None for it"
            raise GraphError(msg)
    return tuple(None if gradient is None else Tensor.from_numpy(np.array(gradient)) for gradient in found)
