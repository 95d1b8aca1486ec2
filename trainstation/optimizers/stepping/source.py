"""Where the parameters of a step are: what the engine asks, and how native ones answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from trainstation import kernels
from trainstation.optimizers.actions import Action
from trainstation.optimizers.contract import Contract
from trainstation.optimizers.groups import gradient_of
from trainstation.optimizers.hyper import Group
from trainstation.optimizers.stepping.row import Row

__all__ = ["Source"]

Array = NDArray[Any]


class Source:
    """Parameters with `data` and `grad`, as `groups.Parameter` describes them. Others override what differs.

    Attributes:
        exchange: of parameters that are followed as tensors, see `kernels.exchange_of`; 0.
        acts: whether `begin` or `after` has anything to do at every step.
        lends: whether the values are held for a step only.

    """

    exchange: int = 0
    acts: bool = False
    lends: bool = False

    def look(self, optimizer: Contract) -> None:
        """Look at all parameters anew, before a table is made of them."""

    def is_current(self) -> bool:
        """Whether what C does not follow is where it was."""
        return True

    def gradient(self, parameter: Any) -> Any:
        """Return the array of a parameter's gradient, or None."""
        return gradient_of(parameter)

    def known_as(self, parameter: Any) -> Any:
        """Return what users call the parameter."""
        return parameter

    def lies_as_known(self, row: Row) -> bool:  # noqa: ARG002  # for overrides
        """Whether the values of a row are, element by element, those that users know."""
        return True

    def entry(self, row: Row, gradient: Array | None) -> dict[str, Any]:  # noqa: ARG002  # for overrides
        """Return how C follows the parameter of a row: fields of an entry, but for those that are alike for all.

        Args:
            row: the parameter.
            gradient: that of the moment, or None.

        """
        return {"array": id(row.data), **self.attributes(row.parameter)}

    def attributes(self, parameter: Any) -> dict[str, Any]:
        """Return where C finds the values and the gradient of an object that has both."""
        owner = parameter.grad
        data_at, grad_at, owner_kind, owner_at = kernels.followed(parameter, owner)
        return {
            "object": id(parameter),
            "data_at": data_at,
            "grad_at": grad_at,
            "owner_kind": owner_kind,
            "owner_at": owner_at,
        }

    def can_follow(self, parameter: Any, gradient: Array) -> bool:
        """Whether C finds the very array of this gradient."""
        owner = parameter.grad
        return owner is gradient or getattr(owner, "data", None) is gradient

    def begin(self, rows: Sequence[Row]) -> None:
        """Bring the values of those that are stepped up to date."""

    def added(self, row: Row) -> list[Action]:  # noqa: ARG002  # for overrides
        """Return what is done when the state of a row is new, or has new entries."""
        return []

    def standing(self, rows: Sequence[Row], active: Sequence[Row], steps: Array) -> list[Action]:  # noqa: ARG002  # likewise
        """Return what is done with each step of a table.

        Args:
            rows: all of the table.
            active: those of them that are stepped now.
            steps: the counters of all rows.

        """
        compiled = [row.parameter for row in active if row.is_compiled]
        # C itself counts versions that are a list.
        return [act for each in compiled if not hasattr(each, "_version") for act in self.written(each)]

    def after(self, rows: Sequence[Row]) -> list[Action]:  # noqa: ARG002  # for overrides
        """Return what else is done when these have been stepped this time."""
        return []

    def updated(self, row: Row, replaced: Mapping[str, Any]) -> list[Action]:  # noqa: ARG002  # for overrides
        """Return what is done when `update` has stepped a row, and put these into its state."""
        return self.written(row.parameter)

    def written(self, parameter: Any) -> list[Action]:
        """Return what is done when the values of a parameter were written to."""
        version = getattr(parameter, "_version", None)
        if isinstance(version, list):
            return [partial(version.__setitem__, 0, next(kernels.stamps))]
        bump = getattr(parameter, "_bump_version", None)
        return [] if bump is None else [bump]

    def settled(self, group: Group, values: Mapping[str, Any]) -> list[Action]:
        """Return what writes hyper-parameters into a group."""
        return [partial(group.update, values)]
