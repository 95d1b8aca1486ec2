"""Tables of the page: cells that say how they are sorted."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from trainstation.bench.palette import is_control

__all__ = ["Cell", "Matrix", "Table", "folded", "matrix", "number"]


class Cell(NamedTuple):
    """One cell.

    Attributes:
        text: what it says.
        value: what a column of numbers is sorted by; None, a miss, is last.
        heat: 0..1, how strongly it is shaded.
        kind: a class of the style sheet.
        is_code: whether it is something to type.

    """

    text: str
    value: float | None = None
    heat: float | None = None
    kind: str = ""
    is_code: bool = False


class Table(NamedTuple):
    """A table whose first column names its rows; a heading in `words` is of a column that is no number.

    Below it are tables of the same headings that are shown when they are asked for.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    words: frozenset[str] = frozenset()
    folded: Sequence[Table] = ()


def number(text: str, value: float | None) -> Cell:
    """Return a cell that is sorted by a number, and last if there is none."""
    return Cell(text, value if value is not None and math.isfinite(value) else None, kind="number")


Matrix = Mapping[tuple[str, str], float | None]


def matrix(
    caption: str, corner: str, values: Matrix, write: Callable[[float | None], str], heat: Callable[[str, float], float]
) -> Table:
    """Return a table of values by (row, column), both in the order in which they come.

    Args:
        caption: of the table.
        corner: heading of the rows' names.
        values: None or infinity is a miss, a pair that is not there was never tried.
        write: for people.
        heat: 0..1, of a column and a value.

    """
    across = list(dict.fromkeys(column for _, column in values))
    rows = []
    for row in dict.fromkeys(row for row, _ in values):
        cells = [Cell(row)]
        for column in across:
            if (row, column) not in values:
                cells.append(Cell("", kind="number"))
                continue
            value = values[row, column]
            missed = value is None or not math.isfinite(value)
            cell = number(write(value), value)
            cells.append(
                cell._replace(kind="number miss") if missed else cell._replace(heat=heat(column, value or 0.0))
            )
        rows.append(cells)
    telling = {name for (name, _), value in values.items() if value and math.isfinite(value)}
    return folded(Table(caption, [corner, *across], rows), telling)


def folded(
    table: Table, telling: Collection[str] | None = None, nothing: str = "Nothing but misses and zeros"
) -> Table:
    """Put apart the rows of controls, and those of names that are not telling: they say the same of each column."""
    apart: dict[str, list[Sequence[Cell]]] = {"": [], nothing: [], "Controls, which are wrong on purpose": []}
    *_, controls = apart
    for row in table.rows:
        name = row[0].text
        apart[controls if is_control(name) else "" if telling is None or name in telling else nothing].append(row)
    below = [
        table._replace(caption=f"{why}: {', '.join(row[0].text for row in rows)}", rows=rows)
        for why, rows in apart.items()
        if why and rows
    ]
    return table._replace(rows=apart[""], folded=below) if apart[""] else table
