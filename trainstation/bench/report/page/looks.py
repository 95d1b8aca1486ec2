"""How optimizers look: one colour, line and mark each, everywhere on the page.

Figures are drawn in inks, colours that stand for those of the page's style sheet, which differ in light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from trainstation.bench.palette import COLOURS, STYLES, nth

__all__ = ["DARK", "FAINT", "GRID", "INK", "INKS", "LIGHT", "Look", "looks_of"]

LIGHT = COLOURS
# The same hues, as far above a dark ground as the others are below a light one.
DARK = ("#4BA3E3", "#F2783C", "#2FC49A", "#E3A0C8", "#F0B63A", "#9AD4F7", "#F2F2F2")
DASHES = dict(zip(STYLES, ("", "6 2.5", "1.6 2.2", "7 2 1.6 2"), strict=True))
# Marks as matplotlib calls them, and as paths around the middle of the legend's small picture.
MARKS = {
    "o": "m17 3a3 3 0 1 0 .01 0z",
    "s": "m14 3h6v6h-6z",
    "D": "m17 2l4 4-4 4-4-4z",
    "^": "m17 2l4 7h-8z",
    "v": "m17 10l4-7h-8z",
    "P": "m16 2h2v3h3v2h-3v3h-2v-3h-3v-2h3z",
    "X": "m14 2l3 3 3-3 1 1-3 3 3 3-1 1-3-3-3 3-1-1 3-3-3-3z",
    "<": "m13 6l7-4v8z",
    ">": "m21 6l-7-4v8z",
}

INK, GRID, FAINT = "#010100", "#010101", "#010102"
_SERIES = [f"#0102{place:02x}" for place in range(len(COLOURS))]
# What stands in a figure, and what it means on the page.
INKS = {
    INK: "currentColor",
    GRID: "var(--grid)",
    FAINT: "var(--faint)",
    **{ink: f"var(--c{place})" for place, ink in enumerate(_SERIES)},
}


class Look(NamedTuple):
    """How one optimizer is drawn.

    Attributes:
        key: names it in ids and selectors, whatever characters its name has.
        place: in the palette.
        style: of its line, as matplotlib calls it.
        mark: of its points, likewise.

    """

    key: str
    place: int
    style: str
    mark: str

    @property
    def line(self) -> dict[str, Any]:
        """Return what a line of a figure needs."""
        return {"color": _SERIES[self.place], "linestyle": self.style, "gid": self.key}

    @property
    def dash(self) -> str:
        """Return the line's style as SVG writes it."""
        return DASHES[self.style]

    @property
    def path(self) -> str:
        """Return its mark as SVG writes it, in a picture of 34 by 12."""
        return MARKS[self.mark]

    @property
    def colour(self) -> str:
        """Return its colour as the page writes it."""
        return INKS[_SERIES[self.place]]


def looks_of(first: Sequence[str], others: Iterable[str]) -> dict[str, Look]:
    """Return a look for each name; those of the first ones differ most."""
    names, marks = dict.fromkeys([*first, *others]), list(MARKS)
    return {
        name: Look(f"o{place}", *nth(place), mark=marks[(place + place // len(COLOURS)) % len(marks)])
        for place, name in enumerate(names)
    }
