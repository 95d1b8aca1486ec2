"""A torch tensor as a parameter of a native optimizer: arrays over its memory, or a float32 copy of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainstation.kernels import copy_beside, narrow, narrow_later, widen
from trainstation.optimizers.actions import Action

__all__ = ["HALVES", "MASTERS", "View", "check_tensor", "has_plain_gradient", "round_stochastically"]

Array = NDArray[Any]

HALVES = (torch.bfloat16, torch.float16)
WHOLES = (torch.float32, torch.float64)
MASTERS = (None, "float32", "stochastic")


def check_tensor(tensor: torch.Tensor, name: str, state_dtype: str | None) -> None:
    """Raise an error that names the parameter unless kernels can step it, and keep its states so."""
    kind = None
    if tensor.layout != torch.strided:
        kind = f"has the layout {tensor.layout}: a dense one is needed"
    elif tensor.device.type != "cpu":
        kind = f"is on the device {tensor.device}: trainstation steps parameters on the CPU"
    elif tensor.dtype not in (*WHOLES, *HALVES):
        kind = f"has the dtype {tensor.dtype}: float32, float64, bfloat16 or float16 is needed"
    if kind is not None:
        msg = f"{name} (shape {tuple(tensor.shape)}) {kind}"
        raise TypeError(msg)
    if state_dtype is not None and tensor.dtype == torch.float64:
        msg = f"{name}: state_dtype={state_dtype!r} is for float32 parameters"
        raise ValueError(msg)


class View:
    """One tensor, as `trainstation.optimizers.groups.Parameter` asks for it.

    Attributes:
        tensor: the parameter.
        data: an array over its memory; of a bfloat16 or float16 tensor, a float32 copy.
        order: the axes in the order of memory, where `data` and all states have them so; None: as they are.
        name: for error messages.
        shown: by name, each array of the state with the tensor that shows it.
        tensors: what its state is to be once it is shown.

    """

    __slots__ = (
        "__weakref__",
        "_codes",
        "_master",
        "_place",
        "_seen_version",
        "data",
        "name",
        "order",
        "shown",
        "tensor",
        "tensors",
    )

    def __init__(self, tensor: torch.Tensor, name: str, *, by_element: bool, master: str | None) -> None:
        """Look at a tensor.

        Args:
            tensor: the parameter.
            name: for error messages.
            by_element: whether the optimizer treats all elements alike, so that axes may be in the order of memory.
            master: how a bfloat16 or float16 tensor is stepped.

        """
        self.tensor, self.name, self._master = tensor, name, master
        self.order = _order_of_memory(tensor) if by_element else None
        self._seen_version = -1
        self.shown: dict[str, tuple[Any, Any]] = {}
        self.tensors: dict[str, Any] = {}
        self._look()

    @property
    def is_half(self) -> bool:
        """Whether `data` is a float32 copy."""
        return self.tensor.dtype in HALVES

    @property
    def _is_bfloat16(self) -> bool:
        return bool(self.tensor.dtype == torch.bfloat16)

    @property
    def is_plain(self) -> bool:
        """Whether `data` is the tensor's memory, axis by axis and without gaps, and so are contiguous gradients.

        A view of an imaginary part that is to be negated (`is_neg`) has gaps, but where it has one element.
        """
        return self.order is None and not self.is_half and self.data.flags.c_contiguous and self.data.size > 1

    @property
    def keeps_master(self) -> bool:
        """Whether `data` is state: what the tensor is the rounding of."""
        return self.is_half and self._master == "float32"

    @property
    def grad(self) -> Array | None:
        """The gradient as an array that is like `data`; over its memory, where it lies as the parameter does."""
        gradient = self.tensor.grad
        if gradient is None:
            return None
        if gradient.layout != torch.strided:
            msg = f"{self.name}: its gradient has the layout {gradient.layout}; a dense one is needed"
            raise TypeError(msg)
        array: Array = self.ordered(gradient.detach()).to(_dtype(self.data)).contiguous().resolve_neg().numpy()
        return array

    def ordered(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the parameter's shape with its axes in the order of `data`."""
        return tensor if self.order is None else tensor.permute(self.order)

    def restored(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the shape of `data` with its axes in the order of the parameter."""
        return tensor if self.order is None else tensor.permute(tuple(np.argsort(self.order)))

    def _look(self) -> None:
        self._place = self.tensor.data_ptr(), self.tensor.shape, self.tensor.stride()
        self._codes = self._look_at_codes() if self.is_half else None
        if not self.is_half:
            self.data = self.ordered(self.tensor.detach()).numpy()
        elif not hasattr(self, "data") or self.data.shape != self.ordered(self.tensor).shape:
            self.data = copy_beside(np.empty(0, np.float32), self._read())

    def has_moved(self) -> bool:
        """Whether the tensor has other memory, another shape or another layout than when it was looked at."""
        return (self.tensor.data_ptr(), self.tensor.shape, self.tensor.stride()) != self._place

    def refresh(self) -> None:
        """Look again, should the tensor have moved."""
        if self.has_moved():
            self._look()

    # What is kept in float32

    def _look_at_codes(self) -> Array | None:
        """Return an array over a half tensor's memory, in the order of `data`; None if kernels cannot walk it."""
        tensor = self.ordered(self.tensor.detach())
        if not tensor.is_contiguous() or tensor.is_neg():
            return None
        codes: Array = tensor.view(torch.int16).numpy()
        return codes if codes.flags.aligned else None

    def _codes_now(self) -> Array | None:
        """Return the codes that were looked at; None if there are none, or the tensor has other memory since."""
        return None if self.has_moved() else self._codes

    def _read(self) -> Array:
        array: Array = self.ordered(self.tensor.detach()).float().numpy()
        return array

    def load(self) -> None:
        """Take the values of the tensor; of a master copy, those that were changed since."""
        if not self.keeps_master:
            codes = self._codes_now()
            if codes is None:
                self.data[...] = self._read()
            else:
                widen(codes, self.data, is_bfloat16=self._is_bfloat16)
        elif self.tensor._version != self._seen_version:
            values = self._read()
            kept = torch.from_numpy(self.data).to(self.tensor.dtype).float().numpy()
            # A NaN is no change if both are one.
            changed = (values != kept) & ((values == values) | (kept == kept))  # noqa: PLR0124  # finds NaN
            self.data[changed] = values[changed]

    def stores(self, t: int) -> list[Action]:
        """Return what rounds the float32 values into the tensor after its step t."""
        drawn = t if self._master == "stochastic" else None
        codes = self._codes_now()
        tell: list[Action]
        if codes is not None:
            room, tell = codes, [partial(torch.autograd.graph.increment_version, self.tensor)]
        else:
            room = np.empty(self.data.shape, np.int16)
            rounded = self.restored(torch.from_numpy(room).view(self.tensor.dtype))
            tell = [partial(self.tensor.detach().copy_, rounded)]
        return [
            narrow_later(self.data, room, is_bfloat16=self._is_bfloat16, t=drawn),
            *tell,
            partial(setattr, self, "_seen_version", self.tensor._version + 1),
        ]


def has_plain_gradient(view: View) -> bool:
    """Whether a tensor and its gradient lie in memory as arrays do, element by element."""
    gradient = view.tensor.grad
    return view.is_plain and (
        gradient is None
        or (
            gradient.layout == torch.strided
            and gradient.dtype == view.tensor.dtype
            and gradient.is_contiguous()
            and not gradient.is_neg()
        )
    )


def _dtype(array: Array) -> torch.dtype:
    return torch.float64 if array.dtype == np.float64 else torch.float32


def _order_of_memory(tensor: torch.Tensor) -> tuple[int, ...] | None:
    """Return the axes from the longest stride to the shortest, if so the tensor is contiguous, and only so."""
    if tensor.is_contiguous():
        return None
    order = tuple(sorted(range(tensor.ndim), key=tensor.stride, reverse=True))
    return order if tensor.permute(order).is_contiguous() else None


def round_stochastically(values: Array, t: int, to_bfloat16: bool) -> Array:
    """Return the int16 codes of bfloat16 or float16 numbers: the neighbour below or above, so that the mean stays.

    Args:
        values: float32.
        t: the step; with the index of an element in memory it says which random bits are drawn.
        to_bfloat16: or else to float16.

    """
    codes = np.empty(values.shape, np.int16)
    narrow(values, codes, is_bfloat16=to_bfloat16, t=t)
    return codes
