"""The core of a tensor: its slots, and how an operation is run and recorded. Each part of Tensor needs only this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import GraphError, ShapeError
from trainstation.gradtrack import VJP, Hooks, Leaf, Node, Saved, is_grad_enabled
from trainstation.ops import OPERATIONS, OTHERS, OUTPUT, Operation, elementwise

__all__ = ["Array", "Core", "R"]

Array = NDArray[Any]
R = TypeVar("R", bound="Core[Any]")  # what operations return: Tensor

_blank = object.__new__


class Core(Generic[R]):
    """What every part of Tensor builds on, and all that it may use of the others."""

    __slots__ = ("__weakref__", "_grad", "_hooks", "_node", "_requires_grad", "_spare", "_version", "data")

    _result: ClassVar[type[Any]]  # Tensor, which says so itself: no part imports it

    data: Array
    _requires_grad: bool
    _grad: R | None
    _spare: R | None  # the gradient of our own making: kept by zero_grad, written again by the next backward
    _hooks: Hooks | None  # of a leaf; a result's are its node's
    _node: Node | None
    _version: list[int]  # one counter, shared by all tensors that share memory

    def _adopt(self, array: Array) -> None:
        if array.dtype.kind not in "fbiu":
            msg = f"a tensor holds floats, integers or bools, not {array.dtype}"
            raise TypeError(msg)
        self.data = array
        self._requires_grad = False
        self._grad = self._spare = self._hooks = self._node = None
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

    @staticmethod
    def _wrap(value: Any) -> R:
        """Make the tensor of a result; every operation comes through here, so nothing is checked."""
        made: R = _blank(Core._result)
        made.data = value if type(value) is np.ndarray else np.asarray(value)
        made._requires_grad = False
        made._grad = made._spare = made._hooks = made._node = None
        made._version = [0]
        return made

    @staticmethod
    def _operand(value: Any) -> Any:
        """Make what stands beside a tensor a tensor, int, float or bool; arrays become tensors of the same memory."""
        if isinstance(value, (Core, int, float)):  # a union is made anew at each call
            return float(value) if isinstance(value, np.float64) else value
        if isinstance(value, np.ndarray):
            return Core._result.from_numpy(value)
        if isinstance(value, np.generic) and value.dtype.kind in "fbiu":
            return value.item()
        msg = f"a tensor cannot be combined with {type(value).__name__}"
        raise TypeError(msg)

    @staticmethod
    def _apply(operation: Operation, *inputs: Any, **options: Any) -> R:
        """Run an operation on tensors and numbers, and record it if a gradient may be asked for."""
        recording = is_grad_enabled()
        arrays, needs = [], []
        for x in inputs:
            if isinstance(x, Core):
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
        result: R = Core._wrap(value)
        if operation.view and value.base is not None and np.may_share_memory(value, arrays[0]):
            result._version = inputs[0]._version
        if True in needs:
            result._requires_grad = True
            result._node = _record(operation, inputs, needs, vjp, result)
        return result

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

    # Changes

    def _bump_version(self) -> None:
        """Note that the values were changed in place; a backward that would read them is then an error."""
        self._version[0] += 1

    # In place: shape and dtype stay. Memory that a gradient may read is never written: what is recorded gives the
    # tensor a new array, which its views do not share.

    def _become(self, result: R) -> Self:
        """Take over the values of a result, and how it was computed.

        Raises:
            GraphError: GradTrack records, and the tensor is a leaf that requires a gradient, or a view; or the
                result has no gradient although the tensor has one.
            ShapeError: the other operand has more elements.
            TypeError: the result is of a higher kind (a float beside an integer), or recorded in another dtype.

        """
        data, given = self.data, result.data
        if given.shape != data.shape:
            msg = f"a tensor of shape {data.shape} cannot become one of shape {given.shape} in place"
            raise ShapeError(msg)
        recorded = result._requires_grad
        if recorded or (self._requires_grad and is_grad_enabled()):
            self._check_may_record(result)
        categories = elementwise.CATEGORIES
        if categories[given.dtype.kind] > categories[data.dtype.kind] or (recorded and given.dtype != data.dtype):
            msg = f"a tensor of {data.dtype} cannot become one of {given.dtype} in place"
            raise TypeError(msg)
        if recorded:
            self.data, self._version, self._requires_grad, self._node = given, result._version, True, result._node
        else:
            np.copyto(data, given, casting="unsafe")
            self._bump_version()
        return self

    def _check_may_record(self, result: R) -> None:
        reason = None
        if self._requires_grad and self._node is None:
            reason = "a leaf that requires a gradient cannot be changed in place"
        elif not result._requires_grad:
            reason = "what has no gradient cannot be done in place"
        elif self.data.base is not None and (self._node is None or OPERATIONS[self._node.name].view):
            reason = "a view cannot be changed in place"
        if reason:
            msg = f"{reason} while GradTrack records; use no_grad(), or make a new tensor (y = y + x)"
            raise GraphError(msg)


def _record(operation: Operation, inputs: Sequence[Any], needs: Sequence[bool], vjp: VJP, result: Core[Any]) -> Node:
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
            if isinstance(source, Core):
                version = source._version
                saved.append((version, version[0]))
    return Node(operation.name, parents, vjp, saved, has_leaf)
