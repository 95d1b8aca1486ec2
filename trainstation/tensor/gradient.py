"""The gradient of a tensor: where it collects, who may see it, and the buffer that is kept for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Generic, Self

import numpy as np

from trainstation import kernels
from trainstation.errors import GraphError, ShapeError
from trainstation.gradtrack import GradTrack, RemovableHook
from trainstation.tensor.core import Array, Core, R


class Gradient(Core[R], Generic[R]):
    """The part of `Tensor` that has its gradient."""

    __slots__ = ()

    def with_requires_grad(self) -> Self:
        """Ask for a gradient, and return the tensor itself."""
        return self.requires_grad_()

    def detach(self) -> R:
        """Return a tensor of the same memory that knows nothing of how it was computed."""
        made: R = self._result.from_numpy(self.data)  # checked: .data may have been replaced by anything
        made._version = self._version
        return made

    @property
    @kernels.given_by("_grad")
    def grad(self) -> R | None:
        """The gradient that backward has collected, or None. A tensor or an array may be assigned."""
        return self._grad

    @grad.setter
    def grad(self, value: R | Array | None) -> None:
        if isinstance(value, np.ndarray):
            value = self._wrap(value)
        elif not (value is None or isinstance(value, Core)):
            msg = f"a gradient is a tensor, an array or None, not {type(value).__name__}"
            raise TypeError(msg)
        self._grad = value

    def backward(self, gradient: R | Array | None = None, retain_graph: bool = False) -> None:
        """Collect the gradient of this tensor in `.grad` of every leaf it was computed from: `GradTrack.backward`."""
        GradTrack.backward(self, gradient, retain_graph)

    def register_hook(self, hook: Callable[[R], R | None]) -> RemovableHook:
        """Have `hook` called with the gradient of this tensor in each backward; what it returns stands in for it.

        Of a leaf it sees the sum that is to be added to `.grad`. Hooks are called in the order of their registration.

        Raises:
            GraphError: the tensor requires no gradient.

        """
        if not self._requires_grad:
            msg = "a hook needs a tensor that requires a gradient"
            raise GraphError(msg)
        owner: Any = self if self._node is None else self._node
        if owner._hooks is None:
            owner._hooks = {}

        wrap = self._wrap  # the hook must not keep the tensor

        def shown(gradient: Array) -> Array | None:
            changed = hook(wrap(gradient))
            if changed is None:
                return None
            if not isinstance(changed, Core):
                msg = f"a hook returns a tensor or None, not {type(changed).__name__}"
                raise TypeError(msg)
            if changed.data.shape != gradient.shape:
                msg = f"a hook returned a gradient of shape {changed.data.shape} for one of shape {gradient.shape}"
                raise ShapeError(msg)
            return changed.data

        return RemovableHook(owner._hooks, shown)

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
            self._grad = self._spare = self._wrap(np.array(held.data + gradient, self.data.dtype, order="C"))

    def _lend_grad(self) -> Array | None:
        """Make `.grad` a buffer that is about to be overwritten, and return it; None if there is a gradient already."""
        if self._grad is not None:
            return None
        if not self._may_reuse_spare():
            self._spare = self._wrap(kernels.zeros_beside(self.data, self.data.shape, self.data.dtype))
        self._grad = self._spare
        return self._spare.data  # type: ignore[union-attr]  # there it is

    def _may_reuse_spare(self) -> bool:
        """Whether a buffer of our own was kept that still fits, and that no other tensor or view holds.

        An optimizer holds it while it is reading it.
        """
        if self._spare is None:
            return False
        buffer, array = self._spare.data, self.data
        fits = buffer.shape == array.shape and buffer.dtype == array.dtype
        del buffer
        tensors, arrays, rooms = _references(self._spare)
        return fits and tensors <= _ALONE[0] and arrays <= _ALONE[1] and rooms <= _ALONE[2]


def _references(buffer: Any) -> tuple[int, int, int]:
    """Count who holds a gradient buffer: the tensor, its array, and the memory if another array owns it.

    Views of an array hold the owner of its memory.
    """
    base = buffer.data.base
    return sys.getrefcount(buffer), sys.getrefcount(buffer.data), 0 if base is None else sys.getrefcount(base)


# What the counts are when only its owner holds a buffer: measured, for interpreters count differently.
_probe = SimpleNamespace(
    spare=SimpleNamespace(data=kernels.zeros_beside(np.zeros(1), (kernels.PAGE_PART,), np.float64))
)
_ALONE = _references(_probe.spare)
del _probe
