"""Tensor: a NumPy array that remembers how it was computed. Thin methods over `trainstation.ops`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from trainstation import kernels
from trainstation.errors import GraphError, ShapeError
from trainstation.factories import Factories
from trainstation.gradtrack import VJP, GradTrack, Hooks, Leaf, Node, Saved, is_grad_enabled
from trainstation.interchange import Interchange
from trainstation.methods import Methods
from trainstation.operators import Operators
from trainstation.ops import OUTPUT, Operation

__all__ = ["Tensor", "apply", "tensor"]

Array = NDArray[Any]


class Tensor(Factories, Methods, Operators, Interchange):
    """An n-dimensional array with a gradient.

    Attributes:
        data: the NumPy array itself. It may be replaced, and written to; GradTrack does not see such writes.

    """

    __slots__ = ("__weakref__", "_grad", "_hold", "_hooks", "_node", "_requires_grad", "_spare", "_version", "data")
    __array_ufunc__ = None  # array + tensor is a tensor

    data: Array
    _requires_grad: bool
    _grad: Tensor | None
    _spare: Tensor | None  # the gradient of our own making: kept by zero_grad, written again by the next backward
    _hold: Any  # an optimizer's: the gradient that it holds, and whether it is reading it; None
    _hooks: Hooks | None  # of a leaf; a result's are its node's
    _node: Node | None
    _version: list[int]  # one counter, shared by all tensors that share memory

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

    # Gradients

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded, and backward gives it a gradient."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, requires_grad: bool) -> None:
        self.requires_grad_(requires_grad)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say in place whether a gradient is wanted.

        Raises:
            TypeError: it is wanted of integers or bools.
            GraphError: it is not wanted of a recorded result; `detach()` leaves that one alone.

        """
        if requires_grad and self.data.dtype.kind != "f":
            msg = f"only floating-point tensors can require a gradient, not {self.data.dtype}"
            raise TypeError(msg)
        if not requires_grad and self._node is not None:
            msg = "the result of a recorded operation requires a gradient; detach() gives a tensor that does not"
            raise GraphError(msg)
        self._requires_grad = bool(requires_grad)
        return self

    def with_requires_grad(self) -> Self:
        """Ask for a gradient, and return the tensor itself."""
        return self.requires_grad_()

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward has collected, or None. A tensor or an array may be assigned."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | Array | None) -> None:
        if isinstance(value, np.ndarray):
            value = Tensor.from_numpy(value)
        elif not (value is None or isinstance(value, Tensor)):
            msg = f"a gradient is a tensor, an array or None, not {type(value).__name__}"
            raise TypeError(msg)
        self._grad = value

    def backward(self, gradient: Tensor | Array | None = None, retain_graph: bool = False) -> None:
        """Collect the gradient of this tensor in `.grad` of every leaf it was computed from: `GradTrack.backward`."""
        GradTrack.backward(self, gradient, retain_graph)

    def detach(self) -> Tensor:
        """Return a tensor of the same memory that knows nothing of how it was computed."""
        made = Tensor.from_numpy(self.data)
        made._version = self._version
        return made

    def _accumulate_grad(self, gradient: Array) -> None:
        """Add to `.grad`. Our own buffer is written in place, an assigned gradient is left as it is."""
        held = self._grad
        if gradient.shape != self.data.shape or (held is not None and held.data.shape != gradient.shape):
            there = "" if held is None else f", and .grad of shape {held.data.shape}"
            msg = f"a gradient of shape {gradient.shape} came to a tensor of shape {self.data.shape}{there}"
            raise ShapeError(msg)
        if held is None:
            np.copyto(self._lend_grad(), gradient, casting="same_kind")  # type: ignore[arg-type]  # there is none yet
        elif held is self._spare:
            held.data += gradient
            held._bump_version()
        else:
            self._grad = self._spare = Tensor.from_numpy(np.array(held.data + gradient, self.data.dtype, order="C"))

    def _lend_grad(self) -> Array | None:
        """Make `.grad` a buffer that is about to be overwritten, and return it; None if there is a gradient already."""
        if self._grad is not None:
            return None
        if not self._may_reuse_spare():
            self._spare = Tensor.from_numpy(kernels.zeros_beside(self.data, self.data.shape, self.data.dtype))
        self._grad = self._spare
        return self._spare.data  # type: ignore[union-attr]  # there it is

    def _may_reuse_spare(self) -> bool:
        """Whether a buffer of our own was kept that still fits, and that nobody else holds by any tensor or view.

        An optimizer that will read it at the next step is not somebody else, unless it is reading now.
        """
        if self._spare is None:
            return False
        buffer, array = self._spare.data, self.data
        fits = buffer.shape == array.shape and buffer.dtype == array.dtype and not isinstance(buffer.base, np.ndarray)
        held = self._hold is not None and self._hold.gradient is buffer
        kept = self._hold is not None and self._hold.owner is self._spare
        del buffer
        tensors, arrays = _references(self)
        if held and self._hold.busy[0]:
            return False
        return fits and tensors <= _ALONE[0] + kept and arrays <= _ALONE[1] + held

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
    for position, x in enumerate(inputs):
        if not needs[position]:
            parents.append(None)
            continue
        if x._node is None:
            has_leaf = True
            parents.append(x)
        else:
            parents.append(x._node)
        for index in operation.reads_of(position, len(inputs)):
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


def _references(owner: Tensor) -> tuple[int, int]:
    """Count who holds the kept gradient buffer of a tensor, and the array in it (its views hold the array)."""
    return sys.getrefcount(owner._spare), sys.getrefcount(owner._spare.data)  # type: ignore[union-attr]  # it is there


# What the counts are when nobody but its owner holds a buffer: measured, for interpreters count differently.
_probe = Tensor.zeros(1)
_probe._spare = Tensor.zeros(1)
_ALONE = _references(_probe)
del _probe
