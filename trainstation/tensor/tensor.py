"""Tensor: a NumPy array that remembers how it was computed. Thin methods over `trainstation.ops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from trainstation.errors import ShapeError
from trainstation.gradtrack import VJP, Leaf, Node, Saved, is_grad_enabled
from trainstation.ops import OTHERS, OUTPUT, Operation
from trainstation.tensor.arithmetic import Operators
from trainstation.tensor.creation import Factories
from trainstation.tensor.gradient import Differentiable
from trainstation.tensor.indexing import Indexed
from trainstation.tensor.interchange import Interchange
from trainstation.tensor.shapes import Methods

__all__ = ["Tensor", "apply", "tensor"]

Array = NDArray[Any]


class Tensor(Differentiable, Factories, Indexed, Methods, Operators, Interchange):
    """An n-dimensional array with a gradient.

    Attributes:
        data: the NumPy array itself. It may be replaced, and written to; GradTrack does not see such writes.

    """

    __slots__ = ("__weakref__", "_grad", "_hold", "_hooks", "_node", "_requires_grad", "_spare", "_version", "data")
    __array_ufunc__ = None  # array + tensor is a tensor

    data: Array

    def __init__(self, data: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> None:
        """Copy `data` (nested sequences, numbers, an array or a tensor); see `tensor`."""
        if isinstance(data, Tensor):
            data = data.data
        array = np.array(data, dtype=dtype)
        if dtype is None and array.dtype == np.float64 and not hasattr(data, "__array__"):
            array = array.astype(np.float32)
        self._adopt(array)
        self.requires_grad_(requires_grad)

    def _adopt(self, array: Array) -> None:
        if array.dtype.kind not in "fbiu":
            msg = f"a tensor holds floats, integers or bools, not {array.dtype}"
            raise TypeError(msg)
        self.data = array
        self._requires_grad = False
        self._grad = self._spare = self._hold = self._hooks = self._node = None
        self._version = [0]

    @classmethod
    def from_numpy(cls, array: Array) -> Self:
        """Return a tensor that shares the memory of `array`."""
        if not isinstance(array, np.ndarray):
            msg = f"from_numpy takes a NumPy array, not {type(array).__name__}"
            raise TypeError(msg)
        made = cls.__new__(cls)
        made._adopt(np.asarray(array))  # a matrix or a masked array would bring rules of its own
        return made

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the elements."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.data.ndim

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by hand, not by a recorded operation."""
        return self._node is None

    def detach(self) -> Tensor:
        """Return a tensor of the same memory that knows nothing of how it was computed."""
        made = Tensor.from_numpy(self.data)
        made._version = self._version
        return made

    def _bump_version(self) -> None:
        """Note that the values were changed in place; a backward that would read them is then an error."""
        self._version[0] += 1

    __hash__ = object.__hash__


_blank = object.__new__


def _wrap(value: Any) -> Tensor:
    """Make the tensor of a result; every operation comes through here, so nothing is checked."""
    made = _blank(Tensor)
    made.data = value if type(value) is np.ndarray else np.asarray(value)
    made._requires_grad = False
    made._grad = made._spare = made._hold = made._hooks = made._node = None
    made._version = [0]
    return made


def apply(operation: Operation, *inputs: Any, **options: Any) -> Tensor:
    """Run an operation on tensors and numbers, and record it if a gradient may be asked for."""
    recording = is_grad_enabled()
    arrays, needs = [], []
    for x in inputs:
        if isinstance(x, Tensor):
            arrays.append(x.data)
            needs.append(recording and x._requires_grad)
        else:
            arrays.append(x)
            needs.append(False)
    try:
        value, vjp = operation.forward(needs, *arrays, **options)
    except ValueError as error:
        if type(error) is not ValueError or "shape" not in str(error):
            raise
        msg = f"{operation.name}: {error}"
        raise ShapeError(msg) from None
    result = _wrap(value)
    if operation.view and value.base is not None and np.may_share_memory(value, arrays[0]):
        result._version = inputs[0]._version
    if True in needs:
        result._requires_grad = True
        result._node = _record(operation, inputs, needs, vjp, result)
    return result


def _record(operation: Operation, inputs: Sequence[Any], needs: Sequence[bool], vjp: VJP, result: Tensor) -> Node:
    parents: list[Node | Leaf | None] = []
    saved: list[Saved] = []
    has_leaf = False
    reads = operation.reads
    if len(reads) != len(inputs) or reads == ((OTHERS,),):
        reads = operation.reads_of(len(inputs))
    for x, need, read in zip(inputs, needs, reads):  # noqa: B905  # as many of each
        if not need:
            parents.append(None)
            continue
        node = x._node
        if node is None:
            has_leaf = True
            parents.append(x)
        else:
            parents.append(node)
        for index in read:
            source = result if index == OUTPUT else inputs[index]
            if isinstance(source, Tensor):
                version = source._version
                saved.append((version, version[0]))
    return Node(operation.name, parents, vjp, saved, has_leaf)


def _operand(value: Any) -> Any:
    """Make what stands beside a tensor one of Tensor, int, float, bool; arrays become tensors of the same memory."""
    if isinstance(value, (Tensor, int, float)):  # a union is made anew at each call
        return float(value) if isinstance(value, np.float64) else value
    if isinstance(value, np.ndarray):
        return Tensor.from_numpy(value)
    if isinstance(value, np.generic) and value.dtype.kind in "fbiu":
        return value.item()
    msg = f"a tensor cannot be combined with {type(value).__name__}"
    raise TypeError(msg)


Tensor._apply = staticmethod(apply)
Tensor._operand = staticmethod(_operand)
Tensor._wrap = staticmethod(_wrap)


def tensor(data: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Copy `data` into a tensor.

    Python floats become float32, ints int64, bools bool; arrays and tensors keep their dtype.

    Raises:
        TypeError: the data are not numbers, or a gradient is asked for what is not floating-point.

    >>> tensor([[1.0, 2.0], [3.0, 4.0]]).sum(dim=0)
    tensor([4., 6.])

    """
    return Tensor(data, dtype, requires_grad)
