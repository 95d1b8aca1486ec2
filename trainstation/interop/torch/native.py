"""A native optimizer whose parameters are torch tensors: its class, and where its steps find them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import torch
from numpy.typing import NDArray

from trainstation import kernels
from trainstation.interop.torch.state_tensors import Shown
from trainstation.interop.torch.views import View, has_plain_gradient
from trainstation.optimizers import Optimizer
from trainstation.optimizers.actions import Action
from trainstation.optimizers.contract import Contract
from trainstation.optimizers.hyper import FLOAT32_ZERO, Group
from trainstation.optimizers.stepping.row import Row
from trainstation.optimizers.stepping.source import Source

__all__ = ["TensorSource", "native_class"]

Array = NDArray[Any]


class TensorSource(Source):
    """Torch tensors as parameters, each behind a `View`.

    Backward gives every parameter a new gradient, so addresses are what a step looks at. C asks the tensors themselves
    where they lie in memory as arrays do; the others' gradients are brought into that form by their views.
    """

    def __init__(self, shown: Shown) -> None:
        """Make the source of an optimizer whose states are shown as tensors."""
        self.exchange = kernels.exchange_of(torch.Tensor)
        self._shown = shown
        self._odd: list[View] = []

    def look(self, optimizer: Contract) -> None:
        """Look again at tensors that have moved."""
        for group in optimizer.param_groups:
            for view in group["params"]:
                view.refresh()

    def is_current(self) -> bool:
        """Whether tensors that C does not ask are where they were."""
        return not any(view.has_moved() for view in self._odd)

    def gradient(self, parameter: View) -> Array | None:
        """Return a gradient in the form of the values."""
        return parameter.grad

    def known_as(self, parameter: View) -> torch.Tensor:
        """Return the tensor."""
        return parameter.tensor

    def lies_as_known(self, row: Row) -> bool:
        """Whether the values are the tensor's, in the order of its axes."""
        return row.parameter.order is None and not row.parameter.is_half

    def can_follow(self, parameter: View, gradient: Array) -> bool:  # noqa: ARG002  # a view brings it into form
        """C follows all of them, if need be through the view."""
        return True

    def entry(self, row: Row, gradient: Array | None) -> dict[str, Any]:  # noqa: ARG002  # the tensor's own says more
        """Have C ask the tensor, or else its view; where `update` steps it, only whether there is a gradient."""
        view = row.parameter
        if not row.is_compiled or has_plain_gradient(view):
            return self.attributes(view)
        data_at, _, owner_kind, owner_at = kernels.followed(view, None)
        return {
            "object": id(view),
            "array": id(row.data),
            "data_at": data_at,
            "grad_at": -1,
            "owner_kind": owner_kind,
            "owner_at": owner_at,
        }

    def attributes(self, parameter: View) -> dict[str, Any]:
        """Return how C asks the tensor."""
        return {"object": id(parameter.tensor), "array": 0, "data_at": -1, "grad_at": -1}

    def begin(self, rows: Sequence[Row]) -> None:
        """Bring float32 copies up to date."""
        for row in rows:
            if row.parameter.is_half:
                row.parameter.load()

    def added(self, row: Row) -> list[Action]:
        """Show a new state."""
        return self._shown.added(row.parameter, row.state)

    def standing(self, rows: Sequence[Row], active: Sequence[Row], steps: Array) -> list[Action]:
        """Show the counters, and tell autograd that tensors were changed in place."""
        self._odd = [row.parameter for row in rows if not (row.is_compiled and has_plain_gradient(row.parameter))]
        self.acts = any(row.parameter.is_half for row in active)
        tensors = [row.parameter.tensor for row in active if row.is_compiled and not row.parameter.is_half]
        return [
            *self._shown.counted([row.parameter for row in rows], steps),
            *([partial(torch.autograd.graph.increment_version, tensors)] if tensors else []),
        ]

    def after(self, rows: Sequence[Row]) -> list[Action]:
        """Round float32 copies into their tensors."""
        return [
            act for row in rows if row.parameter.is_half for act in row.parameter.stores(int(row.state["step"]) + 1)
        ]

    def updated(self, row: Row, replaced: Mapping[str, Any]) -> list[Action]:
        """Do all of this for a row that `update` has stepped."""
        view, t = row.parameter, int(row.state["step"]) + 1
        return [
            *(view.stores(t) if view.is_half else self.written(view)),
            *(self._shown.replaced(view, replaced) if replaced else []),
            *self._shown.counted([view], row.state["step"]),
        ]

    def written(self, parameter: View) -> list[Action]:
        """Tell autograd, or round the float32 copy into the tensor."""
        if parameter.is_half:
            return parameter.stores(0)
        return [partial(torch.autograd.graph.increment_version, parameter.tensor)]

    def settled(self, group: Group, values: Mapping[str, Any]) -> list[Action]:
        """Write hyper-parameters into torch's group, too."""
        return [*super().settled(group, values), *self._shown.settled(group, values)]


class NativeOverTensors(Optimizer):
    """What a native optimizer has over tensors: torch's leave to divide by zero."""

    has_warned = True  # torch does nothing without gradients, and says nothing

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; eps may be 0, as in torch."""
        eps = hyper.get("eps")
        if isinstance(eps, float | int) and 0 <= eps <= FLOAT32_ZERO:
            hyper = {**hyper, "eps": 1.0}
        super().validate(hyper)


@cache
def native_class(native: type[Optimizer]) -> type[Optimizer]:
    """Return a native class as one over tensors."""
    return type(native.__name__, (NativeOverTensors, native), {"__module__": __name__, "__doc__": native.__doc__})
