"""The average of weights that a step goes on with."""

from __future__ import annotations

from functools import partial

import numpy as np

from trainstation.optimizers.actions import Action
from trainstation.optimizers.contract import Averaging
from trainstation.optimizers.stepping.row import Row
from trainstation.optimizers.stepping.source import Source
from trainstation.optimizers.stepping.table import Table

__all__ = ["Averages"]


class Averages:
    """What a table does for an average: rows that run compiled in the call itself, the others with it.

    Attributes:
        of: the average.

    """

    def __init__(self, of: Averaging, table: Table, source: Source, *, in_call: bool) -> None:
        """Find the averages of all parameters.

        Args:
            of: the average.
            table: whose steps are averaged.
            source: of its parameters.
            in_call: whether values are final when the rule has been applied.

        """
        self.of, self._source, self._call = of, source, table.call
        arrays = [of.average_of(source.known_as(row.parameter)) for row in table.compiled]
        in_call = in_call and all(
            array.shape == row.data.shape and source.lies_as_known(row)
            for array, row in zip(arrays, table.compiled, strict=True)
        )
        self._has_call = any(row.is_compiled for row in table.active)
        table.call.take_averages(arrays if in_call else None, of.count)
        taken = {id(row.parameter) for row in table.active if in_call or not row.is_compiled}
        known = {id(source.known_as(row.parameter)) for row in table.active if id(row.parameter) in taken}
        self._rest = [parameter for parameter in of.parameters() if id(parameter) not in known]
        self._weight = 1.0

    def begin(self) -> None:
        """Take the weight of the next average; RuntimeError if the parameters hold the average now."""
        self._weight = self.of.begin()
        self._call.weigh(self._weight)

    def of_row(self, row: Row) -> list[Action]:
        """Return what averages a row that `update` steps."""
        return self.of.moves(self._source.known_as(row.parameter), self._weight)

    def of_the_rest(self) -> list[Action]:
        """Return what averages all other parameters, and counts the average unless the call does."""
        actions = [action for parameter in self._rest for action in self.of.moves(parameter, self._weight)]
        return actions if self._has_call else [*actions, partial(np.add, self.of.count, 1, self.of.count)]

    def end(self) -> None:
        """Average no more."""
        self._call.take_averages(None, None)
